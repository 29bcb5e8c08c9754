// Telling the workers that the database has news for them. What is lost of it they see a few seconds later.

import { type ActorContext, lookAround } from './actors.js';

/** Who heard of what was written down. */
export interface Woken {
  /** Whether a worker lives. */
  readonly isWorking: boolean;
  /** Why the workers could not be woken; they look by themselves within 5 s. Null when they were, or there is none. */
  readonly unwoken: string | null;
}

/** Wakes the task coroutines of all workers. What is written already stands, so this never fails because of the layer. */
export async function tellWorkers(context: ActorContext): Promise<Woken> {
  // First of all, since who asks for a run waits for it.
  const unwoken = await wake(context);
  const isWorking = (await lookAround(context)).length > 0;
  return { isWorking, unwoken: isWorking ? unwoken : null };
}

async function wake({ site, store, layer }: ActorContext): Promise<string | null> {
  try {
    const own = layer ?? (await site.openLayer());
    try {
      await own.groupSend(site.workersGroup, { type: 'rules.changed' });
    } finally {
      if (own !== layer) await own.close();
    }
    return null;
  } catch (error) {
    // The database has told them.
    if (store.follow !== null) return null;
    return error instanceof Error ? error.message : String(error);
  }
}
