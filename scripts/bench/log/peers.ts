// What else brings the records of several processes into one file.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../shared/free-port.js';
import { python } from '../shared/machine.js';
import { Program, usageOf } from '../shared/program.js';
import { say } from '../shared/progress.js';
import type { Found } from '../shared/results.js';
import { type Contest, race, senders } from './contest.js';
import type { Context } from './context.js';
import { onNode, SenderProcess, type SenderProgram } from './sender-process.js';

const patienceMs = 10_000;

/** Lino's way: a SocketHandler in each of four Python processes, an asyncio server that unpickles. */
export async function linosWay({ directory, versions, quick }: Context): Promise<Found | undefined> {
  const version = told(python, ['--version']);
  if (version === undefined) return undefined;
  versions.add(version);
  const path = join(directory, 'lino.log');
  const port = String(await freePort());
  const args = [script('lino_server.py'), port, path];
  const server = await Program.start({
    name: "Lino's server",
    command: python,
    args,
    directory,
    ready: /^ready$/,
  });
  const program = { command: python, args: [script('lino_sender.py'), port], directory };
  const records = quick ? 1000 : 50_000;
  // SocketHandler gives a record up when its socket has been full for a second.
  const race = { path, records, mayLose: true, serverCpuMs: () => server.usage().cpuMs };
  const found = await contest(program, race, () => server.stop());
  if (found.lost !== undefined && found.lost > 0) say(`${found.lost} records were lost on Lino's way`);
  return found;
}

/** rsyslog's imptcp, which is its quickest way in, and four processes on Node that write 64 kB at once. */
export async function rsyslog({ directory, versions, quick }: Context): Promise<Found | undefined> {
  const version = /rsyslogd\s+(\S+)/.exec(told('rsyslogd', ['-v']) ?? '')?.[1];
  if (version === undefined) return undefined;
  versions.add(`rsyslog ${version}`);
  const path = join(directory, 'syslog.log');
  const port = await freePort();
  const config = join(directory, 'rsyslog.conf');
  await writeFile(config, rsyslogConfig(directory, path, port));
  const child = spawn('rsyslogd', ['-n', '-f', config, '-i', join(directory, 'rsyslog.pid')], {
    stdio: 'ignore',
  });
  const end = () => child.kill();
  process.once('exit', end);
  await listens(port, child);
  const program = onNode('syslog-sender.js', directory, String(port));
  const records = quick ? 5000 : 250_000;
  return await contest(program, { path, records, serverCpuMs: () => usageOf(child.pid).cpuMs }, async () => {
    child.kill();
    await once(child, 'exit');
    process.off('exit', end);
  });
}

/** No aggregation at all: four processes append to one file, which tells nobody whether anything is missing. */
export async function pino({ directory, pino, quick }: Context): Promise<Found | undefined> {
  if (pino === undefined) return undefined;
  const path = join(directory, 'pino.log');
  const program = onNode('pino-sender.js', directory, pino, path);
  return await contest(
    program,
    { path, records: quick ? 5000 : 250_000, serverCpuMs: () => 0 },
    async () => {},
  );
}

async function contest(
  program: SenderProgram,
  contested: Omit<Contest, 'processes'>,
  close: () => Promise<void>,
): Promise<Found> {
  const processes = await Promise.all(Array.from({ length: senders }, () => SenderProcess.start(program)));
  try {
    // The first records find everything cold.
    await race({ ...contested, processes, records: Math.ceil(contested.records / 20) });
    return await race({ ...contested, processes });
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
    await close();
  }
}

function rsyslogConfig(directory: string, path: string, port: number): string {
  return `
global(workDirectory="${directory}")
module(load="imptcp" threads="2")
template(name="line" type="string" string="%timereported:::date-rfc3339% %syslogseverity-text% %app-name%[%procid%] %msg%\\n")
input(type="imptcp" address="127.0.0.1" port="${port}")
action(type="omfile" file="${path}" template="line")
`;
}

async function listens(port: number, server: ChildProcess): Promise<void> {
  for (const deadline = performance.now() + patienceMs; performance.now() < deadline; await pause(20)) {
    if (server.exitCode !== null) throw new Error(`rsyslogd ended with ${server.exitCode}`);
    const socket = connect(port, '127.0.0.1');
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
  }
  throw new Error('rsyslogd does not listen');
}

/** What a program says; undefined when it is not installed. */
function told(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8' }).trim();
  } catch {
    say(`${command} is not installed here and is left out`);
    return undefined;
  }
}

/** Python files are not compiled: they lie where the sources do. */
function script(name: string): string {
  return fileURLToPath(new URL(`../../../../scripts/bench/log/${name}`, import.meta.url));
}
