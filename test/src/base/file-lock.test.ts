import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FileLock } from '../../../src/base/files/file-lock.js';
import { isSuspended, ownProcess } from '../../../src/base/process-owner.js';
import { testDirectory } from '../../support/directory.js';
import { forkTypeScript } from '../../support/fork-typescript.js';
import { until } from '../../support/until.js';

/** Another process that takes and releases the lock. */
class Other {
  readonly child: ChildProcess;

  constructor(t: Test, path: string, name: string) {
    this.child = forkTypeScript('file-lock-child.ts', [path, name]);
    t.teardown(() => {
      this.child.kill('SIGKILL');
    });
  }

  /** @returns whether it has the lock afterwards */
  async ask(what: 'take' | 'release'): Promise<boolean> {
    const [held] = await Promise.all([once(this.child, 'message'), this.child.send(what)]);
    return held[0] === true;
  }
}

t.test('one process has the lock until it ends, suspended or not', async (t) => {
  const path = join(testDirectory(t), 'new', 'writer.lock');
  const own = new FileLock(path, 'own');
  const other = new Other(t, path, 'other');
  t.notOk(own.held);
  t.ok(own.take(), 'the lock creates its directory');
  t.ok(own.held && own.take(), 'taking it again changes nothing');
  t.equal(own.lastOwner(), undefined);
  own.recordOwner();
  t.match(own.lastOwner(), { name: 'own', ...ownProcess() });
  t.notOk(await other.ask('take'));
  own.release();
  own.release();
  t.ok(await other.ask('take'));
  t.notOk(own.take());
  t.match(own.lastOwner(), { name: 'other', pid: other.child.pid });
  t.notOk(await other.ask('release'));
  t.ok(own.take());
  own.release();

  t.ok(await other.ask('take'));
  other.child.kill('SIGSTOP');
  const pid = other.child.pid ?? 0;
  await until('it is suspended', () => isSuspended({ ...ownProcess(), pid }));
  t.notOk(own.take(), 'a suspended process keeps it');
  other.child.kill('SIGKILL');
  await once(other.child, 'exit');
  t.ok(own.take(), 'a killed process does not');
  own.release();
});

t.test('two locks in one process exclude each other, as two processes do', async (t) => {
  const path = join(testDirectory(t), 'writer.lock');
  const [a, b] = [new FileLock(path, 'a'), new FileLock(path, 'b')];
  t.ok(a.take());
  t.notOk(b.take());
  t.ok(a.held, 'a failed attempt of another leaves the lock in place');
  const other = new Other(t, path, 'other');
  t.notOk(await other.ask('take'), 'the kernel has kept the lock, too');
  a.release();
  t.ok(b.take());
  b.release();
});

t.test('removing the file of a lock frees it, and it can be taken again', async (t) => {
  const path = join(testDirectory(t), 'writer.lock');
  const [a, b] = [new FileLock(path, 'a'), new FileLock(path, 'b')];
  t.ok(a.take());
  renameSync(path, `${path}.old`);
  t.notOk(a.held);
  t.ok(b.take());
  t.notOk(a.take());
  b.release();
  t.ok(a.take());
  a.release();
});

t.test(
  'an error names the path that cannot be locked, and an unreadable owner file names nobody',
  async (t) => {
    const directory = testDirectory(t, {
      file: '',
      'a.lock': 'this is not a file of SQLite, and so long that it could be one',
    });
    const below = new FileLock(join(directory, 'file', 'writer.lock'), 'a');
    t.throws(() => below.take(), {
      code: 'LINOD_ERR_FILE_LOCK',
      message: /file\/writer\.lock cannot be locked: /,
    });
    mkdirSync(join(directory, 'b.lock'));
    t.throws(() => new FileLock(join(directory, 'b.lock'), 'a').take(), { code: 'LINOD_ERR_FILE_LOCK' });
    const lock = new FileLock(join(directory, 'c.lock'), 'c');
    for (const text of ['', '{"name":', '{"name":1}', 'null']) {
      writeFileSync(`${lock.path}.owner`, text);
      t.equal(lock.lastOwner(), undefined);
    }
  },
);

t.test('only those who could remove the file of a lock can read it', async (t) => {
  const directory = testDirectory(t);
  const path = join(directory, 'writer.lock');
  const lock = new FileLock(path, 'a');
  const modeAfter = () => {
    t.ok(lock.take());
    lock.release();
    return statSync(path).mode & 0o777;
  };
  chmodSync(directory, 0o755);
  t.equal(modeAfter(), 0o600);
  chmodSync(path, 0o644);
  t.equal(modeAfter(), 0o600, 'the mode of an earlier version is corrected');
  chmodSync(directory, 0o775);
  t.equal(modeAfter(), 0o660, 'the group shares a group-writable directory');
});

t.test('a lock and its owner file are not written through a link, and a pipe does not block', async (t) => {
  const directory = testDirectory(t, { target: 'of somebody else' });
  const [target, path] = [join(directory, 'target'), join(directory, 'writer.lock')];
  const lock = new FileLock(path, 'a');
  symlinkSync(target, `${path}.owner`);
  t.ok(lock.take());
  lock.recordOwner();
  t.equal(lock.lastOwner(), undefined);
  t.equal(readFileSync(target, 'utf8'), 'of somebody else');
  lock.release();
  rmSync(`${path}.owner`);
  execFileSync('mkfifo', [`${path}.owner`]);
  lock.recordOwner();
  t.equal(lock.lastOwner(), undefined);
  rmSync(path);
  symlinkSync(target, path);
  t.throws(() => lock.take(), { code: 'LINOD_ERR_FILE_LOCK', message: /is no regular file/ });
});
