// Lines of the log. The list follows the end unless the reader scrolls up, and loads what the reader comes close to.

import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { LogLine } from '../../../api.js';
import type { LogWindow } from '../../log-window.js';
import { Link } from '../link.js';
import { formatCount, formatNumber } from '../number.js';
import { levelTones } from '../status.js';
import { Time } from '../time.js';
import type { Gap } from './completeness.js';

/** This close to the end, in pixels, the reader is at the end. */
const endSlack = 40;
/** This close to the begin or the end, more lines are loaded. */
const loadAhead = 800;

interface LogListProps {
  readonly log: LogWindow;
  readonly gaps: readonly Gap[];
  /** The id of the line that is marked. */
  readonly marked: string;
}

export function LogList({ log, gaps, marked }: LogListProps) {
  const scroller = useRef<HTMLElement>(null);
  const items = log.items.value;
  // Before this rendering changes what is above.
  const anchor = log.isFollowing.peek() ? null : anchorOf(scroller.current);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    if (log.isFollowing.peek()) element.scrollTop = element.scrollHeight;
    else if (anchor !== null) element.scrollTop = anchor.line.offsetTop - anchor.top;
    fill(log, element);
  }, [log, items, gaps]);
  useLayoutEffect(() => {
    if (marked !== '') scroller.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'center' });
  }, [marked, items.length > 0]);
  const gapsAt = useMemo(() => Map.groupBy(gaps, ({ id }) => id), [gaps]);
  return (
    <section
      class="log"
      aria-label="Lines of the log"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
      ref={scroller}
      onScroll={({ currentTarget }) => onScroll(log, currentTarget)}
    >
      {log.isLoaded.value && items.length === 0 && <p class="quiet">No lines so far.</p>}
      {items.map((item) =>
        'text' in item ? (
          <Line key={item.id} line={item} gaps={gapsAt.get(item.id)} isMarked={item.id === marked} />
        ) : (
          <p key={item.id} class="gap warn">
            ▲ {item.omitted === null ? 'Lines are' : formatCount(item.omitted, 'line is', 'lines are')} left
            out here, because they came faster than they can be shown.
          </p>
        ),
      )}
    </section>
  );
}

/** The first line on the screen, and where it is. */
function anchorOf(scroller: HTMLElement | null): { readonly line: HTMLElement; readonly top: number } | null {
  if (scroller === null) return null;
  const lines = [...scroller.querySelectorAll<HTMLElement>('.line')];
  const line = lines.find(({ offsetTop, offsetHeight }) => offsetTop + offsetHeight > scroller.scrollTop);
  return line === undefined ? null : { line, top: line.offsetTop - scroller.scrollTop };
}

function onScroll(log: LogWindow, element: HTMLElement): void {
  const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < endSlack;
  if (!isAtEnd) log.pause();
  else if (!log.hasLater) log.follow();
  fill(log, element);
}

function fill(log: LogWindow, { scrollTop, scrollHeight, clientHeight }: HTMLElement): void {
  const isNearBegin = scrollTop < loadAhead && !log.isFollowing.peek();
  if (log.hasLater && scrollHeight - scrollTop - clientHeight < loadAhead) log.loadLater();
  else if (log.hasEarlier && (scrollHeight <= clientHeight || isNearBegin)) log.loadEarlier();
}

interface LineProps {
  readonly line: LogLine;
  readonly gaps: readonly Gap[] | undefined;
  readonly isMarked: boolean;
}

function Line({ line, gaps, isMarked }: LineProps) {
  const { id, at, level, logger, sender, number, text } = line;
  const tone = (level === null ? 'quiet' : levelTones[level]) ?? '';
  // Most lines stay while others come and go.
  const row = useMemo(
    () => (
      <div class="line" data-row={id} tabIndex={-1} aria-current={isMarked || undefined}>
        <Link to={`/log?line=${id}`} class="at" title="Show the lines around this one">
          {at === null ? 'no record' : <Time at={at} />}
          {at?.slice(19, -1)}
        </Link>
        <span class={`level ${tone}`}>{level}</span>
        <span class="quiet">
          {sender ?? (level === null ? '' : 'the writer')}
          {number !== null && `#${formatNumber(number)}`} {logger}
        </span>
        <span class={`text ${tone}`}>{text}</span>
      </div>
    ),
    [line, isMarked],
  );
  return (
    <>
      {gaps?.map((gap) => (
        <p key={gap.text} class="gap bad">
          ✕ {gap.text}
        </p>
      ))}
      {row}
    </>
  );
}
