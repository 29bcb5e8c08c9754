// What can be done with one rule.

import type { Requested, RuleSummary } from '../../api.js';
import { announce } from '../announce.js';
import { post } from '../api.js';
import { Action } from '../parts/action.js';
import { askForRun } from '../parts/run-dialog.js';

interface RuleProps {
  readonly rule: RuleSummary;
}

export function PauseOrResume({ rule: { id, name, state } }: RuleProps) {
  if (state === 'removed') return null;
  const [verb, word] = state === 'paused' ? ['Resume', 'resume'] : ['Pause', 'pause'];
  const run = async () => {
    const { text } = await post<Requested>(`rules/${id}/${word}`);
    announce(`${name}: ${text}`);
  };
  return (
    <Action label={`${verb} ${name}`} run={run}>
      {verb}
    </Action>
  );
}

export function RuleActions({ rule }: RuleProps) {
  const { id, name, last, state } = rule;
  const stop = async () => {
    const { text } = await post<Requested>(`rules/${id}/stop`);
    announce(`${name}: ${text}`);
  };
  return (
    <span class="actions">
      {state !== 'removed' && (
        <Action label={`Run ${name}`} run={async () => askForRun(rule)}>
          Run…
        </Action>
      )}
      <Action label={`Stop ${name}`} isDisabled={last?.status !== 'running'} run={stop}>
        Stop
      </Action>
      <PauseOrResume rule={rule} />
    </span>
  );
}
