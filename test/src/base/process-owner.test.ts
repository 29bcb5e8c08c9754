import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import t from 'tap';
import { ownerState, ownProcess, processStart } from '../../../src/base/process-owner.js';
import { until } from '../../support/until.js';

t.test('this process is alive, a later one with its number is another', async (t) => {
  t.equal(ownerState(ownProcess()), 'alive');
  t.equal(ownerState({ ...ownProcess(), start: '1' }), 'dead');
  t.equal(ownerState({ ...ownProcess(), host: 'elsewhere' }), 'elsewhere');
});

t.test('a process that has ended and was not yet asked how is dead', async (t) => {
  // The shell becomes a program that never waits for the child that the shell made.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => parent.kill('SIGKILL'));
  const [line] = await once(createInterface({ input: parent.stdout }), 'line');
  const pid = Number(line);
  const owner = { ...ownProcess(), pid, start: processStart(pid) ?? '' };
  process.kill(pid, 'SIGKILL');
  await until('it is a zombie', () => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
  t.equal(processStart(pid), undefined);
  t.equal(ownerState(owner), 'dead');
});
