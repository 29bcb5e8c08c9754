import t from 'tap';
import type { TraceEvent, TraceEventName } from '../../../channels/index.js';
import { inOrder } from '../../../channels/xray/order.js';

/** What a process with this id remembers: the first at this time, the others a millisecond after each other. */
function remembered(
  id: string,
  at: number,
  names: readonly TraceEventName[],
  channel = 'mail',
): TraceEvent[] {
  const process = { id, name: 'program', pid: 1, host: 'one' };
  return names.map((event, i) => ({ at: at + i, event, channel, process }));
}

function told(events: readonly TraceEvent[]): string[] {
  return events.map(({ event, process }) => `${process.id} ${event}`);
}

t.test('what a sender whose clock is ahead has sent is sent before it is received', async (t) => {
  const sender = remembered('a', 1200, ['sent']);
  const receiver = remembered('b', 1000, ['received', 'started', 'handled']);
  const order = ['a sent', 'b received', 'b started', 'b handled'];
  t.same(told(inOrder([receiver, sender])), order);
  t.same(told(inOrder([sender, receiver])), order);
});

t.test('one who has it again, with a clock behind, has it after the first who had it', async (t) => {
  const sender = remembered('a', 1000, ['sent']);
  const first = remembered('b', 1100, ['received', 'started', 'failed']);
  const second = remembered('c', 500, ['redelivered', 'started']);
  t.same(told(inOrder([second, first, sender])).slice(0, 3), ['a sent', 'b received', 'c redelivered']);
});

t.test('a process that hears late that its own message was accepted has sent it first', async (t) => {
  t.same(told(inOrder([remembered('a', 1000, ['received', 'handled', 'sent'])])), [
    'a sent',
    'a received',
    'a handled',
  ]);
});

t.test('clocks that agree decide, over all channels of a group', async (t) => {
  const sender = [...remembered('a', 1, ['sent'], 'one'), ...remembered('a', 2, ['sent'], 'two')];
  const [one, two] = [remembered('b', 5, ['received'], 'one'), remembered('c', 3, ['received'], 'two')];
  t.same(told(inOrder([one, two, sender])), ['a sent', 'a sent', 'c received', 'b received']);
});

t.test('what contradicts itself is told all the same', async (t) => {
  const one = [...remembered('a', 1, ['received'], 'one'), ...remembered('a', 2, ['handled'], 'two')];
  const other = [...remembered('b', 1, ['handled'], 'one'), ...remembered('b', 2, ['received'], 'two')];
  t.equal(inOrder([one, other]).length, 4);
  t.same(inOrder([]), []);
});
