import { createRequire } from 'node:module';
import { join } from 'node:path';
import t from 'tap';
import type { Migration } from '../../../src/store/migrate.js';
import { ownMigrations } from '../../../src/store/migrations/index.js';
import { openStore } from '../../../src/store/store.js';
import { testDirectory } from '../../support/directory.js';

/** The daemon's own migrations, in order. */
const own = ownMigrations.migrations.map(({ name }) => `linod ${name}`);

const notes: Migration = {
  name: '0001-notes',
  async up(db) {
    await db.schema.createTable('notes').addColumn('id', 'integer').execute();
  },
};

t.test('a new database gets all tables once', async (t) => {
  const path = join(testDirectory(t), 'site', 'linod.db');
  const first = await openStore({ path, migrations: [ownMigrations] });
  t.same(first.migrated, own);
  t.same(await first.db.selectFrom('job_rules').selectAll().execute(), []);
  await first.close();
  await first.close();
  const second = await openStore({ path, migrations: [ownMigrations] });
  t.same(second.migrated, []);
  await second.close();
});

t.test('a database of the first migration gets the later ones, and keeps its rows', async (t) => {
  const path = join(testDirectory(t), 'linod.db');
  const [first = notes, ...later] = ownMigrations.migrations;
  const before = await openStore({ path, migrations: [{ owner: 'linod', migrations: [first] }] });
  const order = { name: 'tasks', ordered_at: 1, ordered_by: 'ann' };
  await before.db.insertInto('start_orders').values(order).execute();
  await before.close();
  const store = await openStore({ path, migrations: [ownMigrations] });
  t.same(
    store.migrated,
    later.map(({ name }) => `linod ${name}`),
  );
  t.same(await store.db.selectFrom('start_orders').selectAll().execute(), [order]);
  t.same(await store.db.selectFrom('console_audit').selectAll().execute(), []);
  await store.close();
});

t.test('processes that open a new database at once run each migration once', async (t) => {
  const path = join(testDirectory(t), 'linod.db');
  const stores = await Promise.all([1, 2, 3].map(() => openStore({ path, migrations: [ownMigrations] })));
  t.same(stores.flatMap((store) => store.migrated).sort(), own);
  for (const store of stores) await store.close();
});

t.test('a migration that fails leaves nothing behind and can run again', async (t) => {
  const path = join(testDirectory(t), 'linod.db');
  const failing: Migration = {
    name: '0001-notes',
    async up(db) {
      await notes.up(db);
      throw new Error('no');
    },
  };
  await t.rejects(openStore({ path, migrations: [{ owner: 'app', migrations: [failing] }] }), {
    message: 'no',
  });
  const store = await openStore({ path, migrations: [{ owner: 'app', migrations: [notes] }] });
  t.same(store.migrated, ['app 0001-notes']);
  await store.close();
});

t.test('a database of a newer version is refused with its name', async (t) => {
  const path = join(testDirectory(t), 'linod.db');
  await (await openStore({ path, migrations: [{ owner: 'app', migrations: [notes] }] })).close();
  await t.rejects(openStore({ path, migrations: [{ owner: 'app', migrations: [] }] }), {
    code: 'LINOD_ERR_NEWER_DATABASE',
    message: `database ${path} has unknown migrations of app: 0001-notes; a newer version created it, or one from before the first release: update app and restart its programs, or use another database`,
  });
  const other = await openStore({ path, migrations: [ownMigrations] });
  t.same(other.migrated, own, "another owner's migrations do not matter");
  await other.close();
});

t.test('a site on SQLite does not load what PostgreSQL needs', async (t) => {
  const store = await openStore({ url: `sqlite:${join(testDirectory(t), 'linod.db')}` });
  t.teardown(() => store.close());
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  t.ok(loaded.some((path) => path.includes('/node_modules/better-sqlite3/')));
  t.same(
    loaded.filter((path) => /\/node_modules\/pg[-/]/.test(path)),
    [],
  );
});

t.test('a file that is no database is refused with its name', async (t) => {
  const directory = testDirectory(t, {
    'linod.db': 'this is a text, long enough for SQLite to read it as a header',
  });
  const path = join(directory, 'linod.db');
  await t.rejects(openStore({ path }), {
    code: 'LINOD_ERR_STORE_UNAVAILABLE',
    message: `cannot open the database ${path}: file is not a database`,
  });
});

t.test('a database from before the first release is refused', async (t) => {
  const path = join(testDirectory(t), 'linod.db');
  await (await openStore({ path, migrations: [{ owner: 'linod', migrations: [notes] }] })).close();
  await t.rejects(openStore({ path, migrations: [ownMigrations] }), {
    code: 'LINOD_ERR_NEWER_DATABASE',
    message:
      /unknown migrations of linod: 0001-notes; a newer version created it, or one from before the first release/,
  });
});
