// One run: how it goes or went, what it logged, and why it ran.

import type { ComponentChildren } from 'preact';
import type { JobStory, JobView, Requested, RequestView } from '../../api.js';
import { announce } from '../announce.js';
import { post } from '../api.js';
import { parseJson } from '../json.js';
import { Action } from '../parts/action.js';
import { confirm } from '../parts/dialog.js';
import { JobLines } from '../parts/job-lines.js';
import { Link } from '../parts/link.js';
import { formatBytes } from '../parts/number.js';
import { Loaded, Page } from '../parts/page.js';
import { Progress } from '../parts/progress.js';
import { Status } from '../parts/status.js';
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
            <Facts run={view} />
            {view.message !== '' && <Code label="Message" text={view.message} />}
            {view.args !== null && (
              <Section title="Arguments">
                <Json label="Arguments" value={parseJson(view.args)} />
              </Section>
            )}
            {view.checkpoint !== null && (
              <Section title="Checkpoint">
                <Json label="Checkpoint" value={parseJson(view.checkpoint)} />
              </Section>
            )}
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

function Section({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Actions({ run: { id, ruleName, status, args } }: { readonly run: JobView }) {
  const stop = async () => {
    const text = `Run ${id} of ${ruleName} is asked to end. What it has not finished stays undone.`;
    if (!(await confirm('Stop a run', text, 'Stop'))) return;
    announce((await post<Requested>(`jobs/${id}/cancel`)).text);
  };
  const again = async () => {
    const what = args === null ? 'without arguments' : 'with the same arguments';
    if (!(await confirm('Run again', `Runs ${ruleName} now, ${what}.`, 'Run'))) return;
    const { request, text } = await post<Requested>(`jobs/${id}/again`);
    announce(text);
    setQuery({ request: String(request) });
  };
  return (
    <span class="actions">
      {status === 'running' && <Action run={stop}>Stop</Action>}
      <Action run={again}>Run again</Action>
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
          Request {request}:{' '}
          {job === null ? (
            text
          ) : (
            <>
              <Link to={`/runs/${job.id}`}>run {job.id}</Link> has begun <Status state={job.status} />
            </>
          )}
        </p>
      )}
    </Loaded>
  );
}

function Facts({ run }: { readonly run: JobView }) {
  const { status, dueAt, requestId, requestedBy, startedAt, endedAt, cpuMs, memoryBytes } = run;
  const facts: ReadonlyArray<readonly [name: string, value: ComponentChildren]> = [
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
  ];
  return (
    <dl class="fields">
      {facts.map(
        ([name, value]) =>
          value !== null &&
          value !== false && (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          ),
      )}
    </dl>
  );
}

/** lino.log also has what is below the rule's level. */
function LogLink({ run: { id, startedAt, endedAt } }: { readonly run: JobView }) {
  const query = new URLSearchParams({ text: `"job":${id}`, since: startedAt, until: endedAt ?? '' });
  return (
    <p>
      <Link to={`/log?${query}`}>Its records in lino.log</Link>
    </p>
  );
}

function Story({ path, run }: { readonly path: string; readonly run: JobView }) {
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
                  <li key={attempt}>
                    {job === null ? (
                      text
                    ) : (
                      <>
                        {job.id === run.id ? (
                          `run ${job.id}`
                        ) : (
                          <Link to={`/runs/${job.id}`}>run {job.id}</Link>
                        )}{' '}
                        <Status state={job.status} /> <Time at={job.startedAt} /> {job.headline}
                      </>
                    )}
                  </li>
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
