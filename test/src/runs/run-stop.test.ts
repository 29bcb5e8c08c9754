import t from 'tap';
import { RunAbortedError, RunStop } from '../../../src/runs/run-stop.js';

const late = new RunAbortedError('timeout', 'too late');
const unwanted = new RunAbortedError('cancelled', 'unwanted', 500);

t.test('the signal is aborted with the reason, also when it is asked for afterwards', async (t) => {
  const before = new RunStop();
  const { signal } = before;
  t.notOk(signal.aborted);
  before.abort(late);
  t.equal(signal.reason, late);
  const after = new RunStop();
  after.abort(late);
  t.equal(after.signal.reason, late);
});

t.test('the first wish is the reason, and each one is heard', async (t) => {
  const stop = new RunStop();
  const heard: RunAbortedError[] = [];
  stop.abort(late);
  stop.onAbort((reason) => heard.push(reason));
  stop.abort(unwanted);
  t.equal(stop.reason, late);
  t.same(heard, [late, unwanted]);
});
