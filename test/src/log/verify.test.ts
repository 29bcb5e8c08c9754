import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { verifyLog } from '../../../src/log/verify.js';
import { LogWriter } from '../../../src/log/writer.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { batchOf, MemoryPositionStore, range } from '../../support/log.js';

function lines(...numbers: number[]): string {
  return Buffer.from(batchOf({ numbers, message: 'a\nb' }).bytes).toString();
}

const begin = (last: number) =>
  `2026-11-24 20:00:01.123+02:00 INFO - linod.log: web[812] begins {"sender":"web[812]","epoch":"e1","last":${last}}\n`;

t.test('what the writer writes is sound, and what it told to be lost is told', async (t) => {
  const path = join(t.testdir(), 'lino.log');
  const writer = new LogWriter({ path, clock: new ManualClock(), positions: new MemoryPositionStore() });
  await writer.start();
  const accept = (batch: ReturnType<typeof batchOf>) => writer.accept(batch, () => {});
  accept(batchOf({ numbers: range(1, 9) }));
  accept(batchOf({ numbers: range(1, 4), epoch: 'e2' }));
  accept(batchOf({ numbers: [20], base: 20, acked: 9 }));
  await writer.stop();
  t.strictSame(await verifyLog([path]), {
    records: 14,
    senders: 2,
    lost: [{ sender: 'web[812]', epoch: 'e1', from: 10, to: 19 }],
    missing: [],
    repeated: [],
    torn: [],
  });
});

t.test('holes, repetitions and torn records are found', async (t) => {
  const directory = t.testdir();
  const [one, two] = [join(directory, 'one'), join(directory, 'two')];
  writeFileSync(one, begin(5) + lines(6, 7, 9) + lines(9, 10));
  const unfinished = lines(12).split('\n')[0];
  writeFileSync(two, `${begin(10)}${unfinished}\n${lines(13)}foreign text \n${unfinished}\n`);
  const whose = { sender: 'web[812]', epoch: 'e1' };
  t.strictSame(await verifyLog([one, two]), {
    records: 6,
    senders: 1,
    lost: [],
    missing: [
      { ...whose, from: 8, to: 8 },
      { ...whose, from: 11, to: 12 },
    ],
    repeated: [{ ...whose, from: 9, to: 9 }],
    torn: [
      { sender: 'web[812]', number: 12 },
      { sender: 'web[812]', number: 12 },
    ],
  });
});
