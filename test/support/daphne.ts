// Debian's daphne, and under it the Django half of examples/chat.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

export interface DaphneOptions {
  /** Where the application's module is, from this folder. */
  readonly directory: string;
  readonly application: string;
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts it on a free port of 127.0.0.1 until the test is over. @returns the port */
export async function startDaphne(t: Test, about: DaphneOptions): Promise<number> {
  const { directory, application, options = [], env = {} } = about;
  const args = ['-B', '-m', 'daphne', '-b', '127.0.0.1', '-p', '0', ...options, application];
  const child = spawn('/usr/bin/python3', args, {
    cwd: fileURLToPath(new URL(directory, import.meta.url)),
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const lines: string[] = [];
  return await new Promise<number>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      lines.push(line);
      const port = /Listening on TCP address 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`daphne ended:\n${lines.join('\n')}`)));
  });
}

/** The chat on the Redis of this URL. @returns host and port */
export async function startDjangoChat(t: Test, redisUrl: string): Promise<string> {
  const directory = '../../examples/chat/django/';
  const env = { LINOD_CHANNEL_LAYER: redisUrl };
  return `127.0.0.1:${await startDaphne(t, { directory, application: 'asgi:application', env })}`;
}
