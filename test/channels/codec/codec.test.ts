import t from 'tap';
import { MessageCodec } from '../../../channels/codec/codec.js';
import { encode } from '../../../channels/codec/msgpack.js';
import { fromTagged, withoutFloats } from '../../support/tagged-values.js';
import { wireVectors } from '../../support/wire-vectors.js';

const undecodable = { code: 'CHANNELS_ERR_UNDECODABLE' };
const invalidOption = { code: 'CHANNELS_ERR_INVALID_OPTION' };
const now = () => 1_700_000_000_000;
const message = { type: 'x', text: 'õ', n: [1, 2.5, null] };

t.test('what Python encrypted is read, with both serializers and several keys', async (t) => {
  t.ok(wireVectors.encryption.examples.length > 3);
  for (const example of wireVectors.encryption.examples) {
    const { serializer_format: serializer, symmetric_encryption_keys: symmetricEncryptionKeys } = example;
    const codec = new MessageCodec(
      { serializer, symmetricEncryptionKeys },
      { now: () => example.token_parts.time * 1000, ttlSeconds: 70 },
    );
    const member = Buffer.from(example.member_b64, 'base64').subarray(example.random_prefix_length);
    t.equal(member.toString(), example.token);
    t.strictSame(codec.decode(member), withoutFloats(fromTagged(example.message)));
  }
});

t.test('a message that is completed later has the bytes of one written at once', async (t) => {
  for (const serializer of ['msgpack', 'json'] as const) {
    const codec = new MessageCodec({ serializer }, { now });
    const complete = codec.encodeBut(message, 'last');
    for (const last of ['text', ['a', 'b'], [], 5, null])
      t.equal(
        hex(complete(last)),
        hex(codec.encode({ ...message, last })),
        `${serializer} ${JSON.stringify(last)}`,
      );
    t.strictSame(codec.decode(codec.encodeBut({}, 'last')(1)), { last: 1 });
  }
});

t.test(
  'with keys each message is a token of its own, and its age is checked if there is a limit',
  async (t) => {
    let time = now();
    const keys = { symmetricEncryptionKeys: ['key'] };
    const limited = new MessageCodec(keys, { now: () => time, ttlSeconds: 70 });
    const unlimited = new MessageCodec(keys, { now: () => time });
    const complete = limited.encodeBut(message, 'last');
    const tokens = [limited.encode(message), limited.encode(message), complete(1), complete(1)];
    t.equal(new Set(tokens.map(String)).size, 4);
    for (const token of tokens) t.match(limited.decode(token), message);
    const [token = new Uint8Array()] = tokens;
    time += 71_000;
    t.throws(() => limited.decode(token), undecodable);
    t.strictSame(unlimited.decode(token), message);
    t.throws(() => limited.decode(encode(message)), undecodable, 'a message in the clear');
    t.throws(() => new MessageCodec({}, { now }).decode(token), undecodable, 'a token without a key');
  },
);

t.test('what is no map with text keys is no message', async (t) => {
  const codec = new MessageCodec({}, { now });
  for (const value of [null, 5, 'text', [1, 2], new Map([[new Uint8Array(1), 1]])])
    t.throws(() => codec.decode(encode(value)), undecodable);
});

t.test('options that make no sense are refused, without showing a key', async (t) => {
  const open = (options: object) => () => new MessageCodec(options, { now });
  t.throws(open({ serializer: 'pickle' }), {
    ...invalidOption,
    message: 'expected serializer to be "msgpack" or "json", got: "pickle"',
  });
  t.throws(open({ symmetricEncryptionKeys: 'topsecret' }), { ...invalidOption, message: /^(?!.*topsecret)/ });
  t.throws(open({ symmetricEncryptionKeys: [['topsecret']] }), {
    ...invalidOption,
    message: /^(?!.*topsecret)/,
  });
  t.doesNotThrow(open({ symmetricEncryptionKeys: [] }), 'an empty list means no encryption');
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
