import t from 'tap';
import { Flow } from '../../channels/layers/sqlite/flow.js';
import { turns, until } from '../support/until.js';

/** More than could come in the time that a test takes. */
const plenty = 1e9;

t.test('while messages pour in they are looked for without a wake-up, until that ebbs', async (t) => {
  let looks = 0;
  let ebbs = 0;
  const flow = new Flow(
    () => {
      t.ok(flow.isOn);
      if (++looks < 4) flow.noteTaken(10);
    },
    () => {
      t.notOk(flow.isOn);
      ebbs++;
    },
  );
  await pour(flow, 0);
  t.ok(flow.isOn);
  await until('it has ebbed', () => ebbs === 1);
  t.equal(looks, 4);
  t.notOk(flow.isOn);
});

t.test('a few messages are no flow', async (t) => {
  const flow = new Flow(
    () => t.fail('looked'),
    () => t.fail('ebbed'),
  );
  for (let n = 0; n < 100; n++) {
    flow.noteTaken(0);
    flow.noteWoken(0);
    await turns(1);
  }
  t.notOk(flow.isOn);
});

t.test('who answers messages is woken for each, however many there are', async (t) => {
  const flow = new Flow(
    () => t.fail('looked'),
    () => t.fail('ebbed'),
  );
  let answers = 0;
  flow.noteWoken(answers);
  for (let n = 0; n < 100; n++) {
    flow.noteTaken(plenty);
    await untilNextMs();
    flow.noteWoken(++answers);
  }
  t.notOk(flow.isOn);
});

t.test('one that is stopped looks no more', async (t) => {
  const flow = new Flow(
    () => t.fail('looked'),
    () => t.fail('ebbed'),
  );
  await pour(flow, 3);
  t.ok(flow.isOn);
  flow.stop();
  flow.stop();
  t.notOk(flow.isOn);
  await untilNextMs();
  await untilNextMs();
});

/** Takes so much between two wake-ups that it is a flow. */
async function pour(flow: Flow, ownWrites: number): Promise<void> {
  flow.noteWoken(ownWrites);
  flow.noteTaken(plenty);
  await untilNextMs();
  flow.noteWoken(ownWrites);
}

async function untilNextMs(): Promise<void> {
  const from = performance.now();
  await until('some time has passed', () => performance.now() - from > 1.5);
}
