// Sockets that connect, flood, stall and vanish against server processes of one site, some of which are killed; and what
// each socket that stayed should have got.

import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'tap';
import WebSocket from 'ws';
import type { LiveLayer } from './live-site.js';
import { descriptorsOf, loadSite, memoryOf, startServing } from './load-site.js';
import type { Random } from './random.js';
import { freePort } from './redis.js';
import { until } from './until.js';

export interface ServerChaosOptions {
  readonly random: Random;
  readonly seconds: number;
  readonly sockets: number;
  /** Server processes; all but the first are killed now and then. */
  readonly servers: number;
  readonly layer: LiveLayer;
}

/** What happened; and what is wrong with sockets that stayed: lists that should be empty. */
export interface ServerChaosResult {
  readonly done: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
  /** Of the server that was never killed. */
  readonly memory: { readonly warm: number; readonly end: number };
  readonly descriptors: { readonly before: number; readonly after: number };
}

/** A message to a group. Instants are counted, since all of them happen in this process. */
interface Said {
  readonly group: string;
  readonly startedAt: number;
  /** Undefined when its server died before it answered: then it may have been sent or not. */
  acknowledgedAt: number | undefined;
  wasSeen: boolean;
}

interface Listener {
  readonly wire: WebSocket;
  readonly group: string;
  /** When it was a member for certain. */
  joinedAt: number;
  readonly got: Set<number>;
  twice: number;
  announced: number;
  hasEnd: boolean;
  /** Stalled until so many bytes were sent to its group. */
  resumesAt: number | undefined;
}

const groups = 5;
/** A stall is over after at most so many bytes of its group: more than the buffers between two processes hold. */
const longestStall = 3_000_000;

export class ServerChaos {
  readonly #options: ServerChaosOptions;
  readonly #said: Said[] = [];
  readonly #bytes = new Map<string, number>();
  readonly #listeners = new Set<Listener>();
  readonly #done: Record<string, number> = {};
  /** The number of the first message that is the last one of its group. */
  #firstEnd = Number.POSITIVE_INFINITY;
  #instant = 0;
  #isOver = false;
  #ports: number[] = [];

  constructor(options: ServerChaosOptions) {
    this.#options = options;
  }

  async run(t: Test): Promise<ServerChaosResult> {
    const { random, seconds, sockets, servers, layer } = this.#options;
    const site = loadSite(t, { layer, limits: { maxMessagesPerSecond: 1e6 } });
    while (this.#ports.length < servers) this.#ports.push(await freePort());
    const started = await Promise.all(this.#ports.map((port) => startServing(site, port)));
    const programs = started.map(({ program }) => program);
    const [first] = programs;
    if (first === undefined) throw new Error('unreachable: there are several');
    const before = descriptorsOf(first);
    const speakers = Math.ceil(sockets / 10);
    const work = [
      ...Array.from({ length: speakers }, (_, i) => this.#speak(groupOf(i))),
      ...Array.from({ length: sockets - speakers }, (_, i) => this.#listen(groupOf(i), i % 4 === 0)),
    ];
    const endAt = performance.now() + seconds * 1000;
    const warmed = pause(seconds * 400).then(() => memoryOf(first));
    while (performance.now() < endAt) {
      await pause(random.whole(100, 1200));
      const i = random.whole(1, servers - 1);
      programs[i]?.kill('SIGKILL');
      await programs[i]?.ended();
      await pause(random.whole(0, 300));
      programs[i] = (await startServing(site, this.#ports[i])).program;
      this.#count('killed servers');
    }
    const warm = await warmed;
    const end = memoryOf(first);
    this.#isOver = true;
    await Promise.all(work);
    await this.#settle();
    const wrong = [...this.#listeners].flatMap((listener) => this.#examine(listener));
    this.#count('stayed', this.#listeners.size);
    for (const { wire } of this.#listeners) wire.terminate();
    await until('the descriptors are closed', () => descriptorsOf(first) <= before + 10).catch(
      () => undefined,
    );
    const after = descriptorsOf(first);
    return { done: this.#done, wrong, memory: { warm, end }, descriptors: { before, after } };
  }

  /** Floods a group; each message waits for the answer to the one before. */
  async #speak(group: string): Promise<void> {
    const { random } = this.#options;
    while (!this.#isOver) {
      const wire = await this.#connect(`/say/${group}`);
      if (wire === undefined) continue;
      for (let n = random.whole(1, 200); n > 0 && !this.#isOver && wire.readyState === WebSocket.OPEN; n--) {
        await this.#say(wire, group, 'x'.repeat(random.whole(0, random.chance(0.2) ? 60_000 : 4000)));
        if (random.chance(0.3)) await pause(random.whole(0, 20));
      }
      wire.terminate();
    }
  }

  async #say(wire: WebSocket, group: string, padding: string): Promise<void> {
    const id = this.#said.length;
    const said: Said = { group, startedAt: this.#instant++, acknowledgedAt: undefined, wasSeen: false };
    this.#said.push(said);
    const text = JSON.stringify({ id, padding });
    const answered = new Promise<void>((resolve) => {
      wire.once('close', resolve);
      wire.once('message', () => {
        said.acknowledgedAt = this.#instant++;
        wire.off('close', resolve);
        resolve();
      });
    });
    wire.send(text);
    await answered;
    this.#count('sent');
    const bytes = (this.#bytes.get(group) ?? 0) + text.length;
    this.#bytes.set(group, bytes);
    for (const listener of this.#listeners)
      if (listener.group === group && bytes > (listener.resumesAt ?? bytes)) resume(listener);
  }

  /** Listens, stalls now and then, and vanishes to come again, unless it is patient. */
  async #listen(group: string, isPatient: boolean): Promise<void> {
    const { random } = this.#options;
    while (!this.#isOver) {
      const listener = await this.#join(group);
      if (listener === undefined) continue;
      const { wire } = listener;
      while (!this.#isOver && wire.readyState === WebSocket.OPEN) {
        await pause(random.whole(20, 800));
        if (wire.readyState !== WebSocket.OPEN || this.#isOver) break;
        if (!isPatient && random.chance(0.1)) {
          // Some leave in good order, some without a word.
          if (random.chance(0.3)) wire.close(1000);
          else wire.terminate();
          this.#listeners.delete(listener);
          this.#count('vanished');
          break;
        }
        if (listener.resumesAt === undefined && random.chance(0.2)) {
          listener.resumesAt = (this.#bytes.get(group) ?? 0) + random.whole(0, longestStall);
          wire.pause();
          this.#count('stalled');
        }
      }
    }
  }

  async #join(group: string): Promise<Listener | undefined> {
    const wire = await this.#connect(`/${group}/dropOldest`, (wire) => {
      const listener: Listener = {
        ...{ wire, group, joinedAt: Number.POSITIVE_INFINITY, got: new Set(), twice: 0, announced: 0 },
        ...{ hasEnd: false, resumesAt: undefined },
      };
      wire.on('message', (data) => this.#onMessage(listener, JSON.parse(String(data))));
      wire.on('close', () => this.#listeners.delete(listener));
      this.#listeners.add(listener);
    });
    const listener = [...this.#listeners].find((each) => each.wire === wire);
    if (listener !== undefined) listener.joinedAt = this.#instant++;
    return listener;
  }

  #onMessage(listener: Listener, message: { id?: number; dropped?: number }): void {
    const { id, dropped } = message;
    if (dropped !== undefined) {
      listener.announced += dropped;
      this.#count('announced', dropped);
    }
    if (id === undefined) return;
    if (listener.got.has(id)) listener.twice++;
    listener.got.add(id);
    this.#count('delivered');
    const said = this.#said[id];
    if (said !== undefined) said.wasSeen = true;
    if (id >= this.#firstEnd) listener.hasEnd = true;
  }

  /** Everybody reads. A last message to each group comes behind all others. */
  async #settle(): Promise<void> {
    for (const listener of this.#listeners) resume(listener);
    this.#firstEnd = this.#said.length;
    for (let i = 0; i < groups; i++) {
      let wire: WebSocket | undefined;
      while (wire === undefined) wire = await this.#connect(`/say/${groupOf(i)}`);
      await this.#say(wire, groupOf(i), '');
      wire.terminate();
    }
    await until('all got their last message', () => [...this.#listeners].every(({ hasEnd }) => hasEnd));
  }

  /** What was sent to its group while it was a member = what it got + what it was told to be dropped. */
  #examine({ group, joinedAt, got, twice, announced }: Listener): string[] {
    let missing = 0;
    let perhaps = 0;
    for (const [id, { group: of, startedAt, acknowledgedAt, wasSeen }] of this.#said.entries()) {
      if (of !== group || got.has(id) || (acknowledgedAt ?? joinedAt) < joinedAt) continue;
      const wasSent = acknowledgedAt !== undefined || wasSeen;
      if (wasSent && startedAt > joinedAt) missing++;
      // It was on its way while this socket joined, or while its server died.
      else perhaps++;
    }
    const isRight = missing <= announced && announced <= missing + perhaps && twice === 0;
    const found = `${group}: got ${got.size}, missing ${missing} (perhaps ${perhaps} more), announced ${announced}`;
    return isRight ? [] : [`${found}, twice ${twice}`];
  }

  /** Opens a socket on any server; undefined when that one is down. */
  async #connect(
    path: string,
    prepare: (wire: WebSocket) => void = () => undefined,
  ): Promise<WebSocket | undefined> {
    const port = this.#options.random.pick(this.#ports);
    const wire = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false });
    prepare(wire);
    const isOpen = await new Promise<boolean>((resolve) => {
      wire.on('error', () => resolve(false));
      wire.once('close', () => resolve(false));
      wire.once('open', () => resolve(true));
    });
    if (isOpen) {
      this.#count('connected');
      return wire;
    }
    await pause(20);
    return undefined;
  }

  #count(what: string, by = 1): void {
    this.#done[what] = (this.#done[what] ?? 0) + by;
  }
}

function groupOf(i: number): string {
  return `group${i % groups}`;
}

function resume(listener: Listener): void {
  listener.resumesAt = undefined;
  listener.wire.resume();
}
