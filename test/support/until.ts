// Waiting for what is to happen, instead of for a time.

/** After so many turns of the event loop it is another process that is waited for, which needs the processor. */
const quickTurns = 50;

/** Lets the event loop turn until the condition holds; fails after two minutes with what was waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 120_000;
  for (let turn = 0; !(await condition()); turn++) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => {
      if (turn < quickTurns) setImmediate(resolve);
      else setTimeout(resolve, 2);
    });
  }
}

/**
 * Waits until a count is above zero and many turns of the event loop no longer change it: for what a full buffer stops
 * between two ends in this process.
 */
export async function untilStill(what: string, count: () => number): Promise<void> {
  const stillTurns = 1000;
  let before = 0;
  await until(what, async () => {
    before = count();
    for (let turn = 0; turn < stillTurns && count() === before; turn++) await turns(1);
    return before > 0 && count() === before;
  });
}

/** Lets the event loop turn some times, for what is not to happen to have had its chance. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
