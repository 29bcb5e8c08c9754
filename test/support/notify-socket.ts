// A socket as systemd gives one to a service, and what arrives there. Node has no datagram sockets of Unix; Python has.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { eventually } from './programs.js';

const program = `import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print('bound', flush=True)
while True:
    # Without room for descriptors, the kernel closes those that come: the sender waits for that.
    for line in server.recv(4096).decode().splitlines():
        print(line, flush=True)
`;

export class NotifySocket {
  /** What a service finds in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** All lines so far, such as `READY=1`. */
  readonly lines: readonly string[];
  readonly #watchdogMs: number;
  #pingedAt = 0;

  /** @param watchdogMs within which the service has to send a ping */
  static async open(t: Test, watchdogMs: number): Promise<NotifySocket> {
    const directory = mkdtempSync(join(tmpdir(), 'notify-'));
    const path = join(directory, 'socket');
    const child = spawn('python3', ['-c', program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines: string[] = [];
    const environment = { NOTIFY_SOCKET: path, WATCHDOG_USEC: String(watchdogMs * 1000) };
    const notified = new NotifySocket(environment, lines, watchdogMs);
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      if (line === 'WATCHDOG=1') notified.#pingedAt = performance.now();
    });
    t.teardown(() => {
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true });
    });
    await eventually('the socket is bound', () => lines[0] === 'bound');
    return notified;
  }

  private constructor(
    environment: Readonly<Record<string, string>>,
    lines: readonly string[],
    watchdogMs: number,
  ) {
    this.environment = environment;
    this.lines = lines;
    this.#watchdogMs = watchdogMs;
  }

  get pings(): number {
    return this.lines.filter((line) => line === 'WATCHDOG=1').length;
  }

  async has(line: string | RegExp): Promise<void> {
    const isIt = (found: string) => (typeof line === 'string' ? found === line : line.test(found));
    await eventually(`systemd is told ${line}`, () => this.lines.some(isIt));
  }

  /** Waits until systemd would end the service, since no ping has come in time. */
  async expired(): Promise<void> {
    await eventually('the watchdog expires', () => performance.now() - this.#pingedAt > this.#watchdogMs);
  }

  /** Waits for further pings. */
  async pinged(count: number): Promise<void> {
    const wanted = this.pings + count;
    await eventually(`${count} more pings`, () => this.pings >= wanted);
  }
}
