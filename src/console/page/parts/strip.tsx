// The last runs of a rule as small bars: height for duration, shape and colour for status.

import type { JobStatus, RuleSummary } from '../../api.js';
import { navigate } from '../router.js';
import { formatCount } from './number.js';
import { toneOf } from './status.js';
import { formatDuration } from './time.js';

type Strip = RuleSummary['strip'];

const barWidth = 4;
const height = 20;
const slots = 50;

interface RunStripProps {
  readonly runs: Strip;
}

/** One path for each status, because a list shows thousands of bars. A click opens the run. */
export function RunStrip({ runs }: RunStripProps) {
  const longestMs = Math.max(1, ...runs.map(({ ms }) => ms ?? 0));
  const paths = new Map<JobStatus, string>();
  for (const [index, run] of runs.entries()) {
    const bar = barPath(run, (slots - runs.length + index) * barWidth, longestMs);
    paths.set(run.status, (paths.get(run.status) ?? '') + bar);
  }
  const runAt = (event: MouseEvent & { readonly currentTarget: SVGSVGElement }) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    const slot = Math.floor(((event.clientX - left) / width) * slots);
    return runs[slot - slots + runs.length];
  };
  return (
    // The runs are also in the list of runs, which keyboards reach.
    // biome-ignore lint/a11y/useKeyWithClickEvents: the mouse's short way only
    <svg
      class="strip"
      viewBox={`0 0 ${slots * barWidth} ${height}`}
      role="img"
      aria-label={summarise(runs)}
      onMouseMove={(event) => {
        const run = runAt(event);
        const title = event.currentTarget.querySelector('title');
        if (title !== null) title.textContent = run === undefined ? summarise(runs) : describe(run);
      }}
      onClick={(event) => {
        const run = runAt(event);
        if (run !== undefined) navigate(`/runs/${run.job}`);
      }}
    >
      <title>{summarise(runs)}</title>
      {[...paths].map(([status, path]) => (
        <path key={status} class={toneOf(status)} d={path} />
      ))}
    </svg>
  );
}

/** A success stands on the line. What is not one hangs from the top, so that its shape differs too. */
function barPath({ status, ms }: Strip[number], x: number, longestMs: number): string {
  const share = Math.log1p(ms ?? 0) / Math.log1p(longestMs);
  const length = Math.round(3 + share * (height - 8));
  const isGood = status === 'done' || status === 'running';
  return isGood
    ? `M${x} ${height}h3v${-length}h-3z`
    : `M${x} 0h3v${height - 5}h-3zM${x} ${height - 3}h3v3h-3z`;
}

function describe({ job, status, ms }: Strip[number]): string {
  return `run ${job}: ${status}${ms === null ? '' : `, ${formatDuration(ms)}`}`;
}

/** `50 runs: 48 done, 2 failed` */
function summarise(runs: Strip): string {
  if (runs.length === 0) return 'no runs yet';
  const counts = new Map<string, number>();
  for (const { status } of runs) counts.set(status, (counts.get(status) ?? 0) + 1);
  return `${formatCount(runs.length, 'run')}: ${[...counts].map(([status, n]) => `${n} ${status}`).join(', ')}`;
}
