// One rule: its timeline, its fields, its history.

import type { RuleView } from '../../api.js';
import { Tabs } from '../parts/fields.js';
import { Link } from '../parts/link.js';
import { Loaded, Page } from '../parts/page.js';
import { RunDialog } from '../parts/run-dialog.js';
import { Status } from '../parts/status.js';
import { RunStrip } from '../parts/strip.js';
import { Ago, Duration } from '../parts/time.js';
import { useResource } from '../resource.js';
import { queryValue } from '../router.js';
import { RuleActions } from './rule-actions.js';
import { RuleFields } from './rule-fields.js';
import { RuleHistory } from './rule-history.js';
import { Timeline } from './timeline.js';

const tabs = [
  { value: 'timeline', text: 'Timeline' },
  { value: 'fields', text: 'Fields' },
  { value: 'history', text: 'History' },
];

export function RulePage({ id }: { readonly id: string }) {
  const resource = useResource<RuleView>(`rules/${id}`, ['rules', 'jobs']);
  const rule = resource.data.value;
  const tab = queryValue('tab');
  return (
    <Page title={rule?.name ?? `Rule ${id}`} actions={rule && <RuleActions rule={rule} />}>
      <Loaded resource={resource}>
        {(rule) => (
          <>
            <Head rule={rule} />
            <Tabs label="Parts of the rule" name="tab" tabs={tabs} />
            {tab === 'fields' ? (
              <RuleFields rule={rule} />
            ) : tab === 'history' ? (
              <RuleHistory id={rule.id} name={rule.name} />
            ) : (
              <Timeline id={rule.id} name={rule.name} apartMs={apartMs(rule)} />
            )}
          </>
        )}
      </Loaded>
      <RunDialog />
    </Page>
  );
}

function apartMs({ last, nextAt }: RuleView): number {
  return last === null || nextAt === null ? Number.NaN : Date.parse(nextAt) - Date.parse(last.startedAt);
}

function Head({ rule }: { readonly rule: RuleView }) {
  const { id, procedure, when, state, stateText, nextAt, last, strip, blockers } = rule;
  return (
    <>
      <dl class="fields">
        <dt>Rule</dt>
        <dd>
          {id}, procedure {procedure}
        </dd>
        <dt>When</dt>
        <dd>{when}</dd>
        <dt>State</dt>
        <dd>
          <Status state={state} /> {stateText}
          {nextAt !== null && state !== 'paused' && (
            <span class="quiet">
              next <Ago at={nextAt} />
            </span>
          )}
        </dd>
        <dt>Last runs</dt>
        <dd>
          {last !== null && (
            <>
              <Link to={`/runs/${last.id}`}>
                <Status state={last.status} />
              </Link>{' '}
              <Duration from={last.startedAt} to={last.endedAt} /> <span class="quiet">{last.headline}</span>
            </>
          )}
          <RunStrip runs={strip} />
          <Link to={`/runs?rule=${id}`}>All runs of this rule</Link>
        </dd>
      </dl>
      {blockers.map((sentence) => (
        <p key={sentence} class="problem warn">
          {sentence}
        </p>
      ))}
    </>
  );
}
