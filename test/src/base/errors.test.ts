// What a mistyped word is taken for.

import t from 'tap';
import { suggestion } from '../../../src/base/errors.js';

t.test('the nearest word is suggested, or one that is longer', async (t) => {
  const fields = ['timezone', 'timeoutSeconds', 'startDatetime', 'memoryMb', 'retries', 'retryDelaySeconds'];
  const meant = (found: string) => /"(.*)"/.exec(suggestion(found, fields))?.[1];
  t.equal(meant('memory'), 'memoryMb');
  t.equal(meant('timeout'), 'timeoutSeconds');
  t.equal(meant('START'), 'startDatetime');
  t.equal(meant('zone'), 'timezone');
  t.equal(meant('datetime'), 'startDatetime');
  t.equal(suggestion('tallinn', ['Europe/Tallinn']), ', did you mean "Europe/Tallinn"?');
  t.equal(suggestion('ti', ['timezone']), '', 'so little may be anything');
  t.equal(suggestion('count', fields), '');
});
