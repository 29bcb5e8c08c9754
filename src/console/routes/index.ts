// All routes of the API, and all sources of its stream. `sign-in`, `sign-out` and `stream` are in consumer.ts.

import { Changes } from '../changes.js';
import type { Route } from '../router.js';
import type { StreamSourceFactory } from '../stream.js';
import { auditRoutes } from './audit.js';
import { jobsRoutes } from './jobs.js';
import { logRoutes, logSource } from './log.js';
import { overviewRoutes } from './overview.js';
import { ruleRoutes } from './rule.js';
import { rulesRoutes } from './rules.js';
import { sessionRoutes } from './session.js';
import { timelineRoutes } from './timeline.js';
import { workersRoutes } from './workers.js';

export const allRoutes: readonly Route[] = [
  ...sessionRoutes,
  ...overviewRoutes,
  ...jobsRoutes,
  ...rulesRoutes,
  ...ruleRoutes,
  ...timelineRoutes,
  ...workersRoutes,
  ...logRoutes,
  ...auditRoutes,
];

export const streamSources: readonly StreamSourceFactory[] = [(context) => new Changes(context), logSource];
