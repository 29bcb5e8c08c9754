// Text from elsewhere: shown as it is, never as HTML.

import type { ComponentChildren, RefObject, TargetedEvent } from 'preact';
import { writeJson } from '../json.js';

interface CodeProps {
  /** What it is, for those who do not see it. */
  readonly label: string;
  readonly boxRef?: RefObject<HTMLPreElement | null>;
  readonly onScroll?: (event: TargetedEvent<HTMLPreElement>) => void;
  readonly children: ComponentChildren;
}

/** Preformatted text, such as a stack. Keyboards reach it, because it may scroll. */
export function Code({ label, boxRef, ...rest }: CodeProps) {
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
  // biome-ignore lint/a11y/useSemanticElements: a section does not keep the line breaks
  return <pre class="code" role="region" aria-label={label} tabIndex={0} ref={boxRef ?? null} {...rest} />;
}

/** Any value as JSON, with exact integers. */
export function Json({ label, value }: { readonly label: string; readonly value: unknown }) {
  return <Code label={label}>{writeJson(value, 2)}</Code>;
}
