// Many messages each way between this package's layer and Python's, through a general channel: none is lost and
// none comes twice.

import t, { type Test } from 'tap';
import type { RedisLayerOptions } from '../../channels/layers/redis/layer.js';
import {
  all,
  Harvest,
  inOrder,
  range,
  receiveNumbers,
  roomForAll,
  sendNumbers,
  total,
} from '../support/harvest.js';
import { floodSetting } from '../support/python-flood.js';
import { RedisServer } from '../support/redis.js';

// Python's pace decides, and on a busy machine that takes longer than a file of tests may take otherwise.
t.setTimeout(400_000);
const servers = [await RedisServer.start(t)];

/** All of them both ways at the same time, through a general channel, one receiver each. */
async function bothWays(t: Test, options: RedisLayerOptions = {}, pythonOptions: readonly string[] = []) {
  const { ours, python, ends, left } = floodSetting(t, servers, options, pythonOptions);
  const [atPython, atOurs] = [new Harvest(), new Harvest()];
  const peer = await python(atPython);
  await peer.receive('python', 'to.python');
  const to = { harvest: atOurs, name: 'ours', signal: ends.signal };
  const receiving = receiveNumbers(ours(), 'to.ours', to);
  const [refusals] = await Promise.all([
    sendNumbers(ours(), 'to.python', all),
    peer.send('to.ours', all),
    atPython.complete(total),
    atOurs.complete(total),
  ]);
  ends.abort();
  await Promise.all([receiving, peer.end()]);
  t.same(atPython.of('python'), range, 'to Python, in the order of sending');
  t.same(inOrder(atOurs.of('ours')), range, 'from Python');
  t.same(await left(), [], 'nothing is left');
  return refusals;
}

t.test('through a channel with room for a hundred, whose senders wait for room', async (t) => {
  const refusals = await bothWays(t);
  t.ok(refusals > 0, `the channel was full ${refusals} times`);
});

// Here there is room for all, since to write again what was refused takes our side more time than all else.

t.test('encrypted, as JSON', (t) => {
  const options = {
    capacity: roomForAll,
    symmetricEncryptionKeys: ['s3crét', 'old'],
    serializer: 'json',
  } as const;
  return bothWays(t, options, ['--key', 's3crét', '--key', 'old', '--serializer', 'json']);
});
