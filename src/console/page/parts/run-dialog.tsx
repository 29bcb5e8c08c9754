// Asks for the arguments of a run, and asks for the run.

import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import type { Requested } from '../../api.js';
import { announce } from '../announce.js';
import { messageOf, post } from '../api.js';
import { Dialog } from './dialog.js';

interface Target {
  readonly id: number;
  readonly name: string;
}

const target = signal<Target | null>(null);

/** Opens the dialog for a rule. */
export function askForRun(rule: Target): void {
  target.value = rule;
}

/** Once in each page that calls `askForRun`. */
export function RunDialog() {
  return target.value === null ? null : <OpenDialog key={target.value.id} rule={target.value} />;
}

function OpenDialog({ rule }: { readonly rule: Target }) {
  const [args, setArgs] = useState('');
  const [refusal, setRefusal] = useState('');
  const [isBusy, setBusy] = useState(false);
  const close = () => {
    target.value = null;
  };
  const run = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    try {
      // As it was written, so that no number is rounded on the way.
      const { text } = await post<Requested>(`rules/${rule.id}/run`, args.trim() === '' ? {} : { args });
      announce(`${rule.name}: ${text}`);
      close();
    } catch (error) {
      setRefusal(messageOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Run ${rule.name} now`} onClose={close}>
      <form onSubmit={run}>
        <label class="filter">
          <span>Arguments as JSON; leave it empty for none</span>
          <textarea
            rows={4}
            spellcheck={false}
            value={args}
            onInput={({ currentTarget: { value } }) => setArgs(value)}
          />
        </label>
        <p class="bad" role="alert">
          {refusal}
        </p>
        <footer>
          <button type="submit" class="primary" aria-disabled={isBusy || undefined}>
            Run
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
