// Whether the log is complete: for each sender, the last number that is proven to be in the file.

import { useEffect, useState } from 'preact/hooks';
import type { CompletenessView } from '../../api.js';
import { get } from '../api.js';
import { setQuery } from '../router.js';
import { Link } from './link.js';
import type { GapRow, GapRows } from './log-list.js';
import { formatCount, formatNumber } from './number.js';

const checkingMs = 1000;
const checkedMs = 5000;
/** Senders that are shown at once. */
const shownSenders = 30;

/** Asks again and again while the component is there. */
export function useCompleteness(): CompletenessView | null {
  const [view, setView] = useState<CompletenessView | null>(null);
  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      // The rest of the page says when the server is away.
      const found = document.hidden
        ? null
        : await get<CompletenessView>('log/senders', ended.signal).catch(() => null);
      if (ended.signal.aborted) return;
      if (found !== null) setView((old) => (JSON.stringify(old) === JSON.stringify(found) ? old : found));
      timer = setTimeout(() => void ask(), (found?.checked ?? 1) < 1 ? checkingMs : checkedMs);
    };
    void ask();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, []);
  return view;
}

/** The gaps as rows, each before the line where it was noticed. */
export function gapRowsOf(view: CompletenessView | null): GapRows {
  const rows = new Map<string, GapRow[]>();
  for (const { sender, epoch, gaps } of view?.senders ?? []) {
    for (const { from, to, text, id } of gaps) {
      const row = { key: `${epoch} ${from}`, text: `${rangeText(sender, from, to)} ${text}` };
      rows.set(id, [...(rows.get(id) ?? []), row]);
    }
  }
  return rows;
}

function rangeText(sender: string, from: number, to: number): string {
  const numbers = from === to ? formatNumber(from) : `${formatNumber(from)} to ${formatNumber(to)}`;
  return `${sender}#${numbers} ${from === to ? 'is' : 'are'}`;
}

export function Completeness({ view }: { readonly view: CompletenessView | null }) {
  if (view === null) return <p class="quiet">Checking the log…</p>;
  const { checked, faults, total, senders } = view;
  const gaps = senders.flatMap(({ sender, gaps }) => gaps.map((gap) => ({ sender, ...gap })));
  return (
    <details class="completeness">
      <summary>
        {checked < 1 && <span class="busy">▶ {Math.floor(checked * 100)} % of the log is checked. </span>}
        <Verdict faults={faults} gaps={gaps.length} isChecked={checked === 1} />{' '}
        {formatCount(total, 'sender')}.
      </summary>
      {gaps.length > 0 && (
        <ul class="gaps">
          {gaps.slice(0, shownSenders).map(({ sender, from, to, text, id }) => (
            <li key={`${id} ${from}`}>
              <Link to={`/log?line=${id}`}>{`${rangeText(sender, from, to)} ${text}`}</Link>
            </li>
          ))}
        </ul>
      )}
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
    return (
      <span class="bad">
        ✕ {formatCount(faults, 'fault')}: linod log verify names {faults === 1 ? 'it' : 'them'}.
      </span>
    );
  if (gaps > 0)
    return (
      <span class="warn">
        ▲ Complete but for {formatCount(gaps, 'range')} that the writer reported as lost.
      </span>
    );
  return isChecked ? <span class="good">✓ The log is complete.</span> : <span>Complete so far.</span>;
}
