// Runs compiled test files, some at a time, each in a process of its own, and adds up what they print.
//
// `npx tap` runs the same files from their sources. This is for all of them: tap's own runner loads hooks into each
// process, for coverage, which together with compiling takes most of the time of a small file.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { compiledPath, withPlacesInSources } from './compile-tests.mjs';

/** So long may a file take: tap ends what takes longer than the first, and what it cannot is ended here. */
const timeoutSeconds = 400;
const patienceMs = 430_000;

/**
 * Runs them, in this order.
 *
 * @param files paths of sources
 * @param options.compiled the folder that `compileTests` has made
 * @param options.jobs how many at a time
 * @param options.verbose prints all that they print; otherwise only what failed
 * @returns how many assertions passed, failed and were skipped, and the seconds that each file took
 */
export async function runTests(files, { compiled, jobs, verbose }) {
  const totals = { pass: 0, fail: 0, skip: 0, times: [] };
  const waiting = [...files];
  const running = Array.from({ length: jobs }, async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runFile(file, compiled);
      totals.pass += result.pass;
      totals.fail += result.fail;
      totals.skip += result.skip;
      totals.times.push({ file, seconds: result.seconds });
      tell(file, result, totals.times.length, verbose);
    }
  });
  await Promise.all(running);
  return totals;
}

async function runFile(file, compiled) {
  const began = performance.now();
  const child = spawn(process.execPath, [compiledPath(compiled, file)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP_TIMEOUT: String(timeoutSeconds), COMPILED_TESTS: compiled },
  });
  const written = { stdout: [], stderr: [] };
  child.stdout.on('data', (data) => written.stdout.push(data));
  child.stderr.on('data', (data) => written.stderr.push(data));
  const patience = setTimeout(() => giveUp(file, child.pid), patienceMs);
  const [code, signal] = await once(child, 'close');
  clearTimeout(patience);
  const [stdout, stderr] = [written.stdout, written.stderr].map((parts) => String(Buffer.concat(parts)));
  const counts = countsIn(stdout);
  // A file that crashed before its first assertion, or has none, counts as one that failed.
  const ok = code === 0 && counts.fail === 0 && counts.pass + counts.skip > 0;
  if (!ok && counts.fail === 0) counts.fail = 1;
  const seconds = (performance.now() - began) / 1000;
  return { ...counts, ok, end: signal ?? code, stdout, stderr, compiled, seconds };
}

/** From the summary at the end of a file: `# { total: 3, pass: 2, fail: 1 }`. */
function countsIn(output) {
  const counts = { pass: 0, fail: 0, skip: 0, todo: 0 };
  const summary = output.split('\n').findLast((line) => /^# \{ total: \d+.*\}$/.test(line));
  for (const [, kind, count] of (summary ?? '').matchAll(/(\w+): (\d+)/g)) counts[kind] = Number(count);
  return counts;
}

function tell(file, { ok, end, stdout, stderr, compiled, seconds }, number, verbose) {
  const lines = verbose ? stdout.split('\n') : ok ? [] : failuresIn(stdout);
  const text = [...lines, stderr.trim()].filter((line) => line !== '').join('\n');
  if (text !== '') console.log(withPlacesInSources(compiled, text));
  const took = `# time=${seconds.toFixed(1)}s`;
  console.log(ok ? `ok ${number} - ${file} ${took}` : `not ok ${number} - ${file} ended with ${end} ${took}`);
}

/** What failed and what is told of it; where a process that crashed was. */
function failuresIn(output) {
  const lines = output.split('\n');
  const told = [];
  let isFailing = false;
  for (const line of lines) {
    if (/^\s*not ok /.test(line)) isFailing = true;
    else if (/^\s*(ok \d|# Subtest)/.test(line)) isFailing = false;
    if (isFailing) told.push(line);
  }
  return told.length > 0 ? told : lines.slice(-20);
}

/** Tells what still runs below a process, and ends it with all of that. */
function giveUp(file, pid) {
  console.log(`${file} has taken ${patienceMs / 1000} seconds and is ended; still running:`);
  const { stdout } = spawnSync('ps', ['-eo', 'pid=,ppid=,etime=,args='], { encoding: 'utf8' });
  const all = stdout.split('\n').map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []);
  const below = (parent) =>
    all.filter(([, , of]) => Number(of) === parent).flatMap((one) => [one, ...below(Number(one[1]))]);
  const running = below(pid);
  for (const [line] of running) console.log(line);
  for (const one of [...running.map(([, child]) => Number(child)), pid]) {
    try {
      process.kill(one, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}
