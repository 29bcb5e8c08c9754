// One rule: its timeline, its fields, its history.

import type { RuleView } from '../../../api.js';
import { Tabs } from '../../parts/fields.js';
import { Link } from '../../parts/link.js';
import { Facts, Loaded, Page } from '../../parts/page.js';
import { Status } from '../../parts/status.js';
import { RunStrip } from '../../parts/strip.js';
import { Ago, Duration } from '../../parts/time.js';
import { useResource } from '../../resource.js';
import { queryValue } from '../../router.js';
import { PauseOrResume, RunRule, StopRule } from './rule-actions.js';
import { RuleFields } from './rule-fields.js';
import { RuleHistory } from './rule-history.js';
import { Timeline } from './timeline.js';

const tabs = { timeline: 'Timeline', fields: 'Fields', history: 'History' };

export function RulePage({ id }: { readonly id: string }) {
  const resource = useResource<RuleView>(`rules/${id}`, ['rules', 'jobs']);
  const rule = resource.data.value;
  return (
    <Page title={rule?.name ?? `Rule ${id}`} actions={rule && <Actions rule={rule} />}>
      <Loaded resource={resource}>
        {(rule) => (
          <>
            <Head rule={rule} />
            <Tabs label="Parts of the rule" name="tab" tabs={tabs} />
            <Tab rule={rule} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

interface RuleProps {
  readonly rule: RuleView;
}

function Actions({ rule }: RuleProps) {
  return (
    <span class="actions">
      <RunRule rule={rule} />
      <StopRule rule={rule} />
      <PauseOrResume rule={rule} />
    </span>
  );
}

function Tab({ rule }: RuleProps) {
  const tab = queryValue('tab');
  if (tab === 'fields') return <RuleFields rule={rule} />;
  if (tab === 'history') return <RuleHistory id={rule.id} />;
  const { id, name, last, nextAt } = rule;
  const isKnown = last !== null && nextAt !== null;
  const apartMs = isKnown ? Date.parse(nextAt) - Date.parse(last.startedAt) : Number.NaN;
  return <Timeline id={id} name={name} apartMs={apartMs} />;
}

function Head({ rule }: RuleProps) {
  const { id, procedure, when, state, blockers } = rule;
  return (
    <>
      <Facts
        facts={[
          ['Rule', `${id}, procedure ${procedure}`],
          ['When', when],
          ['State', <State key={state} rule={rule} />],
          ['Last runs', <LastRuns key="last" rule={rule} />],
        ]}
      />
      {blockers.map((sentence) => (
        <p key={sentence} class="problem warn">
          {sentence}
        </p>
      ))}
    </>
  );
}

function State({ rule: { state, stateText, nextAt } }: RuleProps) {
  return (
    <>
      <Status state={state} /> {stateText}
      {nextAt !== null && state !== 'paused' && (
        <span class="quiet">
          next <Ago at={nextAt} />
        </span>
      )}
    </>
  );
}

function LastRuns({ rule: { id, last, strip } }: RuleProps) {
  return (
    <>
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
    </>
  );
}
