// Many messages to receivers of both languages: a group with members of both, a channel that both share.

import t, { type Test } from 'tap';
import {
  evens,
  groupSendNumbers,
  Harvest,
  inOrder,
  odds,
  range,
  receiveNumbers,
  roomForAll,
  sendNumbers,
  total,
} from '../support/harvest.js';
import { eventually } from '../support/programs.js';
import { floodSetting } from '../support/python-flood.js';
import { RedisServer } from '../support/redis.js';

// Python's pace decides, and on a busy machine that takes longer than a file of tests may take otherwise.
t.setTimeout(400_000);
const servers = [await RedisServer.start(t)];

t.test('through a group that has members of both languages, told by both', async (t) => {
  const { ours, python, ends, left } = floodSetting(t, servers, { capacity: roomForAll });
  const harvest = new Harvest();
  const [sender, members] = [await python(new Harvest()), await python(harvest)];
  const [layer, other] = [ours(), ours()];
  const receiving = [];
  for (const name of ['our first', 'our second']) {
    const channel = await layer.newChannel();
    await other.groupAdd('room', channel);
    receiving.push(receiveNumbers(layer, channel, { harvest, name, signal: ends.signal }));
  }
  for (const name of ["Python's first", "Python's second"]) await members.newReceiver(name, 'room');
  await Promise.all([groupSendNumbers(other, 'room', evens), sender.groupSend('room', odds)]);
  const names = ['our first', 'our second', "Python's first", "Python's second"];
  await harvest.complete(total, names);
  ends.abort();
  await Promise.all([...receiving, members.end()]);
  for (const name of names) t.same(inOrder(harvest.of(name)), range, name);
  t.same(await left(), [], 'nothing is left');
});

/** Receivers of both languages on one channel, to which both send. */
async function sharing(t: Test, pythonProcesses: number): Promise<Harvest> {
  const { ours, python, ends, left } = floodSetting(t, servers);
  const harvest = new Harvest();
  const sender = await python(new Harvest());
  const processes = await Promise.all(Array.from({ length: pythonProcesses }, () => python(harvest)));
  for (const [i, name] of ["Python's first", "Python's second"].entries())
    await processes[i % pythonProcesses]?.receive(name, 'shared');
  const receiving = ['our first', 'our second'].map((name) =>
    receiveNumbers(ours(), 'shared', { harvest, name, signal: ends.signal }),
  );
  await Promise.all([
    sendNumbers(ours(), 'shared', evens),
    sender.send('shared', odds),
    harvest.complete(total),
  ]);
  // What Python puts back when two of its processes meet comes before this is empty.
  await eventually('nothing is left', async () => (await left()).length === 0);
  ends.abort();
  await Promise.all([...receiving, ...processes.map((process) => process.end())]);
  for (const name of ['our first', 'our second', "Python's first", "Python's second"])
    t.ok(harvest.of(name).length > 0, `${name} got ${harvest.of(name).length}`);
  t.equal(harvest.size, total, 'nothing is lost');
  return harvest;
}

t.test('shared by two receivers of ours and two of one Python process: each exactly once', async (t) => {
  const harvest = await sharing(t, 1);
  t.same([...harvest.doubles()], []);
});

t.test(
  'shared by two layers of ours and two Python processes: what comes twice was in the hands of Python (W1)',
  async (t) => {
    const doubles = [...(await sharing(t, 2)).doubles()];
    t.comment(`${doubles.length} of ${total} came twice`);
    const notPythons = doubles.filter(([, names]) => !names.some((name) => name.startsWith('Python')));
    t.same(notPythons, []);
  },
);
