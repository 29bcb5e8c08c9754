// A button that changes something on the server.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Role } from '../../api.js';
import { announceError } from '../announce.js';
import { mayChange } from '../session.js';

interface ActionProps {
  /** What is read to those who do not see the context: `Pause rule mails`. */
  readonly label?: string;
  readonly class?: string;
  /** Whom the server lets do it; by default operators and admins. */
  readonly needs?: Role;
  readonly isDisabled?: boolean;
  /** A failure is shown to the user. */
  readonly run: () => Promise<unknown>;
  readonly children: ComponentChildren;
}

/** Not rendered for those who may not. One click at a time. Until the answer comes it keeps the focus, which a disabled button would lose. */
export function Action({ label, isDisabled = false, needs, run, ...rest }: ActionProps) {
  const [isBusy, setBusy] = useState(false);
  if (!mayChange(needs)) return null;
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
