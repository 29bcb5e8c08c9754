// The screen's width, for what CSS alone cannot do.

import { signal } from '@preact/signals';

const query = matchMedia('(max-width: 720px)');

/** Whether the screen is narrow, as theme.css has it. */
export const isNarrow = signal(query.matches);
query.addEventListener('change', () => {
  isNarrow.value = query.matches;
});
