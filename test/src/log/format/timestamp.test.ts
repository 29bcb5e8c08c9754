import { DateTime } from 'luxon';
import t from 'tap';
import { Timestamps } from '../../../../src/log/format/timestamp.js';
import { Random } from '../../../support/random.js';

t.test('times are those of the zone, with its offset', async (t) => {
  const at = Date.UTC(2026, 10, 24, 18, 0, 1, 123);
  t.equal(new Timestamps('Europe/Tallinn').format(at), '2026-11-24 20:00:01.123+02:00');
  t.equal(new Timestamps('UTC').format(at), '2026-11-24 18:00:01.123+00:00');
  t.equal(new Timestamps('Asia/Kolkata').format(at), '2026-11-24 23:30:01.123+05:30');
  t.equal(new Timestamps('America/St_Johns').format(at), '2026-11-24 14:30:01.123-03:30');
  t.equal(new Timestamps('UTC').format(at + 0.9), '2026-11-24 18:00:01.123+00:00');
});

t.test('any instant in any zone is written as luxon writes it', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  for (const zone of [
    'Europe/Tallinn',
    'Australia/Lord_Howe',
    'America/Sao_Paulo',
    'Pacific/Chatham',
    'UTC',
  ]) {
    const timestamps = new Timestamps(zone);
    for (let i = 0; i < 300; i++) {
      const at = random.whole(Date.UTC(1980, 0), Date.UTC(2060, 0));
      const expected = DateTime.fromMillis(at, { zone }).toFormat('yyyy-MM-dd HH:mm:ss.SSSZZ');
      if (timestamps.format(at) !== expected) t.equal(timestamps.format(at), expected, zone);
    }
  }
});

t.test('a clock change within the run of one formatter is followed', async (t) => {
  const timestamps = new Timestamps('Europe/Tallinn');
  const change = Date.UTC(2026, 9, 25, 1);
  t.equal(timestamps.format(change - 1), '2026-10-25 03:59:59.999+03:00');
  t.equal(timestamps.format(change), '2026-10-25 03:00:00.000+02:00');
});
