// The state of a job, rule or worker, or a reason of the ledger: a shape, a word and a colour.

import type { JobSummary } from '../../api.js';
import { formatNumber } from './number.js';

/** The colour's meaning. */
type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'quiet';

type Look = readonly [shape: string, tone: Tone];

const looks: Readonly<Record<string, Look>> = {
  done: ['✓', 'good'],
  active: ['✓', 'good'],
  alive: ['✓', 'good'],
  running: ['▶', 'busy'],
  draining: ['▶', 'busy'],
  failed: ['✕', 'bad'],
  lost: ['?', 'bad'],
  timeout: ['◔', 'bad'],
  deaf: ['✕', 'bad'],
  silent: ['?', 'bad'],
  suspended: ['◔', 'warn'],
  paused: ['‖', 'warn'],
  cancelled: ['‖', 'warn'],
  removed: ['–', 'quiet'],
  never: ['–', 'quiet'],
  started: ['●', 'good'],
  late: ['◐', 'warn'],
  requested: ['▶', 'busy'],
  again: ['↻', 'busy'],
  skipped: ['✕', 'warn'],
  dropped: ['⊘', 'bad'],
  taken: ['=', 'quiet'],
  moved: ['→', 'quiet'],
  resumed: ['▷', 'good'],
  reactivated: ['▷', 'good'],
  edited: ['✎', 'quiet'],
  ended: ['■', 'quiet'],
  'clock change': ['◷', 'warn'],
};

/** The tone of a line of the log; none for INFO. */
export const levelTones: Readonly<Record<string, Tone>> = {
  DEBUG: 'quiet',
  WARNING: 'warn',
  ERROR: 'bad',
  CRITICAL: 'bad',
};

/** How a state or reason looks; a quiet dot for an unknown one. */
export function lookOf(state: string): Look {
  return looks[state] ?? ['•', 'quiet'];
}

interface StatusProps {
  readonly state: string;
  /** The word, if it is not the state itself. */
  readonly text?: string;
  readonly title?: string | null;
}

export function Status({ state, text = state, title }: StatusProps) {
  const [shape, tone] = lookOf(state);
  return (
    <span class={`status ${tone}`} title={title ?? undefined}>
      <span class="shape" aria-hidden="true">
        {shape}
      </span>
      {text}
    </span>
  );
}

interface ProgressProps {
  readonly progress: NonNullable<JobSummary['progress']>;
}

/** How far a run is. */
export function Progress({ progress: { done, total, text } }: ProgressProps) {
  const count = total === null ? formatNumber(done) : `${formatNumber(done)} of ${formatNumber(total)}`;
  return (
    <span>
      {total !== null && <progress value={done} max={total} aria-label="progress" />}{' '}
      <span class="number">{count}</span> {text}
    </span>
  );
}
