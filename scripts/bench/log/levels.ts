// How soon a level that a person sets holds in processes that run.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cleanEnvironment } from '../shared/program.js';
import { middleAndMost } from '../shared/quantiles.js';
import type { Found } from '../shared/results.js';
import type { Context } from './context.js';
import { makeSite, startWorker } from './linod.js';
import { onNode, SenderProcess } from './sender-process.js';

const linod = fileURLToPath(new URL('../../../../dist/scripts/linod.js', import.meta.url));
const processes = 4;
const changes = 10;
const quickChanges = 2;

/** From the start of the command to the moment at which each of four processes goes by the level: `p50` and `max` in ms. */
export async function levels({ directory, quick }: Context): Promise<Found> {
  const site = await makeSite(directory);
  const worker = await startWorker(site);
  const senders = await Promise.all(
    Array.from({ length: processes }, () =>
      SenderProcess.start(onNode('level-watcher.js', directory, directory)),
    ),
  );
  const times: number[] = [];
  try {
    for (let i = 1; i <= (quick ? quickChanges : changes); i++) {
      const word = i % 2 === 1 ? 'web.orders=DEBUG' : 'web.orders=INFO';
      const start = performance.now();
      const changed = promisify(execFile)(process.execPath, [linod, 'log', 'level', word, '--for', '1h'], {
        cwd: directory,
        env: cleanEnvironment(),
      });
      const heard = senders.map(async (sender) => {
        await sender.says(`change ${i}`);
        times.push(performance.now() - start);
      });
      await Promise.all([changed, ...heard]);
    }
    return middleAndMost(times);
  } finally {
    await Promise.all(senders.map((sender) => sender.kill()));
    await worker.stop();
  }
}
