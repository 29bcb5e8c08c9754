import t from 'tap';
import { lineFormat, parseRecord, recordInstant } from '../../../../src/log/formats/formats.js';
import { formatNames } from '../../../../src/log/formats/line-format.js';
import { LogLevels } from '../../../../src/log/levels.js';
import { noSender } from '../../../../src/log/names.js';
import { HeadReader } from '../../../../src/log/reading/head.js';
import { Timestamps } from '../../../../src/log/timestamp.js';
import { Random } from '../../../support/random.js';

const random = new Random();
const senders = ['web[1]', 'web[12]', 'w[1]', 'mail-out.x@y+z[34183]', noSender];
/** Of any length, and such as begin like others. */
const loggers = [
  'a',
  'ab',
  'abc',
  'shop.orders',
  'shop.ordersx',
  'shop.order5',
  'linod.log',
  'x'.repeat(120),
];
const levels = Array.from(LogLevels, ({ value }) => value);

/** Records of which many differ from the one before in the number only, and the others in this and that. */
function records(count: number): string[] {
  const timestamps = formatNames.map(
    (name) => [lineFormat(name), new Timestamps('UTC', lineFormat(name).time)] as const,
  );
  let [format, stamps] = random.pick(timestamps);
  let [now, level, sender, logger] = [
    Date.UTC(2026, 10, 24, 20),
    random.pick(levels),
    'web[1]',
    'shop.orders',
  ];
  let number = random.pick([0, 7, 95, 99_990, 10 ** 14]);
  const changes = [
    () => {
      now += random.pick([1, 999, 1000, 60_000, 86_400_000]);
    },
    () => {
      level = random.pick(levels);
    },
    () => {
      sender = random.pick(senders);
    },
    () => {
      logger = random.pick(loggers);
    },
    () => {
      if (random.chance(0.1)) [format, stamps] = random.pick(timestamps);
    },
  ];
  return Array.from({ length: count }, () => {
    while (random.chance(0.4)) random.pick(changes)();
    const own = sender === noSender ? 0 : ++number;
    const head = format.head(stamps.format(now), level, sender, own, logger);
    return format.record(head, { message: random.pick(['', 'm', 'order paid', ' x']) });
  });
}

/** What a reader says of the line from `start` to `end`. */
function found(reader: HeadReader, start: number, end: number) {
  if (!reader.read(start) || !reader.mayEndAt(end)) return undefined;
  const { instant, level, sender, number, logger } = reader;
  return { instant, level, sender: sender?.text, number, logger: logger.text };
}

t.test(`a head says what its format's own parser says (SEED=${random.seed})`, async (t) => {
  const reader = new HeadReader('UTC');
  for (let round = 0; round < 40; round++) {
    const lines = records(50);
    const bytes = Buffer.from(lines.join(''));
    reader.enter(bytes);
    let start = 0;
    for (const line of lines) {
      const end = start + Buffer.byteLength(line);
      const record = parseRecord(line);
      const { level, sender, number, logger } = record ?? {};
      const instant = record && recordInstant(record, 'UTC');
      const expected = JSON.stringify({ instant, level, sender, number, logger });
      const said = JSON.stringify(found(reader, start, end - 1));
      if (said !== expected) t.fail(`${line}: ${said} instead of ${expected}`);
      start = end;
    }
  }
  t.pass('2000 records');
});

t.test(`what was read before makes no difference (SEED=${random.seed})`, async (t) => {
  const reader = new HeadReader('UTC');
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(records(20).join(''));
    for (let n = random.whole(1, 10); n > 0; n--) {
      const at = random.whole(0, bytes.length - 1);
      bytes[at] = random.chance(0.5)
        ? (bytes[at] ?? 0) ^ (1 << random.whole(0, 7))
        : (bytes[random.whole(0, bytes.length - 1)] ?? 0);
    }
    reader.enter(bytes);
    for (let start = 0; start < bytes.length; ) {
      const newline = bytes.indexOf(0x0a, start);
      const end = newline < 0 ? bytes.length : newline;
      const fresh = new HeadReader('UTC');
      fresh.enter(bytes);
      const [one, other] = [found(reader, start, end), found(fresh, start, end)];
      if (JSON.stringify(one) !== JSON.stringify(other))
        t.fail(`${bytes.toString('latin1', start, end)}: ${JSON.stringify([one, other])}`);
      start = end + 1;
    }
  }
  t.pass('300 damaged logs');
});
