import t from 'tap';
import { ChoiceList } from '../../../src/base/choices.js';
import { LogLevels, parseLevel } from '../../../src/base/log-levels.js';

t.test('a choice list looks up by value and iterates in order', async (t) => {
  const list = new ChoiceList([
    { value: 'b', name: 'bee', text: 'The bee' },
    { value: 'a', name: 'ant', text: 'The ant' },
  ]);
  list.add({ value: 'c', name: 'cat', text: 'The cat' });
  t.same(
    Array.from(list, (choice) => choice.value),
    ['b', 'a', 'c'],
  );
  t.equal(list.size, 3);
  t.match(list.get('a'), { name: 'ant' });
  t.equal(list.get('ant'), undefined);
  t.ok(list.has('c'));
});

t.test('a choice list prints as a table of value, name and text', async (t) => {
  t.equal(
    String(new ChoiceList([{ value: 'b', name: 'bee', text: 'The bee' }])),
    ['value  name  text', '-----  ----  -------', 'b      bee   The bee'].join('\n'),
  );
});

t.test("the levels are Python's", async (t) => {
  t.same(
    Array.from(LogLevels, (level) => [level.value, level.levelno]),
    [
      ['DEBUG', 10],
      ['INFO', 20],
      ['WARNING', 30],
      ['ERROR', 40],
      ['CRITICAL', 50],
    ],
  );
});

t.test('a level is read as people write it', async (t) => {
  for (const text of ['warning', 'WARNING', 'warn', ' 30 ']) t.equal(parseLevel(text).value, 'WARNING');
  t.equal(parseLevel('fatal').value, 'CRITICAL');
  for (const text of ['', '25', 'toString', 'constructor']) {
    t.throws(() => parseLevel(text), {
      code: 'LINOD_ERR_UNKNOWN_LEVEL',
      message: `expected a log level (DEBUG, INFO, WARNING, ERROR, CRITICAL), got: ${JSON.stringify(text)}`,
    });
  }
});
