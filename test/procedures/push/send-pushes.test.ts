import t from 'tap';
import { judge, pushes, retryAt } from '../../../procedures/push/send-pushes.js';
import { noon } from '../../support/site.js';

t.test(
  'Retry-After is a number of seconds or a date, at least a second and at most a day ahead',
  async (t) => {
    for (const [header, at] of [
      ['0', noon + 1000],
      ['120', noon + 120_000],
      ['Tue, 24 Nov 2026 12:05:00 GMT', noon + 300_000],
      ['Tue, 24 Nov 2026 11:00:00 GMT', noon + 1000],
      ['999999999', noon + 86_400_000],
      ['soon', undefined],
      ['-5', undefined],
      [undefined, undefined],
    ] as const) {
      t.equal(retryAt(header, noon), at, String(header));
    }
  },
);

t.test('each status has its meaning', async (t) => {
  const kinds = (...statuses: number[]) =>
    statuses.map((status) => judge({ status, retryAfter: undefined, text: '' }, noon).kind);
  t.same(kinds(200, 201, 202, 204), ['sent', 'sent', 'sent', 'sent']);
  t.same(kinds(404, 410), ['gone', 'gone']);
  t.same(kinds(301, 400, 401, 403, 413), ['refused', 'refused', 'refused', 'refused', 'refused']);
  t.same(kinds(408, 429, 500, 502, 503, 504), ['failed', 'failed', 'failed', 'failed', 'failed', 'failed']);
  t.same(judge({ status: 429, retryAfter: '7', text: 'slow down' }, noon), {
    kind: 'later',
    answer: '429 slow down',
    at: noon + 7000,
  });
  t.match(judge({ status: 503, retryAfter: '7', text: '' }, noon), { kind: 'later', at: noon + 7000 });
  t.match(judge({ status: 503, retryAfter: 'later', text: '' }, noon), { kind: 'failed' });
});

t.test('pauses grow up to an hour', async (t) => {
  t.same(
    [1, 2, 3, 4, 5, 50].map(pushes.pauseAfter),
    [15_000, 60_000, 240_000, 960_000, 3_600_000, 3_600_000],
  );
});
