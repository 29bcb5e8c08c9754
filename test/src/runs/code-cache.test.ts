import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
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

t.test('what other versions of Node have kept is removed when it was not used for a month', (t) => {
  const { file, kept } = begin(t, '(() => 1)');
  const first = new CodeCache(kept);
  first.compile(file, { version: 'A' });
  first.keep();
  const [own = ''] = readdirSync(kept);
  const age = (name: string, days: number) => {
    const at = Date.now() / 1000 - days * 86_400;
    utimesSync(join(kept, name), at, at);
  };
  for (const [name, days] of [
    ['program.oldnode.A.code', 31],
    ['program.oldnode.A.code.812.x7k2', 31],
    ['program.othernode.A.code', 29],
    ['config.0815.mjs', 31],
  ] as const) {
    writeFileSync(join(kept, name), '');
    age(name, days);
  }
  const use = () => {
    const cache = new CodeCache(kept);
    t.equal(cache.compile(file, { version: 'A' }).cachedDataRejected, false);
    cache.keep();
  };
  use();
  t.equal(readdirSync(kept).length, 5, 'this is looked for once a day');
  age(own, 2);
  use();
  const left = ['config.0815.mjs', own, 'program.othernode.A.code'];
  t.same(readdirSync(kept).sort(), left.sort(), 'what is not compiled code stays');
  t.ok(Date.now() - statSync(join(kept, own)).mtimeMs < 86_400_000, 'what is used says so');

  age('program.othernode.A.code', 31);
  const next = new CodeCache(kept);
  next.compile(file, { version: 'B' });
  next.keep();
  t.notOk(readdirSync(kept).includes('program.othernode.A.code'), 'also when something is compiled');
  t.equal(readdirSync(kept).length, 2);
  t.end();
});
