// What a peer of the benchmark can be told to do, and what it reports. A peer is a program, ours in TypeScript
// (peer.ts) or Python's (peer.py); both take one task a line on stdin and answer with one line of JSON, so that every
// contestant is measured by the same loop.
//
// Times are milliseconds of the machine's monotonic clock (CLOCK_MONOTONIC), which is one for all processes: what one
// peer stamps another can compare.

/** Sends so many messages of about so many bytes, to the channels in turn, and counts what the layer accepted. */
export interface SendTask {
  readonly do: 'send';
  readonly channels: readonly string[];
  readonly count: number;
  /** How many calls are under way at once. 1: each is awaited before the next. */
  readonly inFlight: number;
  /** How many messages one call carries: above 1 it is `sendMany`. */
  readonly batch: number;
  readonly bytes: number;
}

/** Receives so many messages, on all channels at once; from each its share. Reports ready when it waits. */
export interface ReceiveTask {
  readonly do: 'receive';
  readonly channels: readonly string[];
  readonly count: number;
  /** How many messages one call takes at most: above 1 it is `receiveMany`. */
  readonly batch: number;
}

/** Sends on `ping` and waits on `pong`, again and again. */
export interface PingTask {
  readonly do: 'ping';
  readonly ping: string;
  readonly pong: string;
  readonly rounds: number;
  readonly bytes: number;
}

/** The other side of `ping`: waits on `ping` and sends on `pong`. Reports ready. */
export interface EchoTask extends Omit<PingTask, 'do'> {
  readonly do: 'echo';
}

/** Sends a message with the time in it every `everyMs`, so that none waits behind another. */
export interface PaceTask {
  readonly do: 'pace';
  readonly channel: string;
  readonly count: number;
  readonly everyMs: number;
  readonly bytes: number;
}

/** Receives what `pace` sends and takes the time that each was under way. Reports ready. */
export interface ClockTask {
  readonly do: 'clock';
  readonly channel: string;
  readonly count: number;
}

/** Makes so many channels of its own, adds them to the group and receives so many messages on each. Reports ready. */
export interface AttendTask {
  readonly do: 'attend';
  readonly group: string;
  readonly members: number;
  readonly count: number;
}

/** Sends so many messages to a group, each awaited before the next. */
export interface GroupSendTask {
  readonly do: 'groupSend';
  readonly group: string;
  readonly count: number;
  readonly bytes: number;
}

/** Makes a channel of its own and reports its name. */
export interface NewChannelTask {
  readonly do: 'newChannel';
}

/** Runs a worker of the peer's framework, with an application that does nothing, until the peer ends. Reports ready. */
export interface WorkTask {
  readonly do: 'work';
  readonly channels: readonly string[];
}

/** Reports the processor time that the peer has used so far. */
export interface UsageTask {
  readonly do: 'usage';
}

/** Those that report once, when they are done. */
export type PlainTask = SendTask | PingTask | PaceTask | GroupSendTask | NewChannelTask | UsageTask;
/** Those that first report that they wait. */
export type WaitingTask = ReceiveTask | EchoTask | ClockTask | AttendTask | WorkTask;
export type Task = PlainTask | WaitingTask;

/** What is reported of each. */
export interface Reports {
  send: Span;
  receive: Span;
  ping: Times;
  echo: Span;
  pace: Span;
  clock: Times;
  attend: Span;
  groupSend: Span;
  newChannel: { readonly channel: string };
  work: Record<string, never>;
  usage: { readonly cpuMs: number };
}

/** From when to when, and how many messages: accepted by the layer, or received. */
export interface Span {
  readonly from: number;
  readonly until: number;
  readonly count: number;
}

/** What each message took, in milliseconds. */
export interface Times {
  readonly times: readonly number[];
}

/** A line to a peer. */
export type Request = Task & { readonly id: number };

/** A line from a peer. */
export type Response = { readonly id: number } & (
  | { readonly ready: true }
  | { readonly report: Reports[keyof Reports] }
  | { readonly error: string }
);
