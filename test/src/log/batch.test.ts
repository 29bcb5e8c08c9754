import t from 'tap';
import { leadingBatch, offsetAfter, readBatch } from '../../../src/log/batch.js';
import { batchProblem, recordOf } from '../../support/log.js';

function lines(numbers: readonly number[], message = 'one\ntwo'): Buffer {
  return Buffer.from(numbers.map((n) => recordOf('web[8]', n, { message })).join(''));
}

t.test('a batch that is what it says has no problem', async (t) => {
  const bytes = lines([9, 10, 11]);
  const found: Array<[number, number]> = [];
  readBatch(bytes, 'web[8]', { first: 9, count: 3 }, ({ number }, end) => found.push([number, end]));
  t.same(
    found,
    [9, 10, 11].map((number) => [number, offsetAfter(bytes, number - 8)]),
  );
});

t.test('a batch that lies is found out', async (t) => {
  const good = lines([9, 10, 11]);
  const text = good.toString();
  const lies: Array<[string, Buffer, string, number, number]> = [
    ['another sender', good, 'web[9]', 9, 3],
    ['another first number', good, 'web[8]', 8, 3],
    ['fewer records', good, 'web[8]', 9, 4],
    ['more records', good, 'web[8]', 9, 2],
    ['a hole', lines([9, 11, 12]), 'web[8]', 9, 3],
    ['an unfinished record', good.subarray(0, -1), 'web[8]', 9, 3],
    ['a record without its last line', good.subarray(0, good.lastIndexOf('    ')), 'web[8]', 9, 3],
    ['a line that is no continuation', Buffer.from(text.replace('    two', 'two')), 'web[8]', 9, 3],
    ['a control character', Buffer.from(text.replace('two', '\x1b[2J')), 'web[8]', 9, 3],
    [
      'broken UTF-8',
      Buffer.concat([good.subarray(0, -4), Buffer.from([0xc3, 0x28, 0x78, 0x0a])]),
      'web[8]',
      9,
      3,
    ],
    ['nothing', Buffer.alloc(0), 'web[8]', 9, 1],
  ];
  for (const [what, ...batch] of lies) t.type(batchProblem(...batch), 'string', what);
});

t.test('a batch is cut between records', async (t) => {
  const bytes = lines([1, 2, 3]);
  t.equal(bytes.subarray(offsetAfter(bytes, 2)).toString(), lines([3]).toString());
  t.equal(offsetAfter(bytes, 0), 0);
  t.equal(offsetAfter(bytes, 3), bytes.length);
});

t.test(
  'the run at the begin of some bytes ends at a hole, an unfinished record, another sender or the limit',
  async (t) => {
    const size = lines([1]).length;
    t.match(leadingBatch(lines([1, 2, 4, 5]), 'web[8]', 1e6), { first: 1, count: 2 });
    t.match(leadingBatch(lines([1, 2, 3]).subarray(0, -2), 'web[8]', 1e6), { first: 1, count: 2 });
    t.match(leadingBatch(lines([1, 2, 3]), 'web[8]', size * 2), { first: 1, count: 2 });
    t.match(leadingBatch(lines([1, 2, 3]), 'web[8]', 1), { first: 1, count: 1 });
    t.equal(leadingBatch(lines([1]), 'web[9]', 1e6), undefined);
    t.equal(leadingBatch(lines([1]).subarray(0, -2), 'web[8]', 1e6), undefined);
  },
);
