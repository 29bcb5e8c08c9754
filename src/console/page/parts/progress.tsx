// How far a run is.

import type { JobSummary } from '../../api.js';
import { formatNumber } from './number.js';

interface ProgressProps {
  readonly progress: NonNullable<JobSummary['progress']>;
}

export function Progress({ progress: { done, total, text } }: ProgressProps) {
  const count = total === null ? formatNumber(done) : `${formatNumber(done)} of ${formatNumber(total)}`;
  return (
    <span class="progress">
      {total !== null && <progress value={done} max={total} aria-label="progress" />}
      <span class="number">{count}</span>
      {text !== null && <span> {text}</span>}
    </span>
  );
}
