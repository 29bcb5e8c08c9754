// The theme that the user chose, kept in this browser.

import { effect, signal } from '@preact/signals';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const key = 'linod-console-theme';

/** Writing it changes the theme. */
export const theme = signal<Theme>(storedTheme());

function storedTheme(): Theme {
  try {
    return themes.find((name) => name === localStorage.getItem(key)) ?? 'system';
  } catch {
    // Browsers can forbid to keep anything.
    return 'system';
  }
}

/** Applies the theme, now and when it changes. */
export function startTheme(): void {
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    try {
      localStorage.setItem(key, theme.value);
    } catch {
      // It counts for this tab only.
    }
  });
}
