// The loops of a peer on Node: what is timed. peer.py has the same ones.

import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, monotonicMs } from './messages.js';
import type {
  AttendTask,
  ClockTask,
  EchoTask,
  GroupSendTask,
  PaceTask,
  PingTask,
  ReceiveTask,
  SendTask,
  Span,
  Times,
} from './tasks.js';
import type { Transport } from './transport.js';

export async function send(transport: Transport, task: SendTask): Promise<Span> {
  const { channels, batch, inFlight } = task;
  const message = messageOf(task.bytes);
  const messages = Array.from({ length: batch }, () => message);
  const calls = task.count / batch;
  let begun = 0;
  let count = 0;
  const lane = async () => {
    while (begun < calls) {
      const channel = channels[begun++ % channels.length] ?? '';
      if (batch === 1) {
        await transport.send(channel, message);
        count++;
      } else {
        const outcomes = await transport.sendMany(channel, messages);
        count += outcomes.filter(({ accepted }) => accepted).length;
      }
    }
  };
  const from = monotonicMs();
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { from, until: monotonicMs(), count };
}

export async function receive(transport: Transport, task: ReceiveTask, ready: () => void): Promise<Span> {
  const { channels, batch } = task;
  const share = task.count / channels.length;
  const takeShare = async (channel: string) => {
    let taken = 0;
    while (taken < share) {
      if (batch > 1) taken += (await transport.receiveMany(channel, { max: batch })).length;
      else {
        await transport.receive(channel);
        taken++;
      }
    }
    return taken;
  };
  const from = monotonicMs();
  const taking = Promise.all(channels.map(takeShare));
  ready();
  const counts = await taking;
  return { from, until: monotonicMs(), count: counts.reduce((sum, each) => sum + each, 0) };
}

export async function ping(transport: Transport, task: PingTask): Promise<Times> {
  const message = messageOf(task.bytes);
  const times: number[] = [];
  for (let round = 0; round < task.rounds; round++) {
    const from = monotonicMs();
    await transport.send(task.ping, message);
    await transport.receive(task.pong);
    times.push(monotonicMs() - from);
  }
  return { times };
}

export async function echo(transport: Transport, task: EchoTask, ready: () => void): Promise<Span> {
  const message = messageOf(task.bytes);
  const from = monotonicMs();
  for (let round = 0; round < task.rounds; round++) {
    const received = transport.receive(task.ping);
    if (round === 0) ready();
    await received;
    await transport.send(task.pong, message);
  }
  return { from, until: monotonicMs(), count: task.rounds };
}

export async function pace(transport: Transport, task: PaceTask): Promise<Span> {
  const message = messageOf(task.bytes);
  const from = monotonicMs();
  for (let n = 0; n < task.count; n++) {
    await transport.send(task.channel, { ...message, at: monotonicMs() });
    await pause(task.everyMs);
  }
  return { from, until: monotonicMs(), count: task.count };
}

export async function clock(transport: Transport, task: ClockTask, ready: () => void): Promise<Times> {
  const times: number[] = [];
  while (times.length < task.count) {
    const received = transport.receive(task.channel);
    if (times.length === 0) ready();
    const { at } = (await received) as { readonly at: number };
    times.push(monotonicMs() - at);
  }
  return { times };
}

export async function attend(transport: Transport, task: AttendTask, ready: () => void): Promise<Span> {
  const channels: string[] = [];
  for (let n = 0; n < task.members; n++) {
    const channel = await transport.newChannel();
    await transport.groupAdd(task.group, channel);
    channels.push(channel);
  }
  const count = task.members * task.count;
  return receive(transport, { do: 'receive', channels, count, batch: 1 }, ready);
}

export async function groupSend(transport: Transport, task: GroupSendTask): Promise<Span> {
  const message = messageOf(task.bytes);
  const from = monotonicMs();
  for (let n = 0; n < task.count; n++) await transport.groupSend(task.group, message);
  return { from, until: monotonicMs(), count: task.count };
}
