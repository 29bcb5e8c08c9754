// Which rows of a long table are on the screen. The window scrolls; all rows are of one height.

import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

/** Called with the indices of the rows on the screen. */
export type OnView = (first: number, last: number) => void;

/** In pixels, as theme.css has it. */
export const rowHeight = 33;
/** Rows on the screen, at most. */
const shown = Math.ceil(screen.height / rowHeight) + 10;
/** Rows before and after the visible ones, so that quick scrolling shows no gaps. */
const extraRows = 20;

/** The first row to render, and the one behind the last: all, without `onView`. Then the table is no long one. */
export function useVisibleRows(
  body: RefObject<HTMLElement | null>,
  count: number,
  onView?: OnView,
): readonly [first: number, last: number] {
  const [first, setFirst] = useState(0);
  useLayoutEffect(() => {
    if (onView === undefined) return;
    const measure = () => {
      const top = -(body.current?.getBoundingClientRect().top ?? 0);
      // Whole tens: a table that is drawn again for each row would not scroll smoothly.
      const top10 = Math.max(0, Math.min(count - 1, Math.floor(top / rowHeight / 10) * 10));
      setFirst(top10);
      onView(top10, Math.min(count, top10 + shown));
    };
    measure();
    const listening = new AbortController();
    addEventListener('scroll', measure, { passive: true, signal: listening.signal });
    addEventListener('resize', measure, { signal: listening.signal });
    return () => listening.abort();
  }, [body, count, onView]);
  if (onView === undefined) return [0, count];
  return [Math.max(0, first - extraRows), Math.min(count, first + shown + extraRows)];
}
