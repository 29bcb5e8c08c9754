// One run: how it goes or went, what it logged, and why it ran.

import type { JobStory, JobSummary, JobView, Requested, RequestView } from '../../api.js';
import { post, request } from '../api.js';
import { parseJson } from '../json.js';
import { Action } from '../parts/action.js';
import { Link } from '../parts/link.js';
import { JobLines } from '../parts/log/job-lines.js';
import { formatBytes } from '../parts/number.js';
import { Facts, Loaded, Page, Section } from '../parts/page.js';
import { Progress, Status } from '../parts/status.js';
import { Code, Json } from '../parts/text.js';
import { Duration, formatDuration, Time, TimeAndAgo } from '../parts/time.js';
import { useResource } from '../resource.js';
import { queryValue, setQuery } from '../router.js';

export function RunPage({ id }: { readonly id: string }) {
  const path = `jobs/${encodeURIComponent(id)}`;
  const run = useResource<JobView>(path, ['jobs']);
  const request = queryValue('request');
  return (
    <Page title={`Run ${id}`} actions={run.data.value && <Actions run={run.data.value} />}>
      {request !== '' && <Fate request={request} />}
      <Loaded resource={run}>
        {(view) => (
          <>
            <RunFacts run={view} />
            {view.message !== '' && <Code label="Message" children={view.message} />}
            <JsonSection title="Arguments" text={view.args} />
            <JsonSection title="Checkpoint" text={view.checkpoint} />
            <Section title="Log">
              <JobLines path={path} />
              <LogLink run={view} />
            </Section>
            <Story path={path} run={view} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function JsonSection({ title, text }: { readonly title: string; readonly text: string | null }) {
  if (text === null) return null;
  return (
    <Section title={title}>
      <Json label={title} value={parseJson(text)} />
    </Section>
  );
}

interface RunProps {
  readonly run: JobView;
}

function Actions({ run: { id, ruleName, status, args } }: RunProps) {
  const stopText = `Run ${id} of ${ruleName} is asked to end. What it has not finished stays undone.`;
  const againText = `Runs ${ruleName} now, ${args === null ? 'without arguments' : 'with the same arguments'}.`;
  const again = async () => {
    const { request, text } = await post<Requested>(`jobs/${id}/again`);
    setQuery({ request: String(request) });
    return text;
  };
  return (
    <span class="actions">
      {status === 'running' && (
        <Action
          question={{ title: 'Stop a run', text: stopText, action: 'Stop' }}
          run={() => request(`jobs/${id}/cancel`)}
        >
          Stop
        </Action>
      )}
      <Action question={{ title: 'Run again', text: againText, action: 'Run' }} run={again}>
        Run again
      </Action>
    </span>
  );
}

/** What becomes of a request to run it again. */
function Fate({ request }: { readonly request: string }) {
  const fate = useResource<RequestView>(`requests/${encodeURIComponent(request)}`, ['jobs', 'rules']);
  return (
    <Loaded resource={fate}>
      {({ text, job }) => (
        <p class="problem good">
          Request {request}: {job === null ? text : <RunLink job={job} />}
        </p>
      )}
    </Loaded>
  );
}

function RunLink({ job: { id, status } }: { readonly job: JobSummary }) {
  return (
    <>
      <Link to={`/runs/${id}`}>run {id}</Link> <Status state={status} />
    </>
  );
}

function RunFacts({ run }: RunProps) {
  const { status, dueAt, requestId, requestedBy, startedAt, endedAt, cpuMs, memoryBytes } = run;
  return (
    <Facts
      facts={[
        ['Status', <Status key="status" state={status} />],
        ['Rule', <Link key="rule" to={`/rules/${run.rule}`} children={run.ruleName} />],
        ['Procedure', run.procedure],
        ['Due', dueAt && <Time at={dueAt} withDate />],
        ['Request', requestId && `${requestId}, by ${requestedBy ?? 'somebody'}`],
        ['Started', <TimeAndAgo key="started" at={startedAt} />],
        ['Ended', endedAt && <TimeAndAgo at={endedAt} />],
        [endedAt === null ? 'Runs for' : 'Took', <Duration key="took" from={startedAt} to={endedAt} />],
        ['Progress', run.progress && <Progress progress={run.progress} />],
        ['Attempt', run.attempt > 1 && run.attempt],
        ['Worker', run.runIn === 'inline' ? run.worker : `${run.worker}, in a ${run.runIn} of its own`],
        ['Processor', cpuMs !== null && formatDuration(cpuMs)],
        ['Memory', memoryBytes !== null && `at most ${formatBytes(memoryBytes)}`],
        ['Cause', run.cause],
      ]}
    />
  );
}

/** lino.log also has what is below the rule's level. */
function LogLink({ run: { id, startedAt, endedAt } }: RunProps) {
  const query = new URLSearchParams({ text: `"job":${id}`, since: startedAt, until: endedAt ?? '' });
  return (
    <p>
      <Link to={`/log?${query}`}>Its records in lino.log</Link>
    </p>
  );
}

function Story({ path, run }: RunProps & { readonly path: string }) {
  // Nothing follows a success.
  const story = useResource<JobStory>(`${path}/story`, run.status === 'done' ? [] : ['jobs', 'rules']);
  return (
    <Loaded resource={story}>
      {({ sentences, attempts }) => (
        <>
          {attempts.length > 1 && (
            <Section title="Attempts">
              <ol>
                {attempts.map(({ attempt, job, text }) => (
                  <li key={attempt}>{job === null ? text : <AttemptText job={job} />}</li>
                ))}
              </ol>
            </Section>
          )}
          {sentences.length > 0 && (
            <Section title="Why">
              <ul>
                {sentences.map((sentence) => (
                  <li key={sentence}>{sentence}</li>
                ))}
              </ul>
            </Section>
          )}
        </>
      )}
    </Loaded>
  );
}

function AttemptText({ job }: { readonly job: JobSummary }) {
  return (
    <>
      <RunLink job={job} /> <Time at={job.startedAt} /> {job.headline}
    </>
  );
}
