// All routes of the API, and all sources of its stream. `sign-in`, `sign-out` and `stream` are in consumer.ts.

import { Changes } from '../changes.js';
import type { Route } from '../router.js';
import type { StreamSourceFactory } from '../stream.js';
import { auditRoutes } from './audit.js';
import { channelsRoutes } from './channels.js';
import { jobsRoutes } from './jobs.js';
import { logRoutes, logSource } from './log.js';
import { outboxRoutes } from './outbox.js';
import { overviewRoutes } from './overview.js';
import { ruleRoutes } from './rule.js';
import { rulesRoutes } from './rules.js';
import { sessionRoutes } from './session.js';
import { socketsRoutes } from './sockets.js';
import { timelineRoutes } from './timeline.js';
import { workersRoutes } from './workers.js';

export const allRoutes: readonly Route[] = [
  ...sessionRoutes,
  ...overviewRoutes,
  ...rulesRoutes,
  ...ruleRoutes,
  ...timelineRoutes,
  ...jobsRoutes,
  ...logRoutes,
  ...channelsRoutes,
  ...socketsRoutes,
  ...workersRoutes,
  ...outboxRoutes,
  ...auditRoutes,
];

export const streamSources: readonly StreamSourceFactory[] = [(context) => new Changes(context), logSource];
