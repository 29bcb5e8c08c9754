// The other end of file-lock.test.ts: takes a lock when it is told to, and says whether it has it.

import { FileLock } from '../../src/base/files/file-lock.js';

const [path = '', name = ''] = process.argv.slice(2);
const lock = new FileLock(path, name);

process.on('message', (wanted) => {
  if (wanted === 'release') lock.release();
  else if (lock.take()) lock.recordOwner();
  process.send?.(lock.held);
});
process.on('disconnect', () => process.exit());
