import t from 'tap';
import type { BaseRequest } from '../../../src/rules/base-request.js';
import { Procedures, schedule, scheduleDaily, scheduleOften } from '../../../src/rules/procedure.js';

const registered = new Set<string>();

/** A name that no other test of this file has used. */
function unused(name: string): string {
  const fresh = `${name}_${registered.size}`;
  registered.add(fresh);
  return fresh;
}

t.test('a function alone is registered under its own name, every 10 seconds', async (t) => {
  const procedure = scheduleOften(function water_plants() {});
  t.match(procedure, {
    value: 'water_plants',
    name: 'water_plants',
    text: 'water_plants',
    every: 10,
    everyUnit: 'secondly',
  });
  t.equal(Procedures.get('water_plants'), procedure);
  t.equal(String(procedure), 'Procedures.water_plants');
});

t.test('scheduleOften takes how often', async (t) => {
  const procedure = scheduleOften({ every: 5, everyUnit: 'minutely', name: unused('often') }, () => {});
  t.match(procedure, { every: 5, everyUnit: 'minutely' });
});

t.test('a daily procedure runs at 20:00 unless told otherwise', async (t) => {
  t.match(
    scheduleDaily(function nightly() {}),
    { everyUnit: 'daily', every: 1, startDatetime: 'T20:00:00' },
  );
  t.match(
    scheduleDaily({ hour: 3, minute: 5, name: unused('daily') }, () => {}),
    { startDatetime: 'T03:05:00' },
  );
});

t.test('what a procedure suggests for its rules is kept', async (t) => {
  const options = {
    name: unused('all'),
    text: 'All of it',
    weekdays: ['friday'],
    positions: [1, -1],
    everyUnit: 'monthly',
    timezone: 'Europe/Tallinn',
    until: '2027-01-01T00:00:00',
    logLevel: 'DEBUG',
    onFailure: 'continue',
    timeoutSeconds: 60,
  } as const;
  const procedure = scheduleOften(options, () => {});
  t.equal(procedure.text, 'All of it');
  t.match(procedure.suggestion, { weekdays: ['friday'], positions: [1, -1], timezone: 'Europe/Tallinn' });
});

t.test('schedule takes words, cron or RRULE text', async (t) => {
  const procedure = schedule('every 2 weeks on mon, fri at 10:00', function close_sprint() {});
  t.match(procedure, { name: 'close_sprint', every: 2, everyUnit: 'weekly', startDatetime: 'T10:00:00' });
  t.same(procedure.suggestion.weekdays, ['monday', 'friday']);
  t.match(schedule('0 4 * * mon-fri', { name: unused('cron') }, () => {}).suggestion, {
    everyUnit: 'cron',
    cron: '0 4 * * mon-fri',
  });
  t.match(
    schedule('FREQ=YEARLY;BYEASTER=-2', { name: unused('easter') }, () => {}),
    {
      everyUnit: 'easterly',
      startDatetime: 'easter-2T00:00:00',
    },
  );
});

t.test('options count for what the text of schedule leaves open', async (t) => {
  const options = {
    timezone: 'Europe/Brussels',
    count: 3,
    missingTime: 'skipped',
    onFailure: 'continue',
  } as const;
  const said = schedule('daily in Europe/Tallinn', { ...options, name: unused('said') }, () => {});
  t.match(said.suggestion, {
    timezone: 'Europe/Tallinn',
    count: 3,
    missingTime: 'skipped',
    onFailure: 'continue',
  });
  const silent = schedule('daily 5 times', { ...options, name: unused('silent') }, () => {});
  t.match(silent.suggestion, { timezone: 'Europe/Brussels', count: 5 });
});

t.test('run calls the function with the request and waits for it', async (t) => {
  const seen: unknown[] = [];
  const procedure = scheduleOften({ name: unused('run') }, async (ar: BaseRequest) => {
    await Promise.resolve();
    seen.push(ar);
  });
  const ar = {} as BaseRequest;
  await procedure.run(ar);
  t.equal(seen[0], ar);
});

t.test('two procedures of one name are an error that names both places', async (t) => {
  const name = unused('twice');
  scheduleOften({ name }, () => {});
  t.throws(() => scheduleDaily({ name }, () => {}), {
    code: 'LINOD_ERR_DUPLICATE_PROCEDURE',
    message:
      /named "twice_\d+": one registered at \/.*procedure\.test\.[jt]s:\d+, one at \/.*procedure\.test\.[jt]s:\d+; give one/,
  });
});

t.test('a file that is loaded again replaces its procedures', async (t) => {
  const name = unused('again');
  const load = () => scheduleOften({ name }, () => {});
  const first = load();
  const second = load();
  t.not(first, second);
  t.equal(Procedures.get(name), second);
});

for (const [what, call, problem] of [
  [
    'a function without a name',
    () => scheduleOften(() => {}),
    /expected a name of letters.*got: ""; name the function/,
  ],
  ['a name with a space', () => scheduleOften({ name: 'a b' }, () => {}), /got: "a b"/],
  [
    'no function',
    () => scheduleOften({ name: 'x' } as never),
    /expected a function, or options and a function/,
  ],
  [
    'an hour that does not exist',
    () => scheduleDaily({ hour: 24 }, function h() {}),
    /expected hour to be a whole number from 0 to 23, got: 24/,
  ],
  [
    'half a minute',
    () => scheduleDaily({ minute: 0.5 }, function m() {}),
    /expected minute to be a whole number from 0 to 59, got: 0.5/,
  ],
  [
    'a text that is not understood',
    () => schedule('every 2 weks', function w() {}),
    /expected a unit such as days .*"weks", at character 9 of words "every 2 weks", did you mean "weeks"\?$/,
  ],
  [
    'a cron expression that is wrong',
    () => scheduleOften({ cron: '60 * * * *', everyUnit: 'cron', name: 'c' }, () => {}),
    /c: expected the minute to be numbers from 0 to 59/,
  ],
  [
    'a start on a day that does not exist',
    () => scheduleOften({ everyUnit: 'yearly', startDatetime: '--02-30T10:00', name: 's' }, () => {}),
    /s: expected startDatetime to be a day that the calendar has, got: "--02-30T10:00"/,
  ],
  [
    'an option that there is not',
    () => scheduleOften({ name: 'o', ...{ timeout: 5 } }, () => {}),
    /:\d+: there is no option "timeout", did you mean "timeoutSeconds"\?$/,
  ],
  [
    'a mistyped option of scheduleDaily',
    () => scheduleDaily({ name: 'o', ...{ huor: 3 } }, () => {}),
    /:\d+: there is no option "huor", did you mean "hour"\?$/,
  ],
  [
    'what scheduleDaily does not take',
    () => scheduleDaily({ name: 'o', ...{ colour: 3 } }, () => {}),
    /there is no option "colour"; there are hour, minute, name, text, parseArgs, every, weekdays, positions, timezone, until, /,
  ],
  [
    'an option for what the text of schedule says',
    () => schedule('daily at noon', { name: 'o', ...{ startDatetime: 'T10:00' } }, () => {}),
    /there is no option "startDatetime"; there are name, text, parseArgs, timezone, until, /,
  ],
  [
    'an unknown unit',
    () => scheduleOften({ everyUnit: 'dayly' as never, name: 'u' }, () => {}),
    /u: .*dayly.*daily/,
  ],
  [
    'an unknown zone',
    () => scheduleOften({ timezone: 'Europe/Talinn', name: 'z' }, () => {}),
    /z: .*Europe\/Talinn/,
  ],
  [
    'an unknown level',
    () => scheduleOften({ logLevel: 'LOUD' as never, name: 'l' }, () => {}),
    /l: expected a log level/,
  ],
  [
    'no time at all',
    () => scheduleOften({ timeoutSeconds: 0, name: 't' }, () => {}),
    /t: expected timeoutSeconds to be a number of seconds from 0.001 to 2000000, or a time such as 90s, 15m, 1h30m or 2d, got: 0/,
  ],
  [
    'an unknown policy',
    () => scheduleOften({ onFailure: 'ignore' as never, name: 'p' }, () => {}),
    /p: expected onFailure to be one of cancel, continue, retry, got: "ignore"/,
  ],
] as const) {
  t.test(`${what} is refused, with the place`, async (t) => {
    const before = Procedures.size;
    t.throws(call, {
      code: 'LINOD_ERR_INVALID_PROCEDURE',
      message: /^procedure registered at \/.*procedure\.test\.[jt]s:\d+: /,
    });
    t.throws(call, { message: problem });
    t.equal(Procedures.size, before);
  });
}
