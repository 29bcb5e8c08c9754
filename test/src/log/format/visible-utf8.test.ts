import t from 'tap';
import { decodeVisibly } from '../../../../src/log/format/visible-utf8.js';
import { parseLogRequest } from '../../../../src/log/messages.js';
import { cases, Random } from '../../../support/random.js';

t.test('bytes that are no UTF-8 are shown, and the text around them is kept', async (t) => {
  t.equal(decodeVisibly(Buffer.from('größer €😀')), 'größer €😀');
  t.equal(decodeVisibly(Buffer.from([0x67, 0x72, 0xf6, 0xdf, 0x65, 0x72])), 'gr\\xf6\\xdfer');
  t.equal(decodeVisibly(Buffer.from([0xe2, 0x82])), '\\xe2\\x82', 'a character that is cut');
  t.equal(decodeVisibly(Buffer.from([0xed, 0xa0, 0x80, 0x61])), '\\xed\\xa0\\x80a', 'half a character');
  t.equal(decodeVisibly(Buffer.from([0xc0, 0x80])), '\\xc0\\x80', 'a character that is too long');
  t.equal(decodeVisibly(Buffer.from([0xf5, 0x80])), '\\xf5\\x80', 'no character at all');
});

t.test('whatever the bytes are, each is in the text once', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const characters = ['a', 'é', '€', '😀'].map((text) => Buffer.from(text));
  // A text that has `\\x` itself looks like a byte that is shown.
  const otherBytes = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 0x5c);
  for (let i = 0; i < cases(1000); i++) {
    const parts = Array.from({ length: random.whole(0, 8) }, () =>
      random.chance(0.5) ? random.pick(characters) : Buffer.from([random.pick(otherBytes)]),
    );
    const bytes = Buffer.concat(parts);
    const shown = decodeVisibly(bytes).split(/(\\x[0-9a-f]{2})/);
    const back = shown.map((part) =>
      part.startsWith('\\x') ? Buffer.from(part.slice(2), 'hex') : Buffer.from(part),
    );
    if (!Buffer.concat(back).equals(bytes)) t.fail('bytes are lost', { bytes: [...bytes], shown });
  }
});

t.test('a log.record may have bytes for text', async (t) => {
  const message = {
    type: 'log.record',
    name: 'old',
    message: Buffer.from([0x67, 0xf6]),
    exc_text: Buffer.from('at x'),
  };
  t.match(parseLogRequest(message), { message: 'g\\xf6', exc_text: 'at x' });
});
