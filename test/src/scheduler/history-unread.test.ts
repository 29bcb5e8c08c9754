// What a worker asks again and again does not get dearer with the history.

import type { Kysely, KyselyPlugin, RootOperationNode } from 'kysely';
import { sql } from 'kysely';
import t from 'tap';
import { Rules } from '../../../src/rules/site-rules.js';
import { Jobs } from '../../../src/runs/job-table.js';
import { Claimer } from '../../../src/scheduler/claim.js';
import { Ends } from '../../../src/scheduler/finish.js';
import { ownMigrations } from '../../../src/store/migrations/index.js';
import type { Database } from '../../../src/store/schema.js';
import { openStore } from '../../../src/store/store.js';
import { testDirectory } from '../../support/directory.js';

const clock = { now: () => 0 };

t.test('a look for running and for lost jobs reads the running ones only', async (t) => {
  const store = await openStore({ path: `${testDirectory(t)}/linod.db`, migrations: [ownMigrations] });
  t.teardown(() => store.close());
  const asked: RootOperationNode[] = [];
  const db = store.db.withPlugin(noting(asked));
  await new Jobs(db, 'w1').running();
  const rules = new Rules(db, 'UTC', clock, 'w1');
  await new Ends(rules).giveUpLost();
  await new Claimer(rules).notBegun([]);
  t.equal(asked.length, 3);
  for (const question of asked) {
    const steps = await planOf(store.db, question);
    t.notSame(steps, []);
    t.notOk(steps.includes('SCAN jobs'), steps.join('; '));
  }
});

function noting(asked: RootOperationNode[]): KyselyPlugin {
  return {
    transformQuery({ node }) {
      asked.push(node);
      return node;
    },
    transformResult: async ({ result }) => result,
  };
}

/** How SQLite goes about it, with the values that are asked for. */
async function planOf(db: Kysely<Database>, question: RootOperationNode): Promise<string[]> {
  const compiled = db.getExecutor().compileQuery(question, { queryId: 'plan' });
  const [first = '', ...others] = compiled.sql.split('?');
  const parts = others.map((text, i) => sql`${compiled.parameters[i]}${sql.raw(text)}`);
  const plan = sql<{ detail: string }>`explain query plan ${sql.raw(first)}${sql.join(parts, sql.raw(''))}`;
  return (await plan.execute(db)).rows.map(({ detail }) => detail);
}
