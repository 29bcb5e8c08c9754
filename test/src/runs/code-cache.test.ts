import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CodeCache } from '../../../src/runs/code-cache.js';
import { testDirectory } from '../../support/directory.js';

function begin(t: Test, source: string) {
  const directory = testDirectory(t);
  const file = join(directory, 'program.cjs');
  const kept = join(directory, '.cache');
  writeFileSync(file, source);
  return { file, kept };
}

t.test('what was kept is taken, and does the same', (t) => {
  const { file, kept } = begin(t, '(function twice(x) { return 2 * x; })');
  const first = new CodeCache(kept);
  const script = first.compile(file, { version: 'A' });
  t.equal(script.runInThisContext()(3), 6);
  t.equal(script.cachedDataRejected, undefined, 'there was none');
  first.keep();
  const again = new CodeCache(kept).compile(file, { version: 'A' });
  t.equal(again.cachedDataRejected, false);
  t.equal(again.runInThisContext()(3), 6);
  t.end();
});

t.test(
  'another source of the same length is compiled, and what is kept of the former one is removed',
  (t) => {
    const { file, kept } = begin(t, '(() => 1)');
    const first = new CodeCache(kept);
    first.compile(file, { version: 'A' });
    first.keep();
    writeFileSync(file, '(() => 2)');
    const second = new CodeCache(kept);
    const script = second.compile(file, { version: 'B' });
    t.equal(script.cachedDataRejected, undefined);
    t.equal(script.runInThisContext()(), 2);
    second.keep();
    t.equal(readdirSync(kept).length, 1);
    t.equal(new CodeCache(kept).compile(file, { version: 'B' }).cachedDataRejected, false);
    t.end();
  },
);

t.test('a file that was damaged is not taken, and is replaced', (t) => {
  const { file, kept } = begin(t, '(() => "é")');
  const first = new CodeCache(kept);
  first.compile(file, { version: 'A' });
  first.keep();
  const [name = ''] = readdirSync(kept);
  const whole = readFileSync(join(kept, name));
  const bit = Buffer.from(whole);
  bit[100] = (bit[100] ?? 0) ^ 1;
  const nothing = Buffer.alloc(0);
  for (const damaged of [whole.subarray(0, 30), whole.subarray(0, -2), bit, nothing]) {
    writeFileSync(join(kept, name), damaged);
    const cache = new CodeCache(kept);
    const script = cache.compile(file, { version: 'A' });
    t.equal(script.cachedDataRejected, undefined);
    t.equal(script.runInThisContext()(), 'é');
    cache.keep();
    t.equal(new CodeCache(kept).compile(file, { version: 'A' }).cachedDataRejected, false);
  }
  t.end();
});

t.test('where nothing can be kept, everything is compiled', (t) => {
  const { file } = begin(t, '(() => 1)');
  const cache = new CodeCache(join(file, 'no-directory'));
  t.equal(cache.compile(file, { version: 'A' }).runInThisContext()(), 1);
  cache.keep();
  t.end();
});
