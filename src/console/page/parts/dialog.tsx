// Dialogs on the browser's own <dialog>: it keeps the focus inside, and Escape closes it.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../api.js';

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** Open as long as it is rendered. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    // Closing gives the focus back to where it was.
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      aria-label={title}
      // When its page is gone, the address is that of another.
      onClose={({ currentTarget }) => currentTarget.isConnected && onClose()}
    >
      <header>
        <h2>{title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick={() => element.current?.close()}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}

/** What is asked before something is done. */
export interface Question {
  readonly title: string;
  readonly text?: string;
  /** Names a text that may be given. */
  readonly field?: string;
  /** The word on the button. */
  readonly action: string;
}

interface QuestionDialogProps {
  readonly question: Question;
  /** A refusal is shown in the dialog. */
  readonly onYes: (text: string) => Promise<void>;
  readonly onClose: () => void;
}

export function QuestionDialog({ question, onYes, onClose }: QuestionDialogProps) {
  const { title, text, field, action } = question;
  const [refusal, setRefusal] = useState('');
  const submit = (event: SubmitEvent & { readonly currentTarget: HTMLFormElement }) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget).get('text');
    onYes(String(given ?? '')).catch((error: unknown) => setRefusal(messageOf(error)));
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        {text !== undefined && <p>{text}</p>}
        {field !== undefined && (
          <label class="filter">
            <span>{field}</span>
            <textarea name="text" rows={4} spellcheck={false} />
          </label>
        )}
        <p class="bad" role="alert">
          {refusal}
        </p>
        <footer>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            {action}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
