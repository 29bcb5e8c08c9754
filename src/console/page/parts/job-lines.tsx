// What a run logged, as it comes.

import { signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { JobLine } from '../../api.js';
import { get } from '../api.js';
import { Refresher } from '../refresher.js';
import { levelTones } from './status.js';
import { Time } from './time.js';

/** Shows the newest line as long as the reader is at the end. @param path `jobs/17` */
export function JobLines({ path }: { readonly path: string }) {
  const lines = useMemo(() => signal<readonly JobLine[]>([]), [path]);
  const error = useMemo(() => signal<string | null>(null), [path]);
  useEffect(() => {
    const refresher = new Refresher({
      topics: ['lines'],
      load: async (abort) => {
        for (let hasMore = true; hasMore; ) {
          const after = lines.peek().at(-1)?.id ?? 0;
          const more = await get<readonly JobLine[]>(`${path}/lines?after=${after}`, abort);
          hasMore = more.length > 0;
          if (hasMore) lines.value = [...lines.peek(), ...more];
        }
      },
      onError: (message) => {
        error.value = message;
      },
    });
    return () => refresher.stop();
  }, [path]);

  const box = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    if (isAtEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.value]);
  if (error.value !== null) return <p class="problem bad">{error.value}</p>;
  if (lines.value.length === 0) return <p class="quiet">It has logged nothing.</p>;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a section does not keep the line breaks
    <pre
      ref={box}
      class="code lines"
      role="region"
      aria-label="Log"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
        isAtEnd.current = scrollTop + clientHeight > scrollHeight - 20;
      }}
    >
      {lines.value.map(({ id, at, level, text }) => (
        <div key={id} class={levelTones[level]}>
          <Time at={at} /> {level} {text}
        </div>
      ))}
    </pre>
  );
}
