// Lines of the log: only those near the screen are drawn. It follows the end unless the reader scrolls up.

import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { LogLine } from '../../api.js';
import type { LogBlock, LogItem, LogWindow } from '../log-window.js';
import { Link } from './link.js';
import { formatCount, formatNumber } from './number.js';
import { levelTones } from './status.js';
import { Time } from './time.js';

/** A range of numbers that is missing before a line. */
export interface GapRow {
  readonly key: string;
  readonly text: string;
}
/** By the id of the line. */
export type GapRows = ReadonlyMap<string, readonly GapRow[]>;

/** This close to the end, in pixels, the reader is at the end. */
const endSlack = 40;
/** This close to the begin or the end, more lines are loaded. */
const loadAhead = 800;

interface LogListProps {
  readonly log: LogWindow;
  readonly gaps: GapRows;
  /** The id of the line that is marked. */
  readonly marked: string;
}

export function LogList({ log, gaps, marked }: LogListProps) {
  const scroller = useRef<HTMLElement>(null);
  const anchor = useRef<Anchor | null>(null);
  const blocks = log.blocks.value;
  // Before this rendering changes what is above.
  anchor.current = log.isFollowing.peek() ? null : anchorOf(scroller.current);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    if (log.isFollowing.peek()) element.scrollTop = element.scrollHeight;
    else if (anchor.current !== null) element.scrollTop = anchor.current.block.offsetTop - anchor.current.top;
    fill(log, element);
  }, [log, blocks, gaps]);
  useLayoutEffect(() => {
    if (marked !== '') scroller.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'center' });
  }, [marked, blocks.length > 0]);
  return (
    <section
      class="log"
      aria-label="Lines of the log"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
      ref={scroller}
      onScroll={({ currentTarget }) => onScroll(log, currentTarget)}
    >
      {log.isLoaded.value && blocks.length === 0 && <p class="gap">No lines so far.</p>}
      {blocks.map((block) => (
        <Block key={block.key} block={block} gaps={gaps} marked={marked} root={scroller} />
      ))}
    </section>
  );
}

interface Anchor {
  readonly block: HTMLElement;
  readonly top: number;
}

/** The first block on the screen, and where it is. */
function anchorOf(scroller: HTMLElement | null): Anchor | null {
  if (scroller === null) return null;
  const { scrollTop } = scroller;
  for (const block of scroller.querySelectorAll<HTMLElement>('.block')) {
    const { offsetTop, offsetHeight } = block;
    if (offsetTop + offsetHeight > scrollTop) return { block, top: offsetTop - scrollTop };
  }
  return null;
}

function onScroll(log: LogWindow, element: HTMLElement): void {
  const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < endSlack;
  if (!isAtEnd) log.pause();
  else if (!log.hasLater) log.follow();
  fill(log, element);
}

function fill(log: LogWindow, { scrollTop, scrollHeight, clientHeight }: HTMLElement): void {
  if (log.hasLater && scrollHeight - scrollTop - clientHeight < loadAhead) log.loadLater();
  else if (
    log.hasEarlier &&
    (scrollHeight <= clientHeight || (scrollTop < loadAhead && !log.isFollowing.peek()))
  )
    log.loadEarlier();
}

interface BlockProps extends Pick<LogListProps, 'gaps' | 'marked'> {
  readonly block: LogBlock;
  readonly root: RefObject<HTMLElement | null>;
}

function Block({ block, gaps, marked, root }: BlockProps) {
  const element = useRef<HTMLDivElement>(null);
  /** Null while it is drawn. */
  const [height, setHeight] = useState<number | null>(null);
  useEffect(() => {
    const observer = new IntersectionObserver(
      (entries) => {
        const entry = entries.at(-1);
        if (entry !== undefined) setHeight(entry.isIntersecting ? null : entry.boundingClientRect.height);
      },
      { root: root.current, rootMargin: '1000px' },
    );
    if (element.current !== null) observer.observe(element.current);
    return () => observer.disconnect();
  }, [root]);
  const rows = useMemo(
    () => block.items.map((item) => <Item key={item.id} item={item} gaps={gaps} marked={marked} />),
    [block, gaps, marked],
  );
  return (
    <div class="block" ref={element} style={height === null ? {} : { height: `${height}px` }}>
      {height === null && rows}
    </div>
  );
}

function Item({ item, gaps, marked }: Pick<LogListProps, 'gaps' | 'marked'> & { readonly item: LogItem }) {
  if (!('text' in item))
    return (
      <p class="gap warn">
        ▲ {item.omitted === null ? 'Lines are' : formatCount(item.omitted, 'line is', 'lines are')} left out
        here, because they came faster than they can be shown.
      </p>
    );
  return (
    <>
      {gaps.get(item.id)?.map(({ key, text }) => (
        <p key={key} class="gap bad">
          ✕ {text}
        </p>
      ))}
      <Line line={item} isMarked={item.id === marked} />
    </>
  );
}

function Line({ line, isMarked }: { readonly line: LogLine; readonly isMarked: boolean }) {
  const { id, at, level, logger, sender, number, text } = line;
  const tone = (level === null ? 'quiet' : levelTones[level]) ?? '';
  return (
    <div class="line" data-row={id} tabIndex={-1} aria-current={isMarked || undefined}>
      <Link to={`/log?line=${id}`} class="at" title="Show what stands around this line">
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
  );
}
