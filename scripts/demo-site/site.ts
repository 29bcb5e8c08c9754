// A copy of the example site, and the programs that work on it.

import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pushSubscriptions, removePushSubscription, savePushSubscription } from '../../procedures/index.js';
import { RunJob } from '../../src/actors/run-job.js';
import { loadSite, type Site } from '../../src/site/site.js';
import { openStore, type Store } from '../../src/store/store.js';
import { Child, program } from '../demo/child.js';
import type { PushService } from './push-service.js';

const example = fileURLToPath(new URL('../../examples/demo-site', import.meta.url));

export class DemoSite {
  readonly directory: string;
  /** The directory that is removed at the end; undefined when the site stays. */
  readonly #temporary: string | undefined;
  /** The environment of the programs of this site, besides variables that are not linod's. */
  readonly #settings: Readonly<Record<string, string>>;
  readonly #children: Child[] = [];

  /** @param keepIn a directory that stays; else one that vanishes with {@link close} */
  static async make(
    keepIn: string | undefined,
    settingsFor: (directory: string) => Promise<Readonly<Record<string, string>>>,
  ): Promise<DemoSite> {
    const temporary = keepIn === undefined ? await mkdtemp(join(tmpdir(), 'linod-demo-site-')) : undefined;
    const directory = resolve(keepIn ?? join(temporary ?? '', 'demo'));
    await mkdir(directory, { recursive: true });
    await cp(example, directory, { recursive: true, force: false });
    return new DemoSite(directory, temporary, { LINOD_SITE: directory, ...(await settingsFor(directory)) });
  }

  private constructor(
    directory: string,
    temporary: string | undefined,
    settings: Readonly<Record<string, string>>,
  ) {
    this.directory = directory;
    this.#temporary = temporary;
    this.#settings = settings;
  }

  /** Starts one of the package's programs for this site. */
  start(script: string, ...args: string[]): Child {
    // Variables for other sites must not affect this one.
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(LINOD_|DATABASE_URL$|REDIS_URL$)/.test(name),
    );
    const environment = { ...Object.fromEntries(inherited), ...this.#settings };
    const child = new Child(program(script), args, environment, { detached: true });
    this.#children.push(child);
    return child;
  }

  /** Writes a file that makes a terminal one of this site. @returns its path */
  async writeEnvironment(): Promise<string> {
    const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
    const file = join(this.directory, 'env.sh');
    const lines = [
      ...Object.entries(this.#settings).map(([name, value]) => `export ${name}=${quoted(value)}`),
      `linod() { ${quoted(process.execPath)} ${quoted(program('linod'))} "$@"; }`,
    ];
    await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    return file;
  }

  /** Does what the pages of an application do when a user allows notifications. */
  async subscribe(service: PushService, users: readonly string[]): Promise<void> {
    await this.withStore(async ({ db }) => {
      // Subscriptions of an earlier demo in this directory, whose push service is gone.
      for (const { id } of await pushSubscriptions(db)) await removePushSubscription(db, id);
      for (const user of users) {
        await savePushSubscription(db, user, service.subscribe(user), { device: 'a browser of the demo' });
      }
    });
  }

  /** The number of the rule of a procedure. */
  async ruleOf(procedure: string): Promise<number> {
    return await this.withStore(async ({ db }) => await ruleNumber(db, procedure));
  }

  /** Has the worker run the rules of these procedures, one after the other, until the signal. */
  async run(procedures: readonly string[], signal: AbortSignal): Promise<void> {
    await this.withStore(async (store, site) => {
      const context = { site, store, user: 'the demo' };
      for (const procedure of procedures) {
        if (signal.aborted) return;
        const { request } = await RunJob.request(context, procedure);
        await RunJob.ended(context, request);
      }
    });
  }

  /** Uses the site and its database as a program of the application does. */
  async withStore<T>(use: (store: Store, site: Site) => Promise<T>): Promise<T> {
    const site = await loadSite(this.directory, { environment: this.#settings });
    await site.loadProcedures();
    const store = await openStore(site);
    try {
      return await use(store, site);
    } finally {
      await store.close();
    }
  }

  /** Ends all programs, and removes the site unless it stays. */
  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGTERM');
    await Promise.all(this.#children.map((child) => child.ended())).catch(() => {
      for (const child of this.#children) child.kill('SIGKILL');
    });
    if (this.#temporary !== undefined) await rm(this.#temporary, { recursive: true, force: true });
  }
}

async function ruleNumber(db: Store['db'], procedure: string): Promise<number> {
  const rules = db.selectFrom('job_rules').select('id').where('procedure', '=', procedure);
  return (await rules.executeTakeFirstOrThrow()).id;
}
