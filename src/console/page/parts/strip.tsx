// The last runs of a rule as small bars: height for duration, shape and colour for status.

import type { RuleSummary } from '../../api.js';
import { navigate } from '../router.js';
import { formatCount, formatCounts } from './number.js';
import { lookOf } from './status.js';
import { formatDuration } from './time.js';

type Strip = RuleSummary['strip'];

const barWidth = 4;
const height = 20;
const slots = 50;

/** One path for each status, because a list shows thousands of bars. A click opens the run. */
export function RunStrip({ runs }: { readonly runs: Strip }) {
  const longestMs = Math.max(1, ...runs.map(({ ms }) => ms ?? 0));
  const bars = runs.map((run, index) => ({
    status: run.status,
    path: barPath(run, (slots - runs.length + index) * barWidth, longestMs),
  }));
  const runAt = ({ currentTarget, clientX }: MouseEvent & { readonly currentTarget: SVGSVGElement }) => {
    const { left, width } = currentTarget.getBoundingClientRect();
    return runs[Math.floor(((clientX - left) / width) * slots) - slots + runs.length];
  };
  const summary = summarise(runs);
  return (
    // The runs are also in the list of runs, which keyboards reach.
    // biome-ignore lint/a11y/useKeyWithClickEvents: the mouse's short way only
    <svg
      class="strip"
      viewBox={`0 0 ${slots * barWidth} ${height}`}
      role="img"
      aria-label={summary}
      onMouseMove={(event) => {
        const run = runAt(event);
        const title = event.currentTarget.querySelector('title');
        if (title !== null) title.textContent = run === undefined ? summary : describe(run);
      }}
      onClick={(event) => {
        const run = runAt(event);
        if (run !== undefined) navigate(`/runs/${run.job}`);
      }}
    >
      <title>{summary}</title>
      {[...Map.groupBy(bars, ({ status }) => status)].map(([status, some]) => (
        <path key={status} class={lookOf(status)[1]} d={some.map(({ path }) => path).join('')} />
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
  return `${formatCount(runs.length, 'run')}: ${formatCounts(runs.map(({ status }) => status))}`;
}
