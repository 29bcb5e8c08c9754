// Compiled code that is kept in a file: reading source is most of what V8 does in a thread or a process that begins.

import { isAscii } from 'node:buffer';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, extname, join } from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import { constants, Script } from 'node:vm';

/** A file that is used tells so once in this time, by when it was modified. */
const renewMs = 86_400_000;
/** What nobody has used for so long is removed: it was made by a Node that is not here any more. */
const unusedMs = 30 * 86_400_000;
/** Compiled code, and drafts of it that were never finished. */
const isKept = /\.code(\.\d+\.[a-z\d]+)?$/;

interface Unkept {
  readonly script: Script;
  readonly path: string;
}

export interface CompileOptions {
  /** Changes with what stands in the file, and may be a part of its name. */
  readonly version: string;
  /** Makes of what stands in the file what is compiled. */
  readonly wrap?: (source: string) => string;
}

/**
 * A directory of compiled code, of the site's own: who could write there could write its procedures as well. What is not
 * there, or was made by another V8 or of another source, is compiled, and kept when {@link keep} is called. Never fails: without a
 * file everything is compiled, as ever.
 */
export class CodeCache {
  readonly #directory: string;
  readonly #tag = cachedDataVersionTag().toString(36);
  readonly #unkept: Unkept[] = [];
  readonly #used: string[] = [];

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Compiles a file, and does not run it. V8 itself tells two sources by their lengths only, hence the version. */
  compile(file: string, { version, wrap = (source) => source }: CompileOptions): Script {
    const source = readFileSync(file);
    const name = basename(file, extname(file)).replace(`-${version}`, '');
    const path = join(this.#directory, `${name}.${this.#tag}.${version}.code`);
    const cachedData = readChecked(path);
    const script = new Script(wrap(source.toString(isAscii(source) ? 'latin1' : 'utf8')), {
      filename: file,
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      ...(cachedData === undefined ? {} : { cachedData }),
    });
    if (cachedData === undefined || script.cachedDataRejected === true) this.#unkept.push({ script, path });
    else this.#used.push(path);
    return script;
  }

  /**
   * Keeps what was compiled, with all functions that were called by now. What was kept of former versions is removed, and what
   * other versions of Node have kept when none of them has used it for a month.
   */
  keep(): void {
    for (const path of this.#used.splice(0)) this.#renew(path);
    for (const { script, path } of this.#unkept.splice(0)) {
      try {
        mkdirSync(this.#directory, { recursive: true });
        const data = script.createCachedData();
        const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
        writeFileSync(draft, Buffer.concat([data, data]), { flush: true });
        renameSync(draft, path);
        this.#removeFormer(path);
        this.#removeUnused(Date.now());
      } catch {
        // Not allowed, or the disk is full: it is compiled again the next time.
      }
    }
  }

  /** Says that a file is used. Most days nobody compiles anything, so this is when the unused ones are looked for. */
  #renew(path: string): void {
    const now = Date.now();
    try {
      if (now - statSync(path).mtimeMs < renewMs) return;
      utimesSync(path, now / 1000, now / 1000);
      this.#removeUnused(now);
    } catch {
      // Another process has replaced it, or this one may not write there.
    }
  }

  /** Who is about to read one of them, however old, compiles instead. */
  #removeUnused(now: number): void {
    for (const name of readdirSync(this.#directory)) {
      if (!isKept.test(name)) continue;
      const path = join(this.#directory, name);
      const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now;
      if (now - mtimeMs > unusedMs) rmSync(path, { force: true });
    }
  }

  #removeFormer(path: string): void {
    const name = basename(path);
    const same = name.slice(0, name.indexOf(this.#tag) + this.#tag.length + 1);
    for (const other of readdirSync(this.#directory)) {
      if (other.startsWith(same) && other !== name) rmSync(join(this.#directory, other), { force: true });
    }
  }
}

/**
 * V8 trusts such a file, and one that was damaged ends the process. So it holds everything twice: to compare the two takes 0.1 ms, where
 * to load Node's hashes alone takes 2.5 ms. Undefined if there is none that is whole.
 */
function readChecked(path: string): Buffer | undefined {
  try {
    const file = readFileSync(path);
    const half = file.length / 2;
    const data = file.subarray(0, half);
    return half > 0 && data.equals(file.subarray(half)) ? data : undefined;
  } catch {
    return undefined;
  }
}
