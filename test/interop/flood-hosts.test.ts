// Many messages each way between this package's layer and Python's, with two hosts: none is lost and none comes
// twice.

import t from 'tap';
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
const servers = [await RedisServer.start(t), await RedisServer.start(t)];

/** Python takes from the hosts in turn, so what it is sent must not leave one out that is full. */
const options = { capacity: roomForAll };

t.test('through a general channel', async (t) => {
  const { ours, python, ends, left } = floodSetting(t, servers, options);
  const [atPython, atOurs] = [new Harvest(), new Harvest()];
  const peer = await python(atPython);
  await peer.receive('python', 'to.python');
  const to = { harvest: atOurs, name: 'ours', signal: ends.signal };
  const receiving = receiveNumbers(ours(), 'to.ours', to);
  await Promise.all([
    sendNumbers(ours(), 'to.python', all),
    peer.send('to.ours', all),
    atPython.complete(total),
    atOurs.complete(total),
  ]);
  ends.abort();
  await Promise.all([receiving, peer.end()]);
  t.same(inOrder(atPython.of('python')), range, 'to Python');
  t.same(inOrder(atOurs.of('ours')), range, 'from Python');
  t.same(await left(), [], 'nothing is left');
});

t.test('to specific channels', async (t) => {
  const { ours, python, ends, left } = floodSetting(t, servers, options);
  const [atPython, atOurs] = [new Harvest(), new Harvest()];
  const peer = await python(atPython);
  const [layer, other] = [ours(), ours()];
  const channel = await layer.newChannel();
  const to = { harvest: atOurs, name: 'ours', signal: ends.signal };
  const receiving = receiveNumbers(layer, channel, to);
  await Promise.all([
    sendNumbers(other, await peer.newReceiver('python'), all),
    peer.send(channel, all),
    atPython.complete(total),
    atOurs.complete(total),
  ]);
  ends.abort();
  await Promise.all([receiving, peer.end()]);
  t.same(inOrder(atPython.of('python')), range, 'to Python');
  t.same(inOrder(atOurs.of('ours')), range, 'from Python');
  t.same(await left(), [], 'nothing is left');
});
