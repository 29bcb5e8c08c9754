// A button that changes something on the server.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Role } from '../../api.js';
import { mayChange } from '../session.js';
import { type Question, QuestionDialog } from './dialog.js';
import { announce, announceError } from './toasts.js';

interface ActionProps {
  /** What is read to those who do not see the context: `Pause rule mails`. */
  readonly label?: string;
  readonly class?: string;
  /** Whom the server lets do it; by default operators and admins. */
  readonly needs?: Role;
  readonly isDisabled?: boolean;
  /** Asked first. */
  readonly question?: Question;
  /** Returns what to say to the user; a failure is shown, too. Gets the text that the question asked for. */
  readonly run: (text: string) => Promise<string>;
  readonly children: ComponentChildren;
}

/** Not rendered for those who may not. One click at a time. Until the answer comes it keeps the focus, which a disabled button would lose. */
export function Action({ label, isDisabled = false, needs, question, run, ...rest }: ActionProps) {
  const [isBusy, setBusy] = useState(false);
  const [isAsking, setAsking] = useState(false);
  if (!mayChange(needs)) return null;
  const start = async (text = '') => {
    if (isBusy) return;
    setBusy(true);
    try {
      announce(await run(text));
      setAsking(false);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button
        type="button"
        aria-label={label}
        disabled={isDisabled}
        aria-disabled={isBusy || undefined}
        onClick={() => (question === undefined ? start().catch(announceError) : setAsking(true))}
        {...rest}
      />
      {isAsking && question && (
        <QuestionDialog question={question} onYes={start} onClose={() => setAsking(false)} />
      )}
    </>
  );
}
