// The workers of the site.

import { orderWorker } from '../../actors/order-worker.js';
import { Workers } from '../../actors/tables.js';
import { isSuspended } from '../../base/process-owner.js';
import { staleMs } from '../../insight/listener-text.js';
import { parseHealth, type WorkerHealth } from '../../membership/worker-health.js';
import { workerActions } from '../../membership/worker-orders.js';
import type { WorkerRow } from '../../store/schema.js';
import type { WorkerView } from '../api.js';
import { change, type Route, read } from '../router.js';

export const workersRoutes: readonly Route[] = [
  read('api/workers', async ({ actor }) => {
    const now = Date.now();
    return (await Workers.rows(actor)).map((row) => workerView(row, now));
  }),
  ...workerActions.map((action) =>
    change(
      `api/workers/:id/${action}`,
      `worker.${action}`,
      async ({ actor, params: { id = '' } }, note) => {
        note({ target: `worker ${id}` });
        return { text: await orderWorker(actor, id, action) };
      },
      // Only a new start brings back a drained one.
      action === 'drain' ? 'admin' : 'operator',
    ),
  ),
];

function workerView(row: WorkerRow, now: number): WorkerView {
  const health = parseHealth(row.health);
  return {
    id: row.id,
    host: row.host,
    pid: row.pid,
    version: row.version,
    startedAt: new Date(row.started_at).toISOString(),
    heartbeatAt: new Date(row.heartbeat_at).toISOString(),
    state: stateOf(row, health, now),
    tasks: health?.tasks ?? 'off',
    logger: health?.logger ?? 'off',
    maxJobs: row.max_jobs,
    memoryBytes: health?.memoryBytes ?? null,
    loopLagMs: health?.loopLagMs ?? null,
    listeners: health?.listeners ?? [],
  };
}

function stateOf(row: WorkerRow, health: WorkerHealth | null, now: number): WorkerView['state'] {
  if (isSuspended({ host: row.host, pid: row.pid, start: row.pid_start })) return 'suspended';
  if (now - row.heartbeat_at > staleMs) return 'silent';
  if (row.stop_reason !== null || health?.isDraining) return 'draining';
  if (health?.listeners.some(({ state }) => state === 'deaf')) return 'deaf';
  return health?.tasks === 'paused' ? 'paused' : 'alive';
}
