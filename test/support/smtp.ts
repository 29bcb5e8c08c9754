// A real mail server on 127.0.0.1, with TLS and authentication, which can also refuse, defer, hang up and be slow.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import type { Test } from 'tap';

/** A mail as it came. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: Buffer;
  readonly isEncrypted: boolean;
}

/** What the server says: nothing for yes, `550 5.1.1 no such user`, or `hang up` for no word at all. */
export type Reply = string | undefined;
type Step<T extends unknown[] = []> = (...args: T) => Reply | Promise<Reply>;

/** What the server does at each step of a mail; by default it takes all. */
export interface Manners {
  connect: Step;
  sender: Step<[address: string]>;
  recipient: Step<[address: string]>;
  /** The first bytes of a mail have come, and not all. */
  begun: Step<[to: readonly string[]]>;
  /** A mail is there in full, and was not answered yet. What is answered with no yes was not taken. */
  taken: Step<[mail: ReceivedMail]>;
}

const polite: Manners = {
  connect: () => undefined,
  sender: () => undefined,
  recipient: () => undefined,
  begun: () => undefined,
  taken: () => undefined,
};

export interface TestSmtpOptions {
  /** TLS from the first byte on; by default STARTTLS is offered. */
  readonly secure?: boolean;
  readonly port?: number;
}

export class TestSmtpServer {
  /** What was taken, in order. After `hang up` at its end a mail counts as taken: the server has it. */
  readonly mails: ReceivedMail[] = [];
  readonly manners: Manners = { ...polite };
  readonly #server: SMTPServer;
  readonly #certificate: Certificate;
  readonly #secure: boolean;

  static async start(t: Test, { secure = false, port = 0 }: TestSmtpOptions = {}): Promise<TestSmtpServer> {
    const server = new TestSmtpServer(certificateFor(t), secure);
    const listening = server.#server.listen(port, '127.0.0.1');
    await once(listening, 'listening');
    t.teardown(() => server.stop());
    return server;
  }

  private constructor(certificate: Certificate, secure: boolean) {
    this.#certificate = certificate;
    this.#secure = secure;
    const answer = (session: SMTPServerSession, step: () => Reply | Promise<Reply>, done: Done) =>
      void this.#answer(session, step, done);
    this.#server = new SMTPServer({
      secure,
      key: certificate.key,
      cert: certificate.cert,
      logger: false,
      size: 50_000_000,
      closeTimeout: 10,
      authOptional: true,
      allowInsecureAuth: true,
      disableReverseLookup: true,
      onAuth: ({ username, password }, _session, done) => {
        if (username === 'ann' && password === 'p@ss word') done(null, { user: username });
        else done(Object.assign(new Error('5.7.8 wrong user or password'), { responseCode: 535 }));
      },
      onConnect: (session, done) => answer(session, () => this.manners.connect(), done),
      onMailFrom: ({ address }, session, done) => answer(session, () => this.manners.sender(address), done),
      onRcptTo: ({ address }, session, done) => answer(session, () => this.manners.recipient(address), done),
      onData: (stream, session, done) => void this.#receive(stream, session, done),
    });
    // Of a client that was killed.
    this.#server.on('error', () => undefined);
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#server.connections.size;
  }

  /** The setting `mailUrl` for it, with user and password. */
  get url(): string {
    const protocol = this.#secure ? 'smtps' : 'smtp';
    const starttls = this.#secure ? '' : '&starttls=required';
    return `${protocol}://ann:p%40ss%20word@127.0.0.1:${this.port}?ca=${this.#certificate.path}${starttls}`;
  }

  /** The Message-IDs of what was taken, in order. */
  get ids(): string[] {
    return this.mails.map(
      ({ raw }) => /^Message-ID: (.*)$/im.exec(raw.toString('latin1'))?.[1]?.trim() ?? '',
    );
  }

  /** What was taken, as a mail program reads it. */
  async read(): Promise<Email[]> {
    return await Promise.all(this.mails.map(async ({ raw }) => await PostalMime.parse(raw)));
  }

  async stop(): Promise<void> {
    for (const connection of this.#server.connections) connection._socket.destroy();
    if (!this.#server.server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #receive(stream: SMTPServerDataStream, session: SMTPServerSession, done: Done): Promise<void> {
    const chunks: Buffer[] = [];
    const to = session.envelope.rcptTo.map(({ address }) => address);
    try {
      for await (const chunk of stream) {
        chunks.push(chunk);
        if (chunks.length === 1 && (await this.manners.begun(to)) === 'hang up') this.#hangUp(session);
      }
    } catch {
      return; // the connection is gone: nothing was taken
    }
    if (!this.#isOpen(session)) return;
    const { mailFrom } = session.envelope;
    const mail: ReceivedMail = {
      from: mailFrom === false ? '' : mailFrom.address,
      to,
      raw: Buffer.concat(chunks),
      isEncrypted: session.secure,
    };
    await this.#answer(
      session,
      async () => {
        const reply = await this.manners.taken(mail);
        if (reply === undefined || reply === 'hang up') this.mails.push(mail);
        return reply;
      },
      done,
    );
  }

  async #answer(session: SMTPServerSession, step: () => Reply | Promise<Reply>, done: Done): Promise<void> {
    const reply = await step();
    if (reply === undefined) return done();
    if (reply === 'hang up') return this.#hangUp(session);
    const [code = '', ...words] = reply.split(' ');
    done(Object.assign(new Error(words.join(' ')), { responseCode: Number(code) }));
  }

  #isOpen(session: SMTPServerSession): boolean {
    return [...this.#server.connections].some((connection) => connection.session.id === session.id);
  }

  #hangUp(session: SMTPServerSession): void {
    for (const connection of this.#server.connections) {
      if (connection.session.id === session.id) connection._socket.destroy();
    }
  }
}

type Done = (error?: Error | null) => void;

interface Certificate {
  readonly path: string;
  readonly key: Buffer;
  readonly cert: Buffer;
}

let made: Certificate | undefined;

/** Signed by itself, for 127.0.0.1; one a process. */
function certificateFor(t: Test): Certificate {
  if (made !== undefined) return made;
  const directory = mkdtempSync(join(tmpdir(), 'linod-tls-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const [key, path] = [join(directory, 'server.key'), join(directory, 'server.crt')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const args = ['req', '-x509', '-nodes', '-days', '2', ...kind, ...subject, '-keyout', key, '-out', path];
  execFileSync('openssl', args, { stdio: 'ignore' });
  t.comment(`certificate ${path}`);
  made = { path, key: readFileSync(key), cert: readFileSync(path) };
  return made;
}
