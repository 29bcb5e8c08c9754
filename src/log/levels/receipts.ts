// How the one who sets a level at run time learns which processes have taken it over.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LevelOverride } from './override.js';

/** A directory for receipts, made for one change and removed after it. */
export class Receipts {
  readonly name: string;
  readonly #path: string;

  /** @param directory of the overrides, which is there */
  constructor(directory: string, now: number) {
    this.name = `.receipts-${process.pid}-${now.toString(36)}`;
    this.#path = join(directory, this.name);
    mkdirSync(this.#path);
  }

  /** Who has left one so far, as the log calls them: `web[812]`. */
  read(): string[] {
    return readdirSync(this.#path)
      .map((name) => decodeURIComponent(name))
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  }

  remove(): void {
    rmSync(this.#path, { recursive: true, force: true });
  }
}

/** Leaves a receipt wherever one is asked for. Never throws: that nobody waits for it any more is the usual case. */
export function leaveReceipts(
  directory: string,
  overrides: readonly LevelOverride[],
  label: string,
  given: Set<string>,
): void {
  const asked = new Set(overrides.flatMap(({ receipts }) => (receipts === undefined ? [] : [receipts])));
  for (const name of given) if (!asked.has(name)) given.delete(name);
  for (const name of asked) {
    if (given.has(name)) continue;
    given.add(name);
    try {
      writeFileSync(join(directory, name, encodeURIComponent(label)), '');
    } catch {
      // The one who asked has ended.
    }
  }
}
