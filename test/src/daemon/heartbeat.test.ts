import t from 'tap';
import { beatMs } from '../../../channels/waiting/beat.js';
import { Heartbeat } from '../../../src/daemon/heartbeat.js';
import { Logger } from '../../../src/log/logger.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { turns, until } from '../../support/until.js';

type Step = () => Promise<void>;

function open(steps: readonly Step[]) {
  const clock = new ManualClock();
  const records: string[] = [];
  const sink = {
    write: (level: string, _name: string, message: string) => records.push(`${level} ${message}`),
  };
  const logger = new Logger({ sink, name: 'linod' });
  const heartbeat = new Heartbeat({ clock, logger, steps });
  return { clock, records, heartbeat };
}

t.test('it beats at once and then every few seconds', async (t) => {
  let beats = 0;
  const { clock, heartbeat } = open([async () => void beats++]);
  heartbeat.start();
  await until('the first beat is over', () => clock.pending === 1);
  t.equal(beats, 1);
  clock.advance(beatMs);
  await until('the second beat is over', () => clock.pending === 1 && beats === 2);
});

t.test('a step that fails keeps no other from being done, and is told once', async (t) => {
  let isAway = true;
  let others = 0;
  const { clock, records, heartbeat } = open([
    async () => {
      if (isAway) throw new Error('away');
    },
    async () => void others++,
  ]);
  heartbeat.start();
  for (let i = 0; i < 3; i++) {
    await until('a beat is over', () => clock.pending === 1);
    if (i === 2) isAway = false;
    clock.advance(beatMs);
  }
  await until('it works again', () => records.length === 2);
  t.same(records, ['ERROR the heartbeat failed; trying again', 'INFO the heartbeat works again']);
  t.equal(others, 4);
});

t.test('after a stop in the middle of a beat there is no other', async (t) => {
  let finish: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let beats = 0;
  const { clock, heartbeat } = open([
    async () => {
      beats++;
      await gate;
    },
  ]);
  heartbeat.start();
  const stopped = heartbeat.stop();
  finish();
  await stopped;
  await turns();
  t.equal(clock.pending, 0);
  clock.advance(10 * beatMs);
  t.equal(beats, 1);
});
