import t from 'tap';
import { lookAgainAndAgain } from '../../../../src/commands/channels/looks.js';
import type { Sight } from '../../../../src/commands/channels/top-view.js';

/** Looks at a layer that answers or fails as the list says. */
async function watch(answers: ReadonlyArray<'well' | 'fails'>, stop = new AbortController()) {
  const shown: Sight[] = [];
  const failures: unknown[] = [];
  let looks = 0;
  await lookAgainAndAgain({
    look: async () => {
      if (answers[looks++] === 'fails') throw new Error('away');
      return { at: looks * 1000, channels: [], processes: [] };
    },
    everyMs: 1,
    count: answers.length,
    signal: stop.signal,
    show: (sight) => {
      shown.push(sight);
      if (shown.length === 3) stop.abort();
    },
    onFailed: (error) => failures.push(error),
  });
  return { shown, failures, looks };
}

t.test('it looks as often as it is told', async (t) => {
  t.match(await watch(['well', 'well']), { shown: { length: 2 }, failures: [], looks: 2 });
});

t.test('a look that fails is told, and the next one counts again', async (t) => {
  const { shown, failures } = await watch(['well', 'fails', 'well']);
  t.equal(shown.length, 2);
  t.match(failures, [{ message: 'away' }]);
});

t.test('when the first look fails there is nothing to show', async (t) => {
  await t.rejects(watch(['fails', 'well']), { message: 'away' });
});

t.test('it ends when it is told to, also while it waits', async (t) => {
  t.match(await watch(['well', 'well', 'well', 'well', 'well']), { shown: { length: 3 } });
  const stopped = new AbortController();
  stopped.abort();
  t.match(await watch(['well'], stopped), { looks: 0 });
});

t.test('a look that hangs keeps nobody who wants to end', async (t) => {
  const stop = new AbortController();
  let looks = 0;
  await lookAgainAndAgain({
    look: () => {
      if (++looks === 2) setImmediate(() => stop.abort());
      return looks === 2
        ? new Promise(() => undefined)
        : Promise.resolve({ at: 0, channels: [], processes: [] });
    },
    everyMs: 1,
    count: undefined,
    signal: stop.signal,
    show: () => undefined,
    onFailed: (error) => t.fail(String(error)),
  });
  t.equal(looks, 2);
});
