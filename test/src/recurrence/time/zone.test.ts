import { IANAZone } from 'luxon';
import t from 'tap';
import { Zone } from '../../../../src/recurrence/time/zone.js';
import { Random } from '../../../support/random.js';

const minuteMs = 60_000;

t.test('offsets agree with luxon, in every zone and century', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const wrong: string[] = [];
  for (const name of ['UTC', ...Intl.supportedValuesOf('timeZone')]) {
    const luxonZone = IANAZone.create(name);
    for (let i = 0; i < 4; i++) {
      const instant = random.whole(Date.UTC(1880, 0, 1) / 1000, Date.UTC(2100, 0, 1) / 1000) * 1000;
      const expected = Math.round(luxonZone.offset(instant) * minuteMs);
      if (zone(name).offsetAt(instant) !== expected) wrong.push(`${name} ${new Date(instant).toISOString()}`);
    }
  }
  t.same(wrong, []);
});

t.test('a change is valid from its second on', async (t) => {
  const tallinn = zone('Europe/Tallinn');
  const change = Date.UTC(2024, 2, 31, 1);
  t.equal(tallinn.offsetAt(change - 1), 120 * minuteMs);
  t.equal(tallinn.offsetAt(change), 180 * minuteMs);
  t.equal(tallinn.steadyUntil(change - 1), change);
  t.notOk(tallinn.isSteadyAround(change - 20 * 3_600_000));
  t.notOk(tallinn.isSteadyAround(change + 20 * 3_600_000));
  t.ok(tallinn.isSteadyAround(change + 30 * 3_600_000));
});

t.test('two changes a week apart are found', async (t) => {
  const boaVista = zone('America/Boa_Vista');
  t.equal(boaVista.offsetAt(Date.UTC(2000, 9, 7)), -240 * minuteMs);
  t.equal(boaVista.offsetAt(Date.UTC(2000, 9, 12)), -180 * minuteMs);
  t.equal(boaVista.offsetAt(Date.UTC(2000, 9, 16)), -240 * minuteMs);
});

t.test('a wall time is shown once, twice or never', async (t) => {
  const tallinn = zone('Europe/Tallinn');
  t.same(tallinn.whenShowing(Date.UTC(2024, 2, 31, 2, 59, 59)), {
    kind: 'once',
    instant: Date.UTC(2024, 2, 31, 0, 59, 59),
  });
  t.same(tallinn.whenShowing(Date.UTC(2024, 2, 31, 3)), {
    kind: 'never',
    jump: Date.UTC(2024, 2, 31, 1),
    shifted: Date.UTC(2024, 2, 31, 1),
  });
  t.same(tallinn.whenShowing(Date.UTC(2024, 9, 27, 3)), {
    kind: 'twice',
    first: Date.UTC(2024, 9, 27, 0),
    second: Date.UTC(2024, 9, 27, 1),
  });
  t.same(tallinn.whenShowing(Date.UTC(2024, 9, 27, 4)), {
    kind: 'once',
    instant: Date.UTC(2024, 9, 27, 2),
  });
});

t.test('a whole day can be missing', async (t) => {
  t.same(zone('Pacific/Apia').whenShowing(Date.UTC(2011, 11, 30, 12)), {
    kind: 'never',
    jump: Date.UTC(2011, 11, 30, 10),
    shifted: Date.UTC(2011, 11, 30, 22),
  });
});

t.test('only IANA names are zones', async (t) => {
  for (const name of ['', 'Europe/Talinn', '+02:00', 'local', 'UTC+2', 'toString']) {
    t.equal(Zone.named(name), undefined, name);
  }
  t.equal(Zone.named('Europe/Tallinn'), Zone.named('Europe/Tallinn'));
});

function zone(name: string): Zone {
  const found = Zone.named(name);
  if (found === undefined) throw new Error(`no zone ${name}`);
  return found;
}
