// The side of the run: loads the site's procedures once, and then runs one after the other as the worker
// says.

import type { Kysely } from 'kysely';
import { withTrace } from '../../../channels/tracing/peer.js';
import { systemClock } from '../../base/clock.js';
import { LinodError } from '../../base/errors.js';
import { stringifyFields } from '../../log/fields.js';
import { atMost, everything, type LevelTree } from '../../log/levels/level-tree.js';
import { SiteLevels } from '../../log/levels/site-levels.js';
import { Logger } from '../../log/logger.js';
import { senderLabel } from '../../log/names.js';
import type { LogSink } from '../../log/sink.js';
import { Procedures } from '../../rules/procedure.js';
import { configuredLevels } from '../../site/settings.js';
import { type Site, siteOfWorker, type WorkerSettings } from '../../site/site.js';
import type { Database } from '../../store/schema.js';
import { connector } from '../../store/store.js';
import { RunConnection } from '../run-connection.js';
import { type RequestParts, RunRequest } from '../run-request.js';
import { describeThrown, headline, RunAbortedError, RunStop } from '../run-stop.js';
import { RunWrites } from '../run-writes.js';
import { markOf, runVariable } from './mark.js';
import { type FromRun, parseToRun, type ToRun } from './messages.js';
import { Measure } from './usage.js';

/** The way to the worker. */
export interface RunPort {
  readonly kind: 'thread' | 'process';
  post(message: FromRun): void;
  onMessage(listener: (value: unknown) => void): void;
  /** Sees to it that this ends when the worker does. */
  followWorker(pid: number): void;
  /** Says this, and ends. */
  end(last: FromRun): void;
}

type Begin = Extract<ToRun, { linod: 'begin' }>;
type Order = Extract<ToRun, { linod: 'run' }>;

interface Loaded {
  readonly site: Site;
  readonly workerId: string;
  readonly connect: () => Kysely<Database>;
  readonly levels: SiteLevels;
  /** What is wrong with the first file that could not be loaded. */
  readonly broken: Error | undefined;
}

export class RunServer {
  readonly #port: RunPort;
  #loaded: Promise<Loaded> | null = null;
  #stop: RunStop | null = null;

  constructor(port: RunPort) {
    this.#port = port;
  }

  listen(): void {
    this.#port.onMessage((value) => {
      const message = parseToRun(value);
      if (message?.linod === 'begin') this.#begin(message);
      if (message?.linod === 'run') void this.#run(message);
      if (message?.linod === 'abort') this.#abort(message.status, message.why);
    });
    process.on('uncaughtException', (error, origin) =>
      this.#port.end({ linod: 'uncaught', origin, error: describeThrown(error) }),
    );
  }

  #begin(begin: Begin): void {
    this.#loaded = load(begin);
    this.#loaded.then(
      () => this.#port.followWorker(begin.pid),
      (error: unknown) => this.#port.end({ linod: 'unable', error: describeThrown(error) }),
    );
  }

  #abort(status: RunAbortedError['status'], why: string): void {
    this.#port.post({ linod: 'aborting' });
    this.#stop?.abort(new RunAbortedError(status, why));
  }

  /** Never rejects. */
  async #run(order: Order): Promise<void> {
    const stop = new RunStop();
    this.#stop = stop;
    // What cannot be loaded has been reported, and this is about to end.
    const loaded = await this.#loaded?.catch(() => null);
    if (loaded == null) return;
    if (loaded.broken !== undefined && !Procedures.has(order.procedure))
      return this.#port.end({ linod: 'unable', error: describeThrown(loaded.broken) });
    this.#port.post({ linod: 'begun' });
    const before = openResources();
    const measure = new Measure(this.#port.kind);
    const error = await this.#perform(order, loaded, stop);
    const usage = measure.usage();
    measure.close();
    this.#stop = null;
    // What has been closed is gone one turn later.
    await new Promise((resolve) => setImmediate(resolve));
    this.#port.post({ linod: 'end', error, isClean: isClean(before, openResources()), usage });
  }

  async #perform(
    order: Order,
    { site, workerId, connect, levels }: Loaded,
    stop: RunStop,
  ): Promise<{ text: string; headline: string } | null> {
    const { jobId, procedure: name, user, attempt, args = null, checkpoint = null, skewMs } = order;
    const dueAt = order.dueAt === null ? null : new Date(order.dueAt);
    const connection = new RunConnection(connect);
    const clock = { now: () => systemClock.now() - skewMs };
    const onRequest = () => this.#port.post({ linod: 'requested' });
    const writes = new RunWrites({ jobId, workerId, connection, clock, onRequest });
    try {
      const procedure = Procedures.get(name);
      if (procedure === undefined) {
        throw new LinodError(
          'LINOD_ERR_NO_PROCEDURE',
          `no procedure ${name}: the files of site ${site.name} register none of that name when they are loaded in a ${this.#port.kind}`,
        );
      }
      // Its children are found by that. A thread shares its environment with all that the worker starts.
      if (this.#port.kind === 'process') process.env[runVariable] = markOf(workerId, jobId);
      const log = this.#log(name, levels.tree, order, site);
      const job = { id: jobId, procedure: name, dueAt, attempt, args: procedure.parseArgs(args), checkpoint };
      const ar = new RunRequest({ site, job, user, log, connection, writes, stop, clock });
      await withTrace(order.trace, () => procedure.run(ar));
      return null;
    } catch (error) {
      return { text: describeThrown(error), headline: headline(error) };
    } finally {
      // What it leaves behind when it has come to its end may go on.
      delete process.env[runVariable];
      await connection.close()?.catch(() => undefined);
    }
  }

  #log(procedure: string, tree: LevelTree, order: Order, site: Site): RequestParts['log'] {
    const { redact } = site.settings;
    const sink: LogSink = {
      write: (level, logger, message, fields, trace) =>
        this.#port.post({
          linod: 'log',
          level,
          logger,
          message,
          fields: fields === undefined ? null : stringifyFields(fields),
          trace: trace ?? null,
        }),
    };
    tree.configure(order.levels);
    const levels = order.debug ? everything : atMost(tree, order.level);
    return {
      logger: new Logger({ sink, name: `procedures.${procedure}`, levels, redact }),
      progress: (progress) => this.#port.post({ linod: 'progress', ...progress }),
    };
  }
}

async function load({ directory, settings, workerId }: Begin): Promise<Loaded> {
  const site = await siteOfWorker(directory, settings as WorkerSettings);
  const levels = new SiteLevels({
    logDirectory: site.logDirectory,
    clock: systemClock,
    label: senderLabel('run', process.pid),
  });
  levels.start(configuredLevels(site.settings));
  const [connect, [broken]] = await Promise.all([
    connector(site.settings.databaseUrl),
    site.loadProcedures(),
  ]);
  return { site, workerId, connect, levels, broken };
}

/** What keeps this event loop turning, by kind. */
function openResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function isClean(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): boolean {
  return [...after].every(([kind, count]) => kind === 'Immediate' || count <= (before.get(kind) ?? 0));
}
