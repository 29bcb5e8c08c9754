// What a run logged, as it comes.

import { signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { JobLine } from '../../../api.js';
import { get } from '../../api.js';
import { Live, useLive } from '../../live.js';
import { levelTones } from '../status.js';
import { Code } from '../text.js';
import { Time } from '../time.js';

class LiveLines extends Live {
  readonly lines = signal<readonly JobLine[]>([]);
  readonly #path: string;

  constructor(path: string) {
    super(['lines']);
    this.#path = path;
  }

  override async load(abort: AbortSignal): Promise<void> {
    for (let hasMore = true; hasMore; ) {
      const after = this.lines.peek().at(-1)?.id ?? 0;
      const more = await get<readonly JobLine[]>(`${this.#path}/lines?after=${after}`, abort);
      hasMore = more.length > 0;
      if (hasMore) this.lines.value = [...this.lines.peek(), ...more];
    }
  }
}

/** Shows the newest line as long as the reader is at the end. @param path `jobs/17` */
export function JobLines({ path }: { readonly path: string }) {
  const { lines, error } = useLive(() => new LiveLines(path), path);
  const box = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    if (isAtEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.value]);
  if (error.value !== null) return <p class="problem bad">{error.value}</p>;
  if (lines.value.length === 0) return <p class="quiet">It has logged nothing.</p>;
  return (
    <Code
      label="Log"
      boxRef={box}
      onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
        isAtEnd.current = scrollTop + clientHeight > scrollHeight - 20;
      }}
    >
      {lines.value.map(({ id, at, level, text }) => (
        <div key={id} class={levelTones[level]}>
          <Time at={at} /> {level} {text}
        </div>
      ))}
    </Code>
  );
}
