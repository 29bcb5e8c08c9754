// All routes of the API. `sign-in`, `sign-out` and `stream` are not among them: see consumer.ts.

import type { Route } from '../router.js';
import { auditRoutes } from './audit.js';
import { sessionRoutes } from './session.js';
import { workersRoutes } from './workers.js';

export const allRoutes: readonly Route[] = [...sessionRoutes, ...workersRoutes, ...auditRoutes];
