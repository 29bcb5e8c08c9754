// How one run is shown, whole or piece by piece.

import { durationText } from '../duration.js';
import type { JobLineRow } from '../store/schema.js';
import type { Job } from '../tasks/job.js';
import { progressText, styled } from './output.js';

type LocalTime = (instant: Date) => string;

/** What a run is. */
export function jobHead(job: Job, time: LocalTime): string[] {
  return [
    styled('bold', `Job ${job.id} of rule #${job.ruleId} <Procedures.${job.procedure}>: ${job.status}`),
    job.dueAt === null ? field('request', String(job.requestId)) : field('due', time(job.dueAt)),
    field('started', time(job.startDatetime)),
    ...(job.attempt === 1 ? [] : [field('attempt', String(job.attempt))]),
    field('worker', `${job.workerId}${place(job)}`),
    ...(job.args === null ? [] : [field('args', JSON.stringify(job.args))]),
    ...(job.checkpoint === null ? [] : [field('kept', JSON.stringify(job.checkpoint))]),
  ];
}

/** How a run has ended; nothing while it goes on. */
export function jobEnd(job: Job, time: LocalTime): string[] {
  const used = [
    ...(job.cpuMs === null ? [] : [`${durationText(job.cpuMs)} of a processor`]),
    ...(job.memoryBytes === null ? [] : [`at most ${Math.round(job.memoryBytes / 1024 ** 2)} MiB of memory`]),
  ];
  return [
    ...(job.endDatetime === null ? [] : [field('ended', time(job.endDatetime))]),
    ...(used.length === 0 ? [] : [field('used', used.join(', '))]),
    ...(job.cause === null ? [] : [field('cause', job.cause)]),
    ...(job.message === '' ? [] : [field('message', job.message.split('\n').join('\n           '))]),
  ];
}

/** How far a run is; nothing when it has not said. */
export function jobProgress(job: Job): string[] {
  return job.progress === null ? [] : [field('progress', progressText(job.progress))];
}

/** A line that a run has logged. */
export function jobLine(line: JobLineRow, time: LocalTime): string {
  return `${time(new Date(line.logged_at))} ${line.level} ${line.text.split('\n').join('\n    ')}`;
}

export function jobLineJson(line: JobLineRow): Record<string, unknown> {
  return { at: new Date(line.logged_at), level: line.level, text: line.text };
}

function field(name: string, text: string): string {
  return `  ${name.padEnd(8)} ${text}`;
}

/** Runs on the worker's event loop are the usual ones. */
function place({ runIn }: Job): string {
  return runIn === 'inline' ? '' : `, in a ${runIn} of its own`;
}
