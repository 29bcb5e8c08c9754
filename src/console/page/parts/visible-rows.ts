// Which rows of a long table are on the screen. The window scrolls; all rows are of one height.

import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

/** Rows before and after the visible ones, so that quick scrolling shows no gaps. */
const extraRows = 20;
/** Until the first row is measured. */
const guessedHeight = 33;

interface VisibleRows {
  /** The first row to render. */
  readonly first: number;
  /** Behind the last row to render. */
  readonly last: number;
  readonly rowHeight: number;
}

/** @param count null when the table is not a long one */
export function useVisibleRows(
  body: RefObject<HTMLElement | null>,
  count: number | null,
  onView?: (first: number, last: number) => void,
): VisibleRows {
  const [range, setRange] = useState<VisibleRows>({ first: 0, last: 60, rowHeight: guessedHeight });
  useLayoutEffect(() => {
    if (count === null) return;
    const measure = () => {
      const visible = visibleRows(body.current, count);
      setRange((old) => (isEqual(old, visible) ? old : visible));
      onView?.(Math.min(count, visible.first + extraRows), Math.max(0, visible.last - extraRows));
    };
    measure();
    addEventListener('scroll', measure, { passive: true });
    addEventListener('resize', measure);
    return () => {
      removeEventListener('scroll', measure);
      removeEventListener('resize', measure);
    };
  }, [body, count, onView]);
  return { ...range, last: Math.min(range.last, count ?? 0) };
}

function visibleRows(body: HTMLElement | null, count: number): VisibleRows {
  const rowHeight = body?.querySelector<HTMLElement>('[data-row]')?.offsetHeight ?? guessedHeight;
  const top = -(body?.getBoundingClientRect().top ?? 0);
  // Whole tens: a table that is drawn again for each row would not scroll smoothly.
  const first = Math.floor((top / rowHeight - extraRows) / 10) * 10;
  const last = Math.ceil(((top + innerHeight) / rowHeight + extraRows) / 10) * 10;
  return {
    first: Math.min(Math.max(0, first), Math.max(0, count - 1)),
    last: Math.min(count, last),
    rowHeight,
  };
}

function isEqual(a: VisibleRows, b: VisibleRows): boolean {
  return a.first === b.first && a.last === b.last && a.rowHeight === b.rowHeight;
}
