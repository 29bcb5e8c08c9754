// The state of a job, rule or worker: a shape, a word and a colour.

/** The colour's meaning. */
export type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'quiet';

const known: Readonly<Record<string, readonly [shape: string, tone: Tone]>> = {
  done: ['✓', 'good'],
  active: ['✓', 'good'],
  alive: ['✓', 'good'],
  running: ['▶', 'busy'],
  draining: ['▶', 'busy'],
  failed: ['✕', 'bad'],
  lost: ['?', 'bad'],
  timeout: ['◔', 'bad'],
  deaf: ['✕', 'bad'],
  silent: ['?', 'bad'],
  suspended: ['◔', 'warn'],
  paused: ['‖', 'warn'],
  cancelled: ['–', 'quiet'],
  removed: ['–', 'quiet'],
  never: ['–', 'quiet'],
};

/** The tone of a line of the log; none for INFO. */
export const levelTones: Readonly<Record<string, Tone>> = {
  DEBUG: 'quiet',
  WARNING: 'warn',
  ERROR: 'bad',
  CRITICAL: 'bad',
};

/** The tone of a state; `quiet` for an unknown one. */
export function toneOf(state: string): Tone {
  return known[state]?.[1] ?? 'quiet';
}

interface StatusProps {
  readonly state: string;
  /** The word, if it is not the state itself. */
  readonly text?: string;
  readonly title?: string | null;
}

export function Status({ state, text = state, title }: StatusProps) {
  return (
    <span class={`status ${toneOf(state)}`} title={title ?? undefined}>
      <span class="shape" aria-hidden="true">
        {known[state]?.[0] ?? '•'}
      </span>
      {text}
    </span>
  );
}
