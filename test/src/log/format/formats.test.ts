import t from 'tap';
import { leadingBatch } from '../../../../src/log/batch.js';
import {
  lineFormat,
  mayBegin,
  parseHead,
  parseRecord,
  recordEnd,
  recordInstant,
} from '../../../../src/log/format/formats.js';
import { Instants } from '../../../../src/log/format/instants.js';
import { type LineFormat, maxRecordBytes, type RecordText } from '../../../../src/log/format/line-format.js';
import { Timestamps } from '../../../../src/log/format/timestamp.js';
import { loggerName, noSender, senderLabel } from '../../../../src/log/names.js';
import { batchProblem, recordOf } from '../../../support/log.js';
import { formats, randomText, visible } from '../../../support/log-texts.js';
import { cases, Random } from '../../../support/random.js';

const levels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;

interface Given {
  readonly at: number;
  readonly level: (typeof levels)[number];
  readonly sender: string;
  readonly number: number;
  readonly logger: string;
  readonly text: RecordText;
}

function randomRecord(random: Random): Given {
  return {
    at: random.whole(Date.UTC(2020, 0), Date.UTC(2030, 0)),
    level: random.pick(levels),
    sender: random.chance(0.1) ? noSender : senderLabel(randomText(random, 3), random.whole(0, 99_999)),
    number: random.whole(1, random.pick([9, 1e6, 2 ** 53 - 1])),
    logger: loggerName(randomText(random, 3)),
    text: {
      message: randomText(random),
      ...(random.chance(0.4)
        ? { fields: { [randomText(random, 2)]: randomText(random), n: 7, on: true } }
        : {}),
      ...(random.chance(0.3) ? { trace: randomText(random) } : {}),
    },
  };
}

function write(format: LineFormat, { at, level, sender, number, logger, text }: Given): string {
  const time = new Timestamps('Europe/Tallinn', format.time).format(at);
  return format.record(format.head(time, level, sender, sender === noSender ? 0 : number, logger), text);
}

for (const format of formats) {
  t.test(`${format.name}: whatever is logged is one whole record, and is read back`, async (t) => {
    const random = new Random();
    t.comment(`SEED=${random.seed}`);
    for (let i = 0; i < cases(150); i++) {
      const given = randomRecord(random);
      const record = write(format, given);
      const bytes = Buffer.from(record);
      const parsed = parseRecord(record);
      const isNote = given.sender === noSender;
      const { sender, number, level, logger } = given;
      const head = {
        format,
        level,
        logger,
        sender: isNote ? undefined : sender,
        number: isNote ? 0 : number,
      };
      const found = parseHead(`\n${bytes.toString('latin1')}`, 1);
      const instant = parsed && recordInstant(parsed, 'Europe/Tallinn');
      const exact = format.name === 'lino' ? 1000 : 1;
      const problems = [
        isNote ? undefined : batchProblem(bytes, sender, number, 1),
        recordEnd(record, 0) === record.length ? undefined : 'it has another end',
        isSame(found, head) ? undefined : 'its head is not found within a text',
        isSame(parsed, head) ? undefined : 'its head is read wrongly',
        parsed?.message === visible(format, given.text) ? undefined : 'its message is read wrongly',
        isHourTwice(given.at) || instant === Math.floor(given.at / exact) * exact
          ? undefined
          : 'its time is read wrongly',
        /[^\n\t\P{Cc}]/u.test(record) ? 'it has control characters' : undefined,
      ].filter((problem) => problem !== undefined);
      if (problems.length > 0) t.fail(problems.join(', '), { given, record, parsed, instant });
    }
  });

  t.test(`${format.name}: a record above the limit is cut between characters and says so`, async (t) => {
    for (const message of [
      'ä'.repeat(50_000),
      'x'.repeat(3_000_000),
      `a\n${'€\n'.repeat(40_000)}`,
      '\x1b😀'.repeat(30_000),
    ]) {
      for (const more of [{}, { fields: { order: 4711 } }, { trace: message }]) {
        const record = recordOf('web[812]', 4811, { message, ...more }, format);
        t.ok(Buffer.byteLength(record) <= maxRecordBytes);
        t.ok(Buffer.byteLength(record) > maxRecordBytes / 2, 'and not more than need be');
        // Tap's own comparisons of such long texts take most of a second.
        t.ok(/… \[cut: \d+ bytes\]\n$|,"cut":\d+\}\n$| cut=\d+\n$/.test(record.slice(-100)), 'it says so');
        t.notOk(record.includes('\ufffd'), 'no character is cut');
        t.equal(batchProblem(Buffer.from(record), 'web[812]', 4811, 1), undefined);
        t.match(parseRecord(record), { number: 4811, logger: 'shop' });
      }
    }
  });

  t.test(`${format.name}: a batch that lies is found out`, async (t) => {
    const good = Buffer.from(
      [9, 10, 11].map((n) => recordOf('web[8]', n, { message: 'a\nb' }, format)).join(''),
    );
    t.equal(batchProblem(good, 'web[8]', 9, 3), undefined);
    t.match(leadingBatch(good, 'web[8]', 1e6), { first: 9, count: 3 });
    const lies: Array<[string, Buffer, string, number, number]> = [
      ['another sender', good, 'web[9]', 9, 3],
      ['another first number', good, 'web[8]', 8, 3],
      ['more records', good, 'web[8]', 9, 2],
      ['an unfinished record', good.subarray(0, -1), 'web[8]', 9, 3],
      ['a second line', Buffer.from(good.toString().replace('shop', 's\nhop')), 'web[8]', 9, 3],
      ['an escape', Buffer.from(good.toString().replace('shop', 's\x1b[2Jhop')), 'web[8]', 9, 3],
    ];
    for (const [what, ...batch] of lies) t.type(batchProblem(...batch), 'string', what);
  });

  t.test(
    `${format.name}: any begin of a record is known as one, and no part of it reads as another`,
    async (t) => {
      const record = recordOf('web[812]', 4811, { message: 'order paid', fields: { order: 4711 } }, format);
      for (let length = 1; length < record.length; length++)
        t.ok(mayBegin(record.slice(0, length)), record.slice(0, length));
      for (let at = 1; at < record.length; at++) if (parseHead(record, at)) t.fail(`a head at ${at}`);
      t.equal(lineFormat(format.name), format);
    },
  );
}

t.test('the times of many records are read as each one alone', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const instants = new Instants('Europe/Tallinn');
  let at = Date.UTC(2026, 9, 1);
  for (let i = 0; i < cases(500); i++) {
    at += random.pick([0, 1, 999, 30_000, 3_600_000, 86_400_000]);
    const { time: layout } = random.pick(formats);
    const time = new Timestamps(random.pick(['Europe/Tallinn', 'Asia/Kolkata']), layout).format(at);
    const [one, other] = [instants.of(time), new Instants('Europe/Tallinn').of(time)];
    if (one !== other) t.fail(`${time} is ${one} instead of ${other}`);
    if (layout !== 'lino' && one !== at) t.fail(`${time} is ${one} instead of ${at}`);
  }
  for (const time of ['2026-02-30 20:00:01.123+02:00', '2026-13-01T20:00:01.123+02:00', '202600-24 20:00:01'])
    t.ok(Number.isNaN(instants.of(time)), time);
});

t.test('what is no record of any format is not taken for one', async (t) => {
  for (const line of [
    '',
    ' ',
    '    at x',
    '{}',
    '{"time":"now"}',
    'time=now level=INFO',
    'time flies',
    '2026',
    '{"a":1}',
  ]) {
    t.equal(parseRecord(line), undefined, line);
  }
  for (const line of ['hello', '    at x', '{"message":"other"}', 'tired']) t.notOk(mayBegin(line), line);
});

function isSame(found: object | undefined, expected: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(expected).every(
    ([key, value]) => found !== undefined && Reflect.get(found, key) === value,
  );
}

/** Of the hour that the clocks show twice in autumn, the original's line does not tell which it is. */
function isHourTwice(at: number): boolean {
  return new Date(at).getUTCMonth() === 9 && new Date(at).getUTCDate() > 24;
}

t.test('half characters are text in JSON, since some of its parsers refuse them', (t) => {
  const halves = 'a\ud800b \udfff \ud800\ud800 \\\ud83d \\ud800 \u{1f600}';
  const shown = 'a\\ud800b \\udfff \\ud800\\ud800 \\\\ud83d \\ud800 \u{1f600}';
  const record = recordOf(
    'web[1]',
    1,
    { message: halves, fields: { [halves]: [halves] } },
    lineFormat('json'),
  );
  t.match(JSON.parse(record), { message: shown, fields: { [shown]: [shown] } });
  const [json = ''] = /\{.*\}/.exec(recordOf('web[1]', 1, { message: 'm', fields: { halves } })) ?? [];
  t.strictSame(JSON.parse(json), { halves: shown });
  t.end();
});
