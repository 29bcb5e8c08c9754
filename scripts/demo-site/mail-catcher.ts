// A mail server on this machine that delivers to nobody: it stores each mail in a file and reports it.

import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import PostalMime from 'postal-mime';
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server';

/** A mail that has arrived. */
export interface CaughtMail {
  readonly to: readonly string[];
  readonly subject: string;
  readonly file: string;
}

export class MailCatcher {
  readonly #server: SMTPServer;
  readonly #directory: string;
  readonly #onMail: (mail: CaughtMail) => void;
  #count = 0;

  /** Listens on a free port of 127.0.0.1. @param directory gets a file a mail, `1.eml` */
  static async open(directory: string, onMail: (mail: CaughtMail) => void): Promise<MailCatcher> {
    await mkdir(directory, { recursive: true });
    const catcher = new MailCatcher(directory, onMail);
    await once(catcher.#server.listen(0, '127.0.0.1'), 'listening');
    return catcher;
  }

  private constructor(directory: string, onMail: (mail: CaughtMail) => void) {
    this.#directory = directory;
    this.#onMail = onMail;
    this.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['AUTH', 'STARTTLS'],
      onData: (stream, _session, callback) => {
        this.#keep(stream).then(() => callback(), callback);
      },
    });
    // A client may leave at any time.
    this.#server.on('error', () => undefined);
  }

  get url(): string {
    const address = this.#server.server.address();
    if (address === null || typeof address === 'string') throw new Error('the mail catcher is closed');
    return `smtp://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(resolve);
    });
  }

  async #keep(stream: SMTPServerDataStream): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(Buffer.from(part));
    const bytes = Buffer.concat(parts);
    const file = join(this.#directory, `${++this.#count}.eml`);
    await writeFile(file, bytes);
    const { to = [], subject = '' } = await PostalMime.parse(bytes);
    this.#onMail({ to: to.map(({ address = '' }) => address), subject, file });
  }
}
