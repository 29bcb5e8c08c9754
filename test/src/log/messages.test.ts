import t from 'tap';
import { parseLogAnswer, parseLogRequest } from '../../../src/log/messages.js';
import { batchOf } from '../../support/log.js';

t.test('what fits is passed on, text as bytes', async (t) => {
  const batch = batchOf({ numbers: [1] });
  t.strictSame(parseLogRequest({ ...batch }), batch);
  t.match(parseLogRequest({ ...batch, bytes: 'é' }), { bytes: Buffer.from('é') });
  t.strictSame(parseLogRequest({ type: 'log.server' }), { type: 'log.server' });
  t.match(parseLogRequest({ type: 'log.record', msg: 'a' }), { name: 'root', msg: 'a' });
  t.strictSame(parseLogAnswer({ type: 'log.ready' }), { type: 'log.ready' });
});

t.test('what does not fit is refused with what is wrong', async (t) => {
  const batch = batchOf({ numbers: [1] });
  const cases: Array<[Record<string, unknown>, RegExp]> = [
    [{ ...batch, first: 0 }, /"log\.records": expected first to be at least 1, got: 0/],
    [{ ...batch, count: 1.5 }, /expected count to be a whole number, got: 1\.5/],
    [{ ...batch, sender: 'web' }, /expected sender to be a label such as "web\[812\]", got: "web"/],
    [{ ...batch, sender: '-' }, /expected sender to be /],
    [{ ...batch, bytes: 7 }, /bytes/],
    [{ ...batch, epoch: 'a b' }, /epoch/],
    [{ type: 'other' }, /"other": .*type/],
    [{}, /type/],
  ];
  for (const [message, problem] of cases) {
    t.throws(() => parseLogRequest(message), { code: 'LINOD_ERR_BAD_MESSAGE', message: problem });
  }
});
