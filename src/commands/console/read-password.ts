// Reads a password: from a terminal without showing it, else as one line of the standard input.

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { UsageError } from '../../base/errors.js';

/** @throws UsageError when there is none, or the two in a terminal differ */
export async function readPassword(name: string): Promise<string> {
  const { stdin, stderr } = process;
  const lines = new Lines(stdin.isTTY === true);
  try {
    if (stdin.isTTY !== true) return await lines.next();
    stderr.write(`Password of ${name}: `);
    const password = await lines.next();
    stderr.write('\nThe same again: ');
    const again = await lines.next();
    stderr.write('\n');
    if (password !== again) throw new UsageError('the two passwords differ');
    return password;
  } finally {
    lines.close();
  }
}

/** The lines of the standard input. In a terminal readline reads each key itself, and writes it nowhere. */
class Lines {
  readonly #lines;
  readonly #iterator;

  constructor(terminal: boolean) {
    const output = new Writable({ write: (_chunk, _encoding, done) => done() });
    this.#lines = createInterface({ input: process.stdin, output, terminal });
    // In its raw mode the terminal sends no signal.
    this.#lines.on('SIGINT', () => process.exit(130));
    this.#iterator = this.#lines[Symbol.asyncIterator]();
  }

  async next(): Promise<string> {
    const { value, done } = await this.#iterator.next();
    if (done === true || value === '') throw new UsageError('expected a password on the standard input');
    return value;
  }

  close(): void {
    this.#lines.close();
  }
}
