// nginx for one test, with the configuration that docs/guides/server.md prints.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { selfSigned } from './certificate.js';
import { eventually } from './programs.js';
import { freePort } from './redis.js';

const guide = new URL('../../docs/guides/server.md', import.meta.url);
/** `nobody` of Debian. Only root can start worker processes of another user. */
const nobody = { uid: 65_534, gid: 65_534 };
const isRoot = process.getuid?.() === 0;

export interface Nginx {
  readonly port: number;
  readonly tlsPort: number;
  /** The certificate, which a client has to trust. */
  readonly ca: string;
}

/** Makes the folder of the sockets as the guide says: with nginx's group, which the sockets get. */
export function socketFolder(parent: string): string {
  const folder = join(parent, 'run');
  chmodSync(parent, 0o711);
  mkdirSync(folder);
  if (isRoot) chownSync(folder, 0, nobody.gid);
  chmodSync(folder, 0o2750);
  return folder;
}

/** Starts nginx on free ports, with the guide's sockets in `folder`. Ended with the test. */
export async function startNginx(t: Test, folder: string): Promise<Nginx> {
  const { directory, cert: ca } = selfSigned(t);
  const [port, tlsPort] = [await freePort(), await freePort()];
  const site = replaced(configurationOfGuide(), {
    '/run/mysite': folder,
    'listen 80;': `listen 127.0.0.1:${port};`,
    'listen 443 ssl;': `listen 127.0.0.1:${tlsPort} ssl;`,
    '/etc/ssl/example.org.pem': join(directory, 'cert.pem'),
    '/etc/ssl/example.org.key': join(directory, 'key.pem'),
  });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join('\n');
  if (isRoot) chmodSync(directory, 0o711);
  writeFileSync(
    join(directory, 'nginx.conf'),
    `${isRoot ? 'user nobody nogroup;' : ''}
    daemon off;
    worker_processes 1;
    pid ${directory}/pid;
    error_log stderr error;
    events {}
    http { access_log off; ${temporary} ${site} }`,
  );
  const args = ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr'];
  const child = spawn('/usr/sbin/nginx', args, { stdio: ['ignore', 'inherit', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (data) => {
    errors += String(data);
  });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    // Unlike KILL, TERM ends its worker processes, too.
    child.kill('SIGTERM');
    await exited;
  });
  await eventually('nginx listens', async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}: ${errors}`);
    return await isListening(tlsPort);
  });
  return { port, tlsPort, ca };
}

function configurationOfGuide(): string {
  const [, text] = /^```nginx\n(.*?)^```$/ms.exec(readFileSync(guide, 'utf8')) ?? [];
  if (text === undefined) throw new Error('the guide has no configuration of nginx');
  return text;
}

function replaced(text: string, names: Readonly<Record<string, string>>): string {
  return Object.entries(names).reduce((result, [from, to]) => {
    if (!result.includes(from)) throw new Error(`the guide's configuration has no ${from}`);
    return result.replaceAll(from, to);
  }, text);
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return (await new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy())) as boolean;
}
