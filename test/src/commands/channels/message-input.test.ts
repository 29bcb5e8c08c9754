import t from 'tap';
import { ExtensionValue } from '../../../../channels/index.js';
import { parseMessageInput } from '../../../../src/commands/channels/views.js';
import { plainValue } from '../../../../src/insight/channel-messages.js';

t.test('a message is a JSON object with a type', async (t) => {
  t.same(parseMessageInput('the message', ' {"type":"a.b","n":[1,null]}\n', undefined), {
    type: 'a.b',
    n: [1, null],
  });
  t.same(parseMessageInput('the message', '{"n":1}', 'a.b'), { n: 1, type: 'a.b' });
  t.same(parseMessageInput('the message', '{"type":"a.b"}', 'a.b'), { type: 'a.b' });
});

const refused: ReadonlyArray<[text: string, type: string | undefined, message: string | RegExp]> = [
  ['', undefined, /^the message is no JSON: Unexpected end/],
  ['[1]', 'a', 'expected the message to be a JSON object, got: a list'],
  ['null', 'a', 'expected the message to be a JSON object, got: null'],
  ['7', 'a', 'expected the message to be a JSON object, got: a number'],
  [
    '{}',
    undefined,
    'expected the message to have a type that is text, such as {"type": "worker.ping"}; or give it with --type',
  ],
  [
    '{"type":7}',
    undefined,
    'expected the message to have a type that is text, such as {"type": "worker.ping"}; or give it with --type',
  ],
  ['{"type":"a"}', 'b', 'the message has the type "a", and --type says "b"'],
  ['{', 'a', /^the message is no JSON, line 1: Expected property name or '}'/],
  ['{"a":tru}', 'a', /^the message is no JSON: Unexpected token '}', "{"a":tru}" is not valid JSON/],
  ['{"a":1,\n "b":2,\n}', 'a', /^the message is no JSON, line 3: Expected double-quoted property name/],
];

for (const [text, type, message] of refused) {
  t.test(`${JSON.stringify(text.slice(0, 20))} is refused with what is wrong and where`, async (t) => {
    t.throws(() => parseMessageInput('the message', text, type), { code: 'LINOD_ERR_USAGE', message });
  });
}

t.test('values that JSON has not are shown in words that it has', async (t) => {
  t.same(
    plainValue({
      bytes: Uint8Array.of(1, 2, 255),
      big: 2n ** 64n - 1n,
      nan: Number.NaN,
      list: [Number.POSITIVE_INFINITY, null, true, 'x', 1.5],
      extension: new ExtensionValue(-1, Uint8Array.of(0)),
      own: { code: 7, data: Uint8Array.of(0), rest: true },
    }),
    {
      bytes: { $bytes: 'AQL/' },
      big: '18446744073709551615',
      nan: 'NaN',
      list: ['Infinity', null, true, 'x', 1.5],
      extension: { $extension: -1, $bytes: 'AA==' },
      own: { code: 7, data: { $bytes: 'AA==' }, rest: true },
    },
  );
});
