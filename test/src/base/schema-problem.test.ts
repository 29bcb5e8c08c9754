// What a schema finds wrong is told in sentences: where, what is allowed, what was found.

import t from 'tap';
import * as v from 'valibot';
import { schemaProblems } from '../../../src/base/schema-problem.js';

const schema = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[a-z]+$/, 'a name of small letters')),
  way: v.optional(v.picklist(['mail', 'push'])),
  parts: v.optional(v.array(v.strictObject({ size: v.pipe(v.number(), v.integer(), v.minValue(1)) }))),
  call: v.optional(
    v.union([v.function(), v.strictObject({ func: v.function(), lease: v.optional(v.string()) })]),
  ),
  when: v.optional(v.union([v.string(), v.date()])),
});

/** Each value with the sentences about it. */
const wrong: ReadonlyArray<readonly [unknown, readonly string[]]> = [
  [{ name: 'ann' }, []],
  ['x', ['expected an object, got: "x"']],
  [{}, ['name is missing']],
  [{ name: 'Ann' }, ['expected name to be a name of small letters, got: "Ann"']],
  [{ name: 'ann', way: 'mial' }, ['expected way to be one of mail, push, got: "mial", did you mean "mail"?']],
  [{ name: 'ann', parts: 5 }, ['expected parts to be a list, got: 5']],
  [
    { name: 'ann', parts: [{ size: 1 }, { size: 0.5 }] },
    [
      'expected parts[1].size to be a whole number, got: 0.5',
      'expected parts[1].size to be at least 1, got: 0.5',
    ],
  ],
  [
    { name: 'ann', parts: [{ sise: 1, size: 1 }] },
    ['there is no key "sise" in parts[0], did you mean "size"?'],
  ],
  [{ name: 'ann', call: 5 }, ['expected call to be a function or an object, got: 5']],
  [{ name: 'ann', call: { func: 5 } }, ['expected call.func to be a function, got: 5']],
  [
    { name: 'ann', call: { func: () => undefined, leas: '1s' } },
    ['there is no key "leas" in call, did you mean "lease"?'],
  ],
  [{ name: 'ann', when: true }, ['expected when to be a text or a date, got: true']],
  [{ name: 'ann', colour: 1 }, ['there is no key "colour"; there are name, way, parts, call, when']],
  [{ name: () => undefined }, ['expected name to be a text, got: a function']],
  [{ name: 5n }, ['expected name to be a text, got: what JSON cannot say']],
  [
    { name: 'redis://me:sesame@host' },
    ['expected name to be a name of small letters, got: "redis://me:***@host"'],
  ],
];

for (const [value, sentences] of wrong) {
  t.test(`${sentences.join('; ') || 'what is right has no problem'}`, async (t) => {
    t.strictSame(
      schemaProblems(schema, value).map(({ problem }) => problem),
      sentences,
    );
  });
}
