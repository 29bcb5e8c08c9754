// linod job N --follow: what a run logs and how far it is, as it is written, until it has ended.

import type { Site } from '../site.js';
import type { JobLineRow } from '../store/schema.js';
import type { Store } from '../store/store.js';
import type { Job } from '../tasks/job.js';

/** How often is looked for news. */
const lookMs = 200;
/** How often is looked whether the worker lives. */
const lookAroundMs = 2000;

/** What is new of a run. */
export interface JobNews {
  readonly job: Job;
  readonly lines: readonly JobLineRow[];
}

/** Tells what is there, then what is new, and comes to its end with the run: the last news has a job that has ended. */
export async function* followJob(site: Site, store: Store, id: number): AsyncGenerator<JobNews, void> {
  const { lookAround, openTasks } = await import('../actors.js');
  const { jobs } = openTasks({ site, store, user: 'linod job' });
  let lastLine = 0;
  let lastProgress = '';
  let lookedAt = performance.now();
  for (let isFirst = true; ; isFirst = false) {
    // The job before its lines: those of a job that has ended are complete.
    const job = await jobs.get(id);
    const lines = await jobs.lines(id, lastLine);
    const progress = JSON.stringify(job.progress);
    const hasEnded = job.status !== 'running';
    if (isFirst || hasEnded || lines.length > 0 || progress !== lastProgress) yield { job, lines };
    if (hasEnded) return;
    lastLine = lines.at(-1)?.id ?? lastLine;
    lastProgress = progress;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
    if (performance.now() - lookedAt < lookAroundMs) continue;
    lookedAt = performance.now();
    await lookAround({ site, store });
  }
}
