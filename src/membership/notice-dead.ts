// What has to happen when a worker is gone.

import type { Ends } from '../tasks/ends.js';
import type { Job } from '../tasks/job.js';
import type { DeadWorker, WorkerRegistry } from './registry.js';

/**
 * Marks the workers that are gone, and gives up what they ran. Costs two reads when there are none.
 *
 * @param judgeSilence see {@link WorkerRegistry.markDead}
 */
export async function noticeDead(
  registry: WorkerRegistry,
  ends: Ends,
  { judgeSilence }: { judgeSilence: boolean },
): Promise<{ dead: DeadWorker[]; lost: Job[] }> {
  const dead = await registry.markDead({ judgeSilence });
  return { dead, lost: await ends.giveUpLost() };
}
