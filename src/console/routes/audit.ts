// Who changed what.

import { readAudit } from '../audit.js';
import { numberQuery, type Route, read } from '../router.js';

export const auditRoutes: readonly Route[] = [
  read(
    'api/audit',
    async (request) =>
      await readAudit(request.context, {
        after: request.query.has('after') ? numberQuery(request, 'after', { byDefault: 0 }) : undefined,
        limit: numberQuery(request, 'limit', { byDefault: 100, atMost: 500 }),
      }),
  ),
];
