// Everything that can happen to records between `write` and the file, many times over.

import { appendFile, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Clock } from '../../../../src/base/clock.js';
import { LogSender } from '../../../../src/log/sender/sender.js';
import { LogWriter } from '../../../../src/log/writer/writer.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import {
  BadTransport,
  readLog,
  readRecords,
  restoreCheckpoint,
  savedCheckpoint,
} from '../../../support/log.js';
import { Random } from '../../../support/random.js';
import { turns, until } from '../../../support/until.js';

const rounds = Number(process.env.ROUNDS ?? 4);
const seeds = new Random();

async function torture(t: Test, random: Random): Promise<void> {
  const directory = testDirectory(t);
  const world = new World(directory, random);
  await world.startWriter();
  for (let step = 0; step < 150; step++) await world.step();
  world.calmDown();
  await until('all is acknowledged', async () => {
    await world.pass();
    return world.isDone;
  });
  await world.writer?.stop();

  const records = await readLog(world.path);
  for (const { sender, expected } of world.senders) {
    const found = records.filter((record) => record.text.startsWith(`${sender.epoch} `));
    t.strictSame(
      found.map((record) => record.number),
      expected.map((_text, index) => index + 1),
      `${sender.label}: each number once, in order`,
    );
    t.strictSame(
      found.map((record) => record.text),
      expected,
      `${sender.label}: each record as it was`,
    );
    await sender.close();
  }
  t.notOk(records.some((record) => record.sender === undefined && record.text.includes(' lost')));
}

class World {
  readonly path: string;
  readonly senders: Array<{ sender: LogSender; transport: BadTransport; expected: string[] }> = [];
  writer: LogWriter | undefined;
  readonly #spoolDirectory: string;
  readonly #random: Random;
  readonly #clock = new ManualClock();
  #life = { isOver: true };
  #rotations = 0;

  constructor(directory: string, random: Random) {
    this.path = join(directory, 'lino.log');
    this.#spoolDirectory = join(directory, 'spool');
    this.#random = random;
    // Containers share process numbers, so two senders have the same label.
    for (const pid of [1, 2, 2]) {
      const faults = {
        lose: random.pick([0, 0.05, 0.3]),
        double: random.pick([0, 0.1]),
        refuse: random.pick([0, 0.1]),
        delayMs: random.pick([0, 50, 1500]),
      };
      const transport = new BadTransport(this.#clock, random, faults);
      const sender = new LogSender({
        name: 'web',
        pid,
        transport,
        settings: {
          spoolDirectory: this.#spoolDirectory,
          limits: { segmentBytes: random.pick([2_000, 200_000]) },
        },
        clock: this.#clock,
      });
      this.senders.push({ sender, transport, expected: [] });
    }
  }

  get isDone(): boolean {
    return this.senders.every(({ sender: { progress } }) => progress.acknowledged === progress.accepted);
  }

  async startWriter(): Promise<void> {
    const life = { isOver: false };
    const clock: Clock = {
      now: this.#clock.now,
      after: (delayMs, call) => this.#clock.after(delayMs, () => life.isOver || call()),
    };
    const orderMs = this.#random.pick([0, 50]);
    const writer = new LogWriter({ path: this.path, clock, orderMs });
    await writer.start();
    this.#life = life;
    this.writer = writer;
    for (const { transport } of this.senders) {
      transport.receiver = (request, reply) => {
        if (!life.isOver) writer.accept(request, (answer) => life.isOver || reply(answer));
      };
    }
  }

  async step(): Promise<void> {
    const random = this.#random;
    for (const { sender, expected } of random.some(this.senders)) {
      for (let i = random.whole(1, 60); i > 0; i--) {
        const text = `${sender.epoch} ${this.#text()}`;
        sender.write('INFO', 'shop', text);
        expected.push(text);
      }
    }
    if (random.chance(0.04)) await this.#killWriter();
    if (random.chance(0.3) && this.#life.isOver) await this.startWriter();
    if (random.chance(0.02)) await this.#rotate();
    await this.pass();
  }

  /** Some time goes by. */
  async pass(): Promise<void> {
    this.#clock.advance(this.#random.whole(1, 120));
    await turns(this.#random.whole(1, 4));
    if (this.#random.chance(0.5)) await this.writer?.settled();
  }

  calmDown(): void {
    for (const { transport } of this.senders)
      transport.faults = { ...transport.faults, lose: 0.02, refuse: 0 };
    const isAway = this.#life.isOver;
    if (isAway) this.#clock.after(100, () => void this.startWriter());
  }

  /** It ends without a word, perhaps in the middle of a record. */
  async #killWriter(): Promise<void> {
    if (this.#life.isOver) return;
    // What it would still do is done before, since a dead process neither writes nor saves.
    await this.writer?.settled();
    this.#life.isOver = true;
    const checkpoint = savedCheckpoint(this.path);
    await this.writer?.stop();
    restoreCheckpoint(this.path, checkpoint);
    const { sender, transport } = this.#random.pick(this.senders);
    const next = transport.delivered.findLast(
      (message) => message.first === sender.progress.acknowledged + 1,
    );
    if (next === undefined || this.#random.chance(0.5)) return;
    // Of what it was about to write, the file holds a part. (It would have begun with a note if the sender were new there.)
    const there = readRecords(await readFile(this.path, 'utf8').catch(() => ''));
    const last = there.findLast((record) => record.sender === sender.label);
    const isItsTurn = last?.text.startsWith(`${sender.epoch} `);
    if (!isItsTurn || last?.number !== sender.progress.acknowledged) return;
    await appendFile(this.path, next.bytes.subarray(0, this.#random.whole(0, next.bytes.length)));
  }

  async #rotate(): Promise<void> {
    await this.writer?.settled();
    await rename(this.path, `${this.path}.${++this.#rotations}`).catch(() => undefined);
    if (this.#random.chance(0.5) && !this.#life.isOver) await this.writer?.reopen();
  }

  #text(): string {
    const random = this.#random;
    const lines = random.chance(0.2) ? random.whole(2, 6) : 1;
    return Array.from({ length: lines }, () =>
      `${random.whole(0, 1e9)} äöü ${'x'.repeat(random.whole(0, 80))}`.trim(),
    ).join('\n');
  }
}

for (let round = 0; round < rounds; round++) {
  const seed = process.env.SEED === undefined ? seeds.whole(0, 2 ** 31) : Number(process.env.SEED);
  t.test(
    `each record is in the log once and in order, whatever happens on its way (SEED=${seed})`,
    async (t) => {
      await torture(t, new Random(seed));
    },
  );
  if (process.env.SEED !== undefined) break;
}
