import { join } from 'node:path';
import t from 'tap';
import { storeContract } from '../../contracts/store.js';
import { testDirectory } from '../../support/directory.js';
import { PostgresServer } from '../../support/postgres.js';

t.test('SQLite', async (t) => {
  storeContract(t, async (t) => `sqlite:${join(testDirectory(t), 'linod.db')}`);
});

t.test('PostgreSQL', async (t) => {
  const server = await PostgresServer.start(t);
  storeContract(t, () => server.createSchema());
});
