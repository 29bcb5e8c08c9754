// Shows one run: its head, its progress, its lines and its end.

import { durationText } from '../../base/duration.js';
import type { Job } from '../../runs/job.js';
import type { JobLineRow } from '../../store/schema.js';
import { progressText, styled } from './output.js';

type LocalTime = (instant: Date) => string;

/** The lines that say what run it is. */
export function jobHead(job: Job, time: LocalTime): string[] {
  return [
    styled('bold', `Job ${job.id} of rule #${job.ruleId} <Procedures.${job.procedure}>: ${job.status}`),
    job.dueAt === null ? field('request', String(job.requestId)) : field('due', time(job.dueAt)),
    field('started', time(job.startDatetime)),
    ...(job.attempt === 1 ? [] : [field('attempt', String(job.attempt))]),
    field('worker', `${job.workerId}${hostText(job)}`),
    ...(job.args === null ? [] : [field('args', JSON.stringify(job.args))]),
    ...(job.checkpoint === null ? [] : [field('kept', JSON.stringify(job.checkpoint))]),
  ];
}

/** How a run ended; nothing while it runs. @param isLogged whether its lines already contain the error */
export function jobEnd(job: Job, time: LocalTime, isLogged: boolean): string[] {
  const message = isLogged ? job.message.split('\n').slice(0, 1) : job.message.split('\n');
  const used = [
    ...(job.cpuMs === null ? [] : [`${durationText(job.cpuMs)} of a processor`]),
    ...(job.memoryBytes === null ? [] : [`at most ${Math.round(job.memoryBytes / 1024 ** 2)} MiB of memory`]),
  ];
  return [
    ...(job.endDatetime === null ? [] : [field('ended', time(job.endDatetime))]),
    ...(used.length === 0 ? [] : [field('used', used.join(', '))]),
    ...(job.cause === null ? [] : [field('cause', job.cause)]),
    ...(job.message === '' ? [] : [field('message', message.join('\n           '))]),
  ];
}

/** How far a run is; nothing when it has reported no progress. */
export function jobProgress(job: Job): string[] {
  return job.progress === null ? [] : [field('progress', progressText(job.progress))];
}

/** Whether one of the lines contains the error that a run threw. */
export function isLogged(job: Job, lines: readonly JobLineRow[]): boolean {
  return job.message !== '' && lines.some(({ text }) => text.includes(job.message));
}

/** A line that a run logged. */
export function jobLine(line: JobLineRow, time: LocalTime): string {
  return `${time(new Date(line.logged_at))} ${line.level} ${line.text.split('\n').join('\n    ')}`;
}

export function jobLineJson(line: JobLineRow): Record<string, unknown> {
  return { at: new Date(line.logged_at), level: line.level, text: line.text };
}

function field(name: string, text: string): string {
  return `  ${name.padEnd(8)} ${text}`;
}

/** Where the run is hosted; empty for the usual case, the event loop of the worker. */
function hostText({ runIn }: Job): string {
  return runIn === 'inline' ? '' : `, in a ${runIn} of its own`;
}
