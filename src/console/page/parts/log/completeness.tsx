// Whether the log is complete: for each sender, the last number that is proven to be in the file.

import { useEffect } from 'preact/hooks';
import type { CompletenessView, GapView } from '../../../api.js';
import { useResource } from '../../resource.js';
import { setQuery } from '../../router.js';
import { Link } from '../link.js';
import { formatCount, formatNumber } from '../number.js';

/** The server checks while somebody asks. */
const askMs = 2000;
/** Senders that are shown at once. */
const shownSenders = 30;

/** A range of numbers that is missing. */
export interface Gap {
  /** The line before which it was noticed. */
  readonly id: string;
  readonly text: string;
}

/** Asks again and again while the component is there. */
export function useCompleteness(): CompletenessView | undefined {
  const { data, reload } = useResource<CompletenessView>('log/senders');
  useEffect(() => {
    const timer = setInterval(() => document.hidden || reload(), askMs);
    return () => clearInterval(timer);
  }, [reload]);
  return data.value;
}

export function gapsOf(view: CompletenessView | undefined): readonly Gap[] {
  return (view?.senders ?? []).flatMap(({ sender, gaps }) =>
    gaps.map((gap) => ({ id: gap.id, text: gapText(sender, gap) })),
  );
}

function gapText(sender: string, { from, to, text }: GapView): string {
  const numbers = from === to ? formatNumber(from) : `${formatNumber(from)} to ${formatNumber(to)}`;
  return `${sender}#${numbers} ${from === to ? 'is' : 'are'} ${text}`;
}

export function Completeness({ view }: { readonly view: CompletenessView | undefined }) {
  if (view === undefined) return <p class="quiet">Checking the log…</p>;
  const { checked, faults, total, senders } = view;
  const gaps = gapsOf(view);
  return (
    <details class="completeness">
      <summary>
        {checked < 1 && <span class="busy">▶ {Math.floor(checked * 100)} % of the log is checked. </span>}
        <Verdict faults={faults} gaps={gaps.length} isChecked={checked === 1} />{' '}
        {formatCount(total, 'sender')}.
      </summary>
      <ul class="gaps">
        {gaps.slice(0, shownSenders).map(({ id, text }) => (
          <li key={id + text}>
            <Link to={`/log?line=${id}`}>{text}</Link>
          </li>
        ))}
      </ul>
      <ul class="senders">
        {senders.slice(0, shownSenders).map(({ sender, epoch, first, proven, last, gaps }) => (
          <li key={`${sender} ${epoch}`}>
            <button
              type="button"
              title="Show only this sender"
              onClick={() => setQuery({ sender, line: null })}
            >
              <span class={gaps.length === 0 ? 'good' : 'bad'}>{gaps.length === 0 ? '✓' : '✕'}</span> {sender}{' '}
              {proven < first ? 'none' : formatNumber(proven)}
              {proven < last && ` of ${formatNumber(last)}`}
            </button>
          </li>
        ))}
      </ul>
      {total > shownSenders && <p class="quiet">and {formatCount(total - shownSenders, 'more', 'more')}</p>}
    </details>
  );
}

interface VerdictProps {
  readonly faults: number;
  readonly gaps: number;
  readonly isChecked: boolean;
}

function Verdict({ faults, gaps, isChecked }: VerdictProps) {
  if (faults > 0)
    return <span class="bad">✕ {formatCount(faults, 'fault')}: linod log verify names what is wrong.</span>;
  if (gaps > 0)
    return (
      <span class="warn">
        ▲ Complete but for {formatCount(gaps, 'range')} that the writer reported as lost.
      </span>
    );
  return isChecked ? <span class="good">✓ The log is complete.</span> : <span>Complete so far.</span>;
}
