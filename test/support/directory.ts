// Directories for the files of a test.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

/** Texts of files and, within, of directories, by their names. */
export interface Files {
  readonly [name: string]: string | Files;
}

/**
 * Makes a directory with the files given and returns its path: without links, and short enough
 * for sockets. It vanishes after the teardowns that the test adds later, so that no process of the test still writes in it;
 * tap's own `t.testdir` may vanish before them, and then they are not called.
 */
export function testDirectory(t: Pick<Test, 'teardown'>, files: Files = {}): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'linod-')));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  write(directory, files);
  return directory;
}

function write(directory: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    if (typeof content === 'string') {
      writeFileSync(path, content);
    } else {
      mkdirSync(path);
      write(path, content);
    }
  }
}
