// Peers that are not among our dependencies: installed for the time of a run.

import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ioredisVersion } from './machine.js';
import { say } from './progress.js';

const installWithinMs = 120_000;

/** Which versions the peers are compared in; BullMQ with the same ioredis that we have. */
const peers = {
  bullmq: ['bullmq@6', `ioredis@${ioredisVersion}`],
  croner: ['croner@11'],
  pino: ['pino@10'],
} as const;

/**
 * Installs a peer under a directory that has no other, `DIRECTORY/node_modules`.
 *
 * @returns its version; undefined without a network, which is said
 */
export async function fetchPeer(directory: string, name: keyof typeof peers): Promise<string | undefined> {
  say(`fetching ${name}`);
  const flags = ['--no-audit', '--no-fund', '--no-save', '--loglevel=error'];
  try {
    await mkdir(directory, { recursive: true });
    await promisify(execFile)('npm', ['install', '--prefix', directory, ...flags, ...peers[name]], {
      cwd: directory,
      timeout: installWithinMs,
    });
    const manifest = await readFile(join(directory, 'node_modules', name, 'package.json'), 'utf8');
    return (JSON.parse(manifest) as { version: string }).version;
  } catch (error) {
    say(
      `${name} could not be fetched and is left out: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}
