// The small listener for probes and metrics.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { parseProbeAddress } from '../site/probe-address.js';
import type { Check } from './checks.js';

export interface ProbeServerOptions {
  /** `HOST:PORT` or `PORT`. */
  readonly address: string;
  /** The probes by their paths, such as `/readyz`. */
  readonly probes: Readonly<Record<string, () => Promise<readonly Check[]>>>;
  /** The text of `/metrics`. */
  readonly metrics: () => Promise<string>;
  /** Called with each address that it listens on. */
  readonly onListening: (url: string) => void;
  /** Called once when the address cannot be had. The server tries again. */
  readonly onTrouble: (error: Error) => void;
}

/** Another process may have the address, and leave it when it stops. */
const retryMs = 5000;
const plain = 'text/plain; charset=utf-8';
/** Source: prometheus.io/docs/instrumenting/exposition_formats, "Basic info". */
const exposition = 'text/plain; version=0.0.4; charset=utf-8';

export class ProbeServer {
  readonly #options: ProbeServerOptions;
  readonly #server: Server;
  #retry: NodeJS.Timeout | undefined;
  #isTroubled = false;

  /** Begins to listen. */
  constructor(options: ProbeServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    // Probes keep no process alive.
    this.#server.unref();
    this.#server.on('error', (error) => this.#tryLater(error));
    this.#server.on('listening', () => this.#report());
    this.#listen();
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    clearTimeout(this.#retry);
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #listen(): void {
    const { host, port } = parseProbeAddress(this.#options.address);
    this.#server.listen({ host: host === '*' ? undefined : host, port });
  }

  #tryLater(error: Error): void {
    if (!this.#isTroubled) this.#options.onTrouble(error);
    this.#isTroubled = true;
    this.#retry = setTimeout(() => this.#listen(), retryMs).unref();
  }

  #report(): void {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') return;
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    this.#options.onListening(`http://${host}:${address.port}`);
  }

  async #answer({ method, url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const end = (status: number, text: string, type = plain) =>
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
    try {
      const { pathname, searchParams } = new URL(url, 'http://probe');
      if (method !== 'GET' && method !== 'HEAD') return void end(405, 'only GET and HEAD\n');
      if (pathname === '/metrics') return void end(200, await this.#options.metrics(), exposition);
      const probe = this.#options.probes[pathname];
      if (probe === undefined) return void end(404, 'there are /livez, /readyz, /startupz and /metrics\n');
      const checks = await probe();
      const isWell = checks.every(({ problem }) => problem === null);
      end(isWell ? 200 : 503, searchParams.has('verbose') ? allLines(checks) : oneLine(checks));
    } catch (error) {
      end(500, `${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}

function oneLine(checks: readonly Check[]): string {
  const problems = checks.flatMap(({ name, problem }) => (problem === null ? [] : `${name}: ${problem}`));
  return `${problems.length === 0 ? 'ok' : problems.join('; ')}\n`;
}

function allLines(checks: readonly Check[]): string {
  return checks
    .map(({ name, problem }) => (problem === null ? `[+] ${name}: ok\n` : `[-] ${name}: ${problem}\n`))
    .join('');
}
