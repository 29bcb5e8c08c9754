// What can be done with one rule.

import type { RuleSummary } from '../../../api.js';
import { request } from '../../api.js';
import { Action } from '../../parts/action.js';

interface RuleProps {
  readonly rule: RuleSummary;
}

export function PauseOrResume({ rule: { id, name, state } }: RuleProps) {
  if (state === 'removed') return null;
  const verb = state === 'paused' ? 'Resume' : 'Pause';
  const run = async () => `${name}: ${await request(`rules/${id}/${verb.toLowerCase()}`)}`;
  return <Action label={`${verb} ${name}`} run={run} children={verb} />;
}

export function RunRule({ rule: { id, name, state } }: RuleProps) {
  if (state === 'removed') return null;
  const field = 'Arguments as JSON; leave it empty for none';
  return (
    <Action
      label={`Run ${name}`}
      question={{ title: `Run ${name} now`, field, action: 'Run' }}
      // The arguments go as they were written, so that no number is rounded on the way.
      run={async (args) => `${name}: ${await request(`rules/${id}/run`, { args })}`}
    >
      Run…
    </Action>
  );
}

export function StopRule({ rule: { id, name, last } }: RuleProps) {
  return (
    <Action
      label={`Stop ${name}`}
      isDisabled={last?.status !== 'running'}
      run={async () => `${name}: ${await request(`rules/${id}/stop`)}`}
    >
      Stop
    </Action>
  );
}

interface UndoProps {
  readonly rule: number;
  readonly revision: number;
  /** What the change was. */
  readonly text: string;
}

/** Takes back what people changed in a rule, from a revision on. */
export function Undo({ rule, revision, text }: UndoProps) {
  const what = `Takes back change ${revision} of rule ${rule}, and all later ones that people made.`;
  return (
    <Action
      label={`Undo from change ${revision} of rule ${rule} on`}
      needs="admin"
      question={{ title: 'Undo changes', text: `${what} It was: ${text}`, action: 'Undo' }}
      run={async () => `Rule ${rule}: ${await request(`rules/${rule}/undo`, { revision })}`}
    >
      Undo
    </Action>
  );
}
