import t from 'tap';
import { systemClock } from '../../../../src/base/clock.js';
import {
  keptBytes,
  LineRecords,
  LineSplitter,
  levelWord,
  readRecords,
} from '../../../../src/log/socket/lines.js';
import { hasRoom, waitForRoom } from '../../../../src/log/socket/room.js';
import { Random } from '../../../support/random.js';
import { turns, until } from '../../../support/until.js';

/** The records of bytes that come in these chunks. */
function recordsOf(chunks: Iterable<Buffer>): string[] {
  const texts: string[] = [];
  const splitter = new LineSplitter();
  const records = new LineRecords(({ text }) => texts.push(text));
  for (const chunk of chunks) for (const line of splitter.push(chunk)) records.add(line);
  const last = splitter.end();
  if (last !== undefined) records.add(last);
  records.flush();
  return texts;
}

function* chunks(bytes: Buffer, random: Random): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const length = random.chance(0.5) ? random.whole(1, 4) : random.whole(1, 70_000);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

t.test(
  'a line is a record, and one that begins with white space goes on with the record before',
  async (t) => {
    const text = 'one\n\ttab\n  spaces\n\n  behind an empty line\n\n\ntwo\r\nthree';
    t.same(recordsOf([Buffer.from(text)]), [
      'one\n\ttab\n  spaces\n\n  behind an empty line\n\n',
      'two',
      'three',
    ]);
    t.same(recordsOf([Buffer.from('\n  \n  a record of its own\n')]), ['  a record of its own']);
    t.same(recordsOf([Buffer.from('')]), []);
  },
);

t.test('what is longer than a record is cut between characters, and says how long it was', async (t) => {
  for (const character of ['x', 'é', '€', '😀']) {
    const size = Buffer.byteLength(character);
    const [record = '', next] = recordsOf([Buffer.from(`${character.repeat(100_000)}\nnext\n`)]);
    const [kept = '', remark] = record.split(' … ');
    t.equal(kept.replaceAll(character, ''), '', 'only whole characters');
    t.ok(keptBytes - Buffer.byteLength(kept) <= size, 'and all for which there is room');
    t.equal(remark, `[cut: ${100_000 * size} bytes]`);
    t.equal(next, 'next');
  }
  const many = `first\n${'  more\n'.repeat(20_000)}`;
  const [record = '', ...others] = recordsOf([Buffer.from(many)]);
  t.same(others, []);
  t.match(record, new RegExp(` … \\[cut: ${many.length - 1} bytes\\]$`));
  t.ok(record.length < keptBytes + 100);
});

t.test(
  'however the bytes come, the records are the same, and a line without an end does not fill the memory',
  async (t) => {
    const random = new Random();
    t.comment(`seed ${random.seed}`);
    for (let i = 0; i < 30; i++) {
      const lines = Array.from({ length: random.whole(1, 40) }, () =>
        Buffer.from(Array.from({ length: random.whole(0, 200) }, () => random.whole(0, 255))),
      );
      if (random.chance(0.3)) lines.push(Buffer.alloc(random.whole(40_000, 200_000), 'long'));
      const bytes = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
      t.same(recordsOf(chunks(bytes, random)), recordsOf([bytes]));
    }
    const splitter = new LineSplitter();
    for (let i = 0; i < 1000; i++) t.equal([...splitter.push(Buffer.alloc(4096, 'a'))].length, 0);
    const end = splitter.end();
    t.match(end, { size: 4_096_000 });
    t.equal(end?.bytes.length, keptBytes);
  },
);

t.test('a level is recognised where a line begins with one', async (t) => {
  const levels: Record<string, string | undefined> = {
    'ERROR disk full': 'ERROR',
    'WARNING: disk': 'WARNING',
    'WARN disk': 'WARNING',
    '[DEBUG] x': 'DEBUG',
    '<CRITICAL> x': 'CRITICAL',
    'FATAL: x': 'CRITICAL',
    'INFO:root:x': 'INFO',
    'error: no such file': 'ERROR',
    'Warning: deprecated': 'WARNING',
    ERROR: 'ERROR',
    'Error in line 3': undefined,
    'ERRORS: 3': undefined,
    'INFORMATION x': undefined,
    'NOTICE: x': undefined,
    'an ERROR': undefined,
    '': undefined,
  };
  for (const [text, level] of Object.entries(levels)) t.equal(levelWord(text), level, text);
});

t.test(
  'a stream is read no further while there is no room, and its last record waits for no other',
  async (t) => {
    const diskLimitBytes = 2 ** 20;
    const sender = { spooled: { diskBytes: 0, diskLimitBytes, memoryBytes: 0 } };
    const full = { diskBytes: diskLimitBytes / 2, diskLimitBytes, memoryBytes: 0 };
    t.ok(hasRoom(sender));
    const texts: string[] = [];
    let read = 0;
    let release: () => void = () => undefined;
    async function* input(): AsyncGenerator<Buffer> {
      for (; read < 3; read++) yield Buffer.from(`line ${read}\n`);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    }
    const stop = new AbortController();
    let waits = 0;
    sender.spooled = full;
    const room = () => waitForRoom({ sender, clock: systemClock, onWait: () => waits++ }, stop.signal);
    const hold = setInterval(() => undefined, 1000);
    t.teardown(() => clearInterval(hold));
    const done = readRecords({ input: input(), onRecord: ({ text }) => texts.push(text), room });
    await until('it waits', () => waits === 1);
    await turns();
    t.equal(read, 0);
    sender.spooled = { diskBytes: 0, diskLimitBytes, memoryBytes: 2 ** 22 };
    await turns();
    t.equal(read, 0, 'memory counts, too');
    sender.spooled = { diskBytes: 0, diskLimitBytes, memoryBytes: 0 };
    await until('the last record is handed on', () => texts.includes('line 2'));
    release();
    await done;
    t.same(texts, ['line 0', 'line 1', 'line 2']);
  },
);
