import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { KeptHashes } from '../../../src/runs/kept-hashes.js';
import { testDirectory } from '../../support/directory.js';

function begin(t: Test) {
  const path = join(testDirectory(t), '.cache', 'hashes.json');
  const hashed: string[] = [];
  const open = () =>
    new KeptHashes(path, (text) => {
      hashed.push(text.slice(0, 10));
      return `#${text.length}`;
    });
  return { path, hashed, open };
}

t.test('a text is hashed once, and others are told from it', (t) => {
  const { path, hashed, open } = begin(t);
  const first = open();
  t.equal(first.of('a'), '#1');
  t.equal(first.of('a'), '#1');
  first.keep();
  const second = open();
  t.equal(second.of('a'), '#1');
  t.equal(second.of('bb'), '#2');
  second.keep();
  t.same(hashed, ['a', 'bb']);
  t.equal(open().of('bb'), '#2');
  t.same(hashed, ['a', 'bb']);
  t.same(readdirSync(join(path, '..')), ['hashes.json'], 'no draft is left');
  t.end();
});

t.test('nothing is written when nothing is new', (t) => {
  const { path, open } = begin(t);
  const first = open();
  first.of('a');
  first.keep();
  const before = readFileSync(path, 'utf8');
  writeFileSync(path, ` ${before}`);
  const second = open();
  second.of('a');
  second.keep();
  t.equal(readFileSync(path, 'utf8'), ` ${before}`);
  t.end();
});

t.test('a file that was damaged is not believed, and is replaced', (t) => {
  const { path, hashed, open } = begin(t);
  const first = open();
  first.of('a');
  first.keep();
  const whole = readFileSync(path, 'utf8');
  for (const damaged of ['', whole.slice(0, -1), '{}', '[["a", 1]]', '[null]', '[["a"]]']) {
    hashed.splice(0);
    writeFileSync(path, damaged);
    const hashes = open();
    t.equal(hashes.of('a'), '#1');
    hashes.keep();
    t.same(hashed, ['a'], damaged);
    t.equal(readFileSync(path, 'utf8'), whole);
  }
  t.end();
});

t.test('when there is too much, what was used last is kept', (t) => {
  const { hashed, open } = begin(t);
  const [old, used, fresh] = ['o', 'u', 'f'].map((letter) => letter.repeat(90_000));
  const first = open();
  for (const text of [used, old]) first.of(text ?? '');
  first.keep();
  const second = open();
  for (const text of [used, fresh]) second.of(text ?? '');
  second.keep();
  hashed.splice(0);
  const third = open();
  for (const text of [used, fresh, old]) third.of(text ?? '');
  t.same(hashed, ['oooooooooo']);
  t.end();
});
