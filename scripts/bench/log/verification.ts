// How fast `linod log verify` reads a file, as a command.

import { spawn } from 'node:child_process';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { textFormat } from '../../../src/log/formats/text.js';
import { noSender } from '../../../src/log/names.js';
import { Timestamps } from '../../../src/log/timestamp.js';
import { cleanEnvironment, usageOf } from '../shared/program.js';
import { say } from '../shared/progress.js';
import type { Found } from '../shared/results.js';
import type { Context } from './context.js';
import { makeSite } from './linod.js';
import { messageOf } from './message.js';

const linod = fileURLToPath(new URL('../../../../dist/scripts/linod.js', import.meta.url));
const senders = 4;
/** What one sender wrote in a row. */
const batch = 500;

/** `rate` in MB/s, the start of the command included; `peak` is its memory in MiB. */
export async function verification({ directory, quick }: Context): Promise<Found | undefined> {
  const site = await makeSite(directory);
  const bytes = await writeLog(site.logFile, quick ? 20e6 : 1e9);
  const start = performance.now();
  const child = spawn(process.execPath, [linod, 'log', 'verify', site.logFile], {
    cwd: directory,
    env: cleanEnvironment(),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, peakOf(child.pid));
  }, 50);
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  clearInterval(timer);
  if (code !== 0) {
    say(`linod log verify ended with ${code} and is left out`);
    return undefined;
  }
  return { rate: bytes / 1e3 / (performance.now() - start), peak: peak / 1024 ** 2 };
}

function peakOf(pid: number | undefined): number {
  try {
    return usageOf(pid).peakRssBytes;
  } catch {
    return 0; // it has just ended
  }
}

/** A log as four senders fill it. @returns its size */
async function writeLog(path: string, sizeBytes: number): Promise<number> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'w');
  const time = new Timestamps('UTC').format(Date.now());
  const note = (message: string, fields: Record<string, unknown>) =>
    textFormat.record(textFormat.head(time, 'INFO', noSender, 0, 'linod.log'), { message, fields });
  let size = 0;
  try {
    let text = note('the log begins', { file: 'bench' });
    for (let n = 1; n <= senders; n++) {
      const sender = `web[${n}]`;
      text += note(`${sender} begins`, { sender, epoch: `e${n}`, last: 0 });
    }
    for (let first = 1; size < sizeBytes; first += batch) {
      for (let n = 1; n <= senders; n++) {
        for (let number = first; number < first + batch; number++) {
          const head = textFormat.head(time, 'INFO', `web[${n}]`, number, 'shop.orders');
          text += textFormat.record(head, { message: messageOf(number) });
        }
      }
      size += (await file.write(text)).bytesWritten;
      text = '';
    }
    return size;
  } finally {
    await file.close();
  }
}
