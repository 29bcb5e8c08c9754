// Text from elsewhere: shown as it is, never as HTML.

import { writeJson } from '../json.js';

interface CodeProps {
  /** What it is, for those who do not see it. */
  readonly label: string;
  readonly text: string;
}

/** Preformatted text, such as a stack. Keyboards reach it, because it may scroll. */
export function Code({ label, text }: CodeProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    // biome-ignore lint/a11y/useSemanticElements: a section does not keep the line breaks
    <pre class="code" role="region" aria-label={label} tabIndex={0}>
      {text}
    </pre>
  );
}

/** Any value as JSON, with exact integers. */
export function Json({ label, value }: { readonly label: string; readonly value: unknown }) {
  return <Code label={label} text={writeJson(value, 2)} />;
}
