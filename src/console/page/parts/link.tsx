// A link to another page of the console.

import type { ComponentChildren } from 'preact';
import { href } from '../router.js';

interface LinkProps {
  /** A path such as `/rules/3`. */
  readonly to: string;
  readonly title?: string;
  readonly class?: string;
  /** Whether it leads to where the user is. */
  readonly current?: 'page' | undefined;
  readonly children: ComponentChildren;
}

export function Link({ to, current, ...rest }: LinkProps) {
  return <a href={href(to)} aria-current={current} {...rest} />;
}
