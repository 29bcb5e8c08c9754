import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import t from 'tap';
import { Fernet } from '../../../channels/codec/encryption.js';
import { wireVectors } from '../../support/wire-vectors.js';

const { fixed, verdicts } = wireVectors.encryption;
const undecodable = { code: 'CHANNELS_ERR_UNDECODABLE' };

t.test('a token has the bytes that Python makes of the same key, time and text', async (t) => {
  t.ok(fixed.length > 2);
  for (const { key, time, iv_hex, plaintext_b64, token } of fixed) {
    const made = new Fernet([key]).encrypt(
      Buffer.from(plaintext_b64, 'base64'),
      time * 1000 + 999,
      Buffer.from(iv_hex, 'hex'),
    );
    t.equal(made.toString(), token);
  }
});

t.test('tokens are accepted and refused as by Python', async (t) => {
  t.ok(verdicts.length > 20);
  for (const { id, keys, token, ttl, now, plaintext_b64, error } of verdicts) {
    const read = () =>
      new Fernet(keys).decrypt(
        Buffer.from(token, 'latin1'),
        ttl === null ? undefined : { nowMs: now * 1000 + 999, ttlSeconds: ttl },
      );
    if (error !== undefined) t.throws(read, undecodable, id);
    else t.equal(read().toString('base64'), plaintext_b64, id);
  }
});

t.test('the first key encrypts, each of them reads, another does not', async (t) => {
  const [before, between, after] = [new Fernet(['old']), new Fernet(['new', 'old']), new Fernet(['new'])];
  const text = Buffer.from('text');
  const token = between.encrypt(text, Date.now());
  t.same(after.decrypt(token), text);
  t.same(between.decrypt(before.encrypt(text, Date.now())), text);
  t.throws(() => before.decrypt(token), undecodable);
  t.notSame(between.encrypt(text, 0), between.encrypt(text, 0), 'no two tokens are the same');
});

t.test('a changed token is refused, whichever character was changed', async (t) => {
  const fernet = new Fernet(['key']);
  const token = fernet.encrypt(Buffer.from('text'), Date.now());
  for (let at = 0; at < token.length; at++) {
    const changed = Buffer.from(token);
    changed[at] = changed[at] === 0x41 ? 0x42 : 0x41;
    // The last character before the padding has bits that mean nothing: Python, too, does not look at them.
    if (bytesOf(changed).equals(bytesOf(token))) continue;
    t.throws(() => fernet.decrypt(changed), undecodable, String(at));
  }
  for (const cut of [0, 4, 76, token.length - 4])
    t.throws(() => fernet.decrypt(token.subarray(0, cut)), undecodable);
});

t.test('no error shows a key', async (t) => {
  const keys = [5, ['topsecret']] as unknown as string[];
  t.throws(() => new Fernet(keys), {
    code: 'CHANNELS_ERR_INVALID_OPTION',
    option: 'symmetricEncryptionKeys[0]',
  });
  const fernet = new Fernet(['topsecret']);
  t.notMatch(
    inspect(fernet, { depth: 10, showHidden: true }),
    new RegExp(`topsecret|${createHash('sha256').update('topsecret').digest('hex').slice(0, 8)}`),
  );
});

function bytesOf(token: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(token).toString('latin1'), 'base64url');
}
