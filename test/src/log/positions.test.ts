import t from 'tap';
import { KyselyPositionStore } from '../../../src/log/positions.js';
import { openStore } from '../../../src/store/store.js';
import { migratedDatabase } from '../../support/database.js';
import { testDirectory } from '../../support/directory.js';

t.test('a checkpoint is kept, changed and trimmed', async (t) => {
  const store = await openStore({ url: await migratedDatabase(t, testDirectory(t)) });
  t.teardown(() => store.close());
  const positions = new KyselyPositionStore(store.db);
  t.equal(await positions.load(), undefined);

  const web = { sender: 'web[1]', epoch: 'a', last: 5, isCurrent: true, heardAt: 1000 };
  const api = { sender: 'api[2]', epoch: 'b', last: 7, isCurrent: false, heardAt: 1000 };
  await positions.save({ file: 'f', offset: 100, positions: [web, api], forgotten: [] });
  t.strictSame(await positions.load(), { file: 'f', offset: 100, positions: [web, api] });

  const later = { ...web, last: 9, isCurrent: false };
  await positions.save({ file: 'g', offset: 50, positions: [later], forgotten: [api] });
  t.strictSame(await positions.load(), { file: 'g', offset: 50, positions: [later] });
});
