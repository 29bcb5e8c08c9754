// Hashes of texts that were hashed before. To load Node's hashes takes a thread that begins 2.5 ms, and what it hashes is seldom new.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** So many letters are kept at most: to read more takes longer than to hash them. */
const mostLetters = 200_000;

/**
 * Texts with their hashes, kept in a file. The texts themselves are compared, so that a hash is never that of another text. Never
 * fails: without a file all is hashed.
 */
export class KeptHashes {
  readonly #path: string;
  readonly #hash: (text: string) => string;
  /** What is used stands at the end. */
  readonly #hashes: Map<string, string>;
  #hasNew = false;

  constructor(path: string, hash: (text: string) => string) {
    this.#path = path;
    this.#hash = hash;
    this.#hashes = new Map(readPairs(path));
  }

  /** The hash of a text. */
  of(text: string): string {
    const kept = this.#hashes.get(text);
    this.#hasNew ||= kept === undefined;
    const hash = kept ?? this.#hash(text);
    this.#hashes.delete(text);
    this.#hashes.set(text, hash);
    return hash;
  }

  /** Writes the file if something is new; what was used last stays when there is too much. */
  keep(): void {
    if (!this.#hasNew) return;
    this.#hasNew = false;
    let letters = 0;
    const latest = [...this.#hashes].reverse().filter(([text]) => {
      letters += text.length;
      return letters <= mostLetters;
    });
    const draft = `${this.#path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      writeFileSync(draft, JSON.stringify(latest.reverse()));
      renameSync(draft, this.#path);
    } catch {
      // Not allowed, or the disk is full: it is hashed again the next time.
    }
  }
}

function readPairs(path: string): [string, string][] {
  try {
    const pairs: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Array.isArray(pairs) ? pairs.filter(isPair) : [];
  } catch {
    return []; // there is none yet, or it was damaged
  }
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}
