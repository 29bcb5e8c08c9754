// The Django half of examples/chat under daphne.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { eventually } from './programs.js';
import { freePort } from './redis.js';

const project = fileURLToPath(new URL('../../examples/chat/django/', import.meta.url));

/** Starts it on the Redis of this URL, and waits until it answers. Ended with the test. @returns host and port */
export async function startDjangoChat(t: Test, redisUrl: string): Promise<string> {
  const port = await freePort();
  const args = ['-B', '-m', 'daphne', '-v', '0', '-p', String(port), 'asgi:application'];
  const child = spawn('/usr/bin/python3', args, {
    cwd: project,
    env: { PATH: process.env.PATH, LINOD_CHANNEL_LAYER: redisUrl },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const host = `127.0.0.1:${port}`;
  await eventually('daphne answers', async () => {
    if (child.exitCode !== null) throw new Error(`daphne ended with ${child.exitCode}`);
    return await fetch(`http://${host}/chat/lobby/`).then(
      (response) => response.ok,
      () => false,
    );
  });
  return host;
}
