// How the page reads and writes integers that a number cannot hold.

import t from 'tap';
import { parseJson, writeJson } from '../../../src/console/page/json.js';

t.test('integers beyond 2^53 stay exact, others are numbers', async (t) => {
  const text = '{"a":9007199254740993,"b":[-12345678901234567890],"c":9007199254740991,"d":1.5e3}';
  const value = parseJson(text);
  t.same(value, { a: 9007199254740993n, b: [-12345678901234567890n], c: 9007199254740991, d: 1500 });
  t.equal(
    writeJson(value),
    '{"a":9007199254740993,"b":[-12345678901234567890],"c":9007199254740991,"d":1500}',
  );
});

t.test('digits in texts and keys are left alone', async (t) => {
  const text = '{"1234567890123456789":"x \\" 9007199254740993 ,","e":12345678901234567890.5}';
  t.same(parseJson(text), {
    '1234567890123456789': 'x " 9007199254740993 ,',
    // biome-ignore lint/correctness/noPrecisionLoss: that is what JSON means by it
    e: 12345678901234567890.5,
  });
});

t.test('what is no JSON is refused', async (t) => {
  t.throws(() => parseJson('{'), SyntaxError);
  t.throws(() => parseJson('{"a":9007199254740993'), SyntaxError);
  t.equal(writeJson(undefined), 'null');
});
