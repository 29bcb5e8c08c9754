// A button that changes something on the server.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Role } from '../../api.js';
import { announceError } from '../announce.js';
import { may } from '../session.js';

export interface ActionProps {
  /** Nothing is rendered for users who may not do it. The default is `operator`. */
  readonly role?: Role;
  /** What is read to those who do not see the context: `Pause rule mails`. */
  readonly label?: string;
  readonly title?: string;
  readonly class?: string;
  readonly isDisabled?: boolean;
  /** A failure is shown to the user. */
  readonly run: () => Promise<unknown>;
  readonly children: ComponentChildren;
}

/** One click at a time. Until the answer comes it keeps the focus, which a disabled button would lose. */
export function Action({ role = 'operator', label, isDisabled = false, run, ...rest }: ActionProps) {
  const [isBusy, setBusy] = useState(false);
  if (!may(role)) return null;
  const click = () => {
    if (isBusy) return;
    setBusy(true);
    run()
      .catch(announceError)
      .finally(() => setBusy(false));
  };
  return (
    <button
      type="button"
      aria-label={label}
      disabled={isDisabled}
      aria-disabled={isBusy || undefined}
      onClick={click}
      {...rest}
    />
  );
}
