import t from 'tap';
import { lineFormat } from '../../../src/log/formats/formats.js';
import { formatNames } from '../../../src/log/formats/line-format.js';
import { cutPieces, type Piece } from '../../../src/log/pieces.js';
import { RecordTimes } from '../../../src/log/record-times.js';
import { Timestamps } from '../../../src/log/timestamp.js';
import { Random } from '../../support/random.js';

const sender = 'web[812]';
const begin = Date.UTC(2026, 10, 25, 20, 59, 58);
const levels = ['DEBUG', 'INFO', 'WARNING'] as const;

/** Records of some moments, in each of which are few or hundreds of records, and what pieces they are to become. */
function randomRecords(random: Random, first: number) {
  const format = lineFormat(random.pick(formatNames));
  const timestamps = new Timestamps('UTC', format.time);
  const exactMs = format.name === 'lino' ? 1000 : 1;
  const length = random.pick([0, 10, 300]);
  const expected: Array<{ time: number; to: number }> = [];
  let [text, number, at] = ['', first, begin];
  for (let moments = random.whole(1, 30); moments > 0; moments--) {
    at += random.pick([1, 1, 2, 7_001, 10_000, 60_000, 36_000_000]);
    const time = Math.floor(at / exactMs) * exactMs;
    for (let count = random.pick([1, 2, 15, 16, 17, 18, 60, 500]); count > 0; count--, number++) {
      const head = format.head(timestamps.format(at), random.pick(levels), sender, number, 'shop.orders');
      const message = `order ${'.'.repeat(random.whole(0, length))}${random.chance(0.1) ? '\nsecond line' : ''}`;
      text += format.record(head, { message });
    }
    const last = expected.at(-1);
    if (last?.time === time) last.to = number - 1;
    else expected.push({ time, to: number - 1 });
  }
  return { bytes: Buffer.from(text), last: number - 1, expected };
}

function cut(bytes: Buffer, from: number, to: number): Piece[] {
  const times = new RecordTimes('UTC');
  return cutPieces(bytes, sender, from, to, { kind: 'records', times, arrivedAt: begin + 40 * 86_400_000 });
}

t.test('a piece is all records in a row with one time, be they one or hundreds', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  for (let round = 0; round < 60; round++) {
    const first = random.pick([1, 95, 9_990]);
    const { bytes, last, expected } = randomRecords(random, first);
    // Of a file that goes on, the last record may be cut off, and records behind the last one may be another message's.
    const length = random.chance(0.3) ? random.whole(0, bytes.length) : bytes.length;
    const to = random.chance(0.3) ? random.whole(first, last) : last;
    const pieces = cut(bytes.subarray(0, length), first, to);
    const end = pieces.at(-1);
    const problems = pieces.flatMap((piece, n) => {
      const isFirst =
        piece.from === (pieces[n - 1]?.to ?? first - 1) + 1 && piece.start === (pieces[n - 1]?.end ?? 0);
      const records = bytes.toString('utf8', piece.start, piece.end).split(/(?<=[^ ]\n)/).length;
      const isWhole = n === pieces.length - 1 || piece.to === expected[n]?.to;
      const isRight =
        isFirst && isWhole && records === piece.to - piece.from + 1 && piece.time === expected[n]?.time;
      return isRight ? [] : [{ piece: { ...piece, bytes: undefined }, records, expected: expected[n] }];
    });
    if (problems.length > 0) t.fail('wrong pieces', { problems });
    const isAll = end?.to === to || !/[^ ]\n/.test(bytes.toString('utf8', end?.end ?? 0, length));
    if (!isAll) t.fail('the pieces end before the records do', { to: end?.to, wanted: to });
  }
});

t.test(
  'what is not the next record of its sender is noticed, also behind hundreds of one time',
  async (t) => {
    const format = lineFormat('text');
    const time = new Timestamps('UTC').format(begin);
    const line = (label: string, n: number) =>
      format.record(format.head(time, 'INFO', label, n, 'shop'), { message: 'paid' });
    const many = Array.from({ length: 400 }, (_, n) => line(sender, n + 1)).join('');
    for (const next of [line('web[9]', 401), line(sender, 403), 'no record\n']) {
      const bytes = Buffer.from(many + next);
      t.throws(() => cut(bytes, 1, 500), { message: /^no head of web\[812\]#401 / });
      t.equal(cut(bytes, 1, 400).at(-1)?.to, 400, 'it is another message');
    }
  },
);
