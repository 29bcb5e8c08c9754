// Where alarms arrive in tests: a mail server, an HTTP server that checks signatures, and a program.

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Email } from 'postal-mime';
import type { Test } from 'tap';
import type { Notice } from '../../src/alarms/delivery/notice.js';
import type { SiteConfig } from '../../src/site/site.js';
import type { LiveSite } from './live-site.js';
import { eventually } from './programs.js';
import { TestSmtpServer } from './smtp.js';

const secret = 'not to be shown either';

/** Appends what it gets to files: a line of JSON, and a line of its environment. */
const page = `cat >> paged
echo "$LINOD_ALARM_STATE $LINOD_ALARM_KIND" >> environment
`;

export interface Request {
  readonly id: string;
  readonly body: string;
  /** Whether somebody with the secret has signed it. */
  readonly isSigned: boolean;
}

export class AlarmReceivers {
  readonly requests: Request[] = [];
  /** How many requests are refused before one is taken. */
  refusals = 0;
  /** The settings of a site whose alarms come here. */
  readonly config: SiteConfig;
  readonly #mail: TestSmtpServer;

  static async start(t: Test): Promise<AlarmReceivers> {
    const mail = await TestSmtpServer.start(t);
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.teardown(() => server.close().closeAllConnections());
    const { port } = server.address() as AddressInfo;
    const receivers = new AlarmReceivers(mail, port);
    server.on('request', async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const [id, time, signature] = ['id', 'timestamp', 'signature'].map((name) =>
        String(request.headers[`webhook-${name}`]),
      );
      const wanted = createHmac('sha256', secret).update(`${id}.${time}.${body}`).digest('base64');
      receivers.requests.push({ id: id ?? '', body, isSigned: signature === `v1,${wanted}` });
      response.writeHead(receivers.refusals-- > 0 ? 503 : 204).end();
    });
    return receivers;
  }

  private constructor(mail: TestSmtpServer, port: number) {
    this.#mail = mail;
    this.config = {
      mailUrl: mail.url,
      mailFrom: 'linod@example.org',
      alarmMail: ['ops@example.org', 'ann@example.org'],
      alarmWebhook: `http://127.0.0.1:${port}/alarms`,
      alarmWebhookSecret: secret,
      alarmCommand: ['sh', 'page.sh'],
    };
  }

  readonly files = { 'page.sh': page } as const;

  get notices(): Notice[] {
    return this.requests.map(({ body }) => JSON.parse(body));
  }

  /** Forgets what has come so far by webhook and program. */
  forget(site: LiveSite): void {
    this.requests.length = 0;
    for (const name of ['paged', 'environment']) rmSync(site.path(name), { force: true });
  }

  get mails() {
    return this.#mail.mails;
  }

  /** The mails as a mail program reads them. */
  async read(): Promise<Email[]> {
    return await this.#mail.read();
  }

  /** Waits until a notice has come by each of the three ways. */
  async received(site: LiveSite, state: Notice['state'], kind: string, text: RegExp = /./): Promise<Notice> {
    let found: Notice | undefined;
    const isWanted = (notice: Notice) =>
      notice.state === state && notice.kind === kind && text.test(notice.text);
    await eventually(`a webhook about ${kind}, ${state}, ${text}`, () => {
      found = this.notices.find(isWanted);
      return found !== undefined;
    });
    const wanted = found;
    if (wanted === undefined) throw new Error('unreachable: it was found');
    await eventually(`a mail about ${kind}, ${state}`, async () =>
      (await this.read())
        .flatMap(({ text = '' }) => text.split('\n\n'))
        .some(
          (text) =>
            text.includes(`alarm ${wanted.alarm}, ${kind}`) &&
            text.includes('well again') === (state === 'cleared'),
        ),
    );
    await eventually(`a command about ${kind}, ${state}`, () => paged(site).some(isWanted));
    return wanted;
  }
}

/** What the program got. */
export function paged(site: LiveSite): Notice[] {
  const path = join(site.directory, 'paged');
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}
