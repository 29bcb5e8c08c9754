// The JSON API of the console: what each route takes and returns. The server implements it, the page uses its types.
//
// Paths are relative to the console's prefix. Times are ISO 8601 in UTC. Errors are `{error: {code, message}}` with
// the status 400, 401, 403, 404, 429, 500, or 503 while the database or the layer is away.

/** What somebody may do. Each role may do what the ones before it may. */
export const roles = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

/** The body of an answer that is no success. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string };
}

/** `GET api/session`: who is signed in; 401 when nobody is. */
export interface SessionView {
  readonly user: string;
  readonly role: Role;
  /** Sent back in the header `x-console-token` with each change. */
  readonly token: string;
  readonly site: { readonly name: string; readonly timezone: string; readonly version: string };
  /** Whether the site has mails and push messages to show. */
  readonly hasOutbox: boolean;
}

/**
 * `POST api/sign-in`: the answer is SessionView. By an account, or by the one-time token of a link: `…/#token=TOKEN`, in
 * the fragment, so that no log and no proxy sees it. 401 when it is wrong; 429 after several failures.
 */
export type SignIn = { readonly user: string; readonly password: string } | { readonly token: string };

/** `POST api/sign-out`: ends the session. The answer is `{}`. */

/** A part of a longer list. `total` counts the whole list, where that is cheap. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  /** For the query `after` of the next part; null at the end. */
  readonly next: string | null;
  readonly total?: number;
  /** How far into the past a search got that took too long; null for a complete one. */
  readonly searchedTo?: string | null;
}

/** `GET api/overview` */
export interface OverviewView {
  readonly problems: ReadonlyArray<{
    readonly code: string;
    readonly text: string;
    readonly link: string | null;
  }>;
  /** Jobs that started today, in the site's time zone, by status. */
  readonly today: Readonly<Record<JobStatus, number>>;
  readonly running: readonly JobSummary[];
  /** Rules with failures in the last 24 hours. */
  readonly failures: ReadonlyArray<{ readonly times: number; readonly last: JobSummary }>;
  readonly next: ReadonlyArray<{ readonly rule: number; readonly name: string; readonly at: string }>;
  readonly workers: number;
}

export type JobStatus = 'running' | 'done' | 'failed' | 'cancelled' | 'timeout' | 'lost';

/** A run in a list. */
export interface JobSummary {
  readonly id: number;
  readonly rule: number;
  readonly ruleName: string;
  readonly procedure: string;
  readonly dueAt: string | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly status: JobStatus;
  readonly attempt: number;
  /** At most 200 characters. */
  readonly headline: string;
  readonly progress: {
    readonly done: number;
    readonly total: number | null;
    readonly text: string | null;
  } | null;
}

/**
 * `GET api/jobs?rule=&status=&since=&until=&text=&after=&limit=`: a Page of JobSummary, the newest first. The rule: its number or name. Several
 * statuses are separated by commas. The times are as the commands take them: `2026-11-24T20:00`, `20:00`, `2h`.
 */

/** `GET api/jobs/:id` */
export interface JobView extends JobSummary {
  readonly requestId: number | null;
  readonly requestedBy: string | null;
  readonly worker: string;
  readonly runIn: 'inline' | 'thread' | 'process';
  readonly message: string;
  readonly cause: string | null;
  /** JSON text, in which integers are exact. */
  readonly args: string | null;
  readonly checkpoint: string | null;
  readonly cpuMs: number | null;
  readonly memoryBytes: number | null;
}

/** `GET api/jobs/:id/story`: what happened at its due time. */
export interface JobStory {
  readonly sentences: readonly string[];
  /** All attempts, the first one included. */
  readonly attempts: ReadonlyArray<{
    readonly attempt: number;
    readonly job: JobSummary | null;
    /** What became of it when it has no job. */
    readonly text: string;
  }>;
}

/** `GET api/jobs/:id/lines?after=`: the lines that it logged, the oldest first, at most 1000 of them. */
export interface JobLine {
  readonly id: number;
  readonly at: string;
  readonly level: string;
  readonly text: string;
}

/** `GET api/requests/:id`: what became of a request for a run. */
export interface RequestView {
  /** Why it waits, or why nothing ran; empty with a job. */
  readonly text: string;
  readonly job: JobSummary | null;
}

/** `POST api/jobs/:id/cancel`, `POST api/jobs/:id/again`. */
export interface Requested {
  /** The number of the request; null when nothing was to be done. */
  readonly request: number | null;
  /** A sentence for people. */
  readonly text: string;
}

export type RuleState = 'active' | 'running' | 'paused' | 'removed' | 'never';

/** `GET api/rules?text=&state=&sort=&after=&limit=`: a Page of RuleSummary. Sort: name, next, last, -name, -next, -last. */
export interface RuleSummary {
  readonly id: number;
  readonly name: string;
  readonly procedure: string;
  /** When it is due, in words. */
  readonly when: string;
  readonly state: RuleState;
  /** Why it is paused, or never due. */
  readonly stateText: string | null;
  readonly nextAt: string | null;
  readonly last: JobSummary | null;
  /** The last 50 runs, the oldest first. */
  readonly strip: ReadonlyArray<{
    readonly job: number;
    readonly status: JobStatus;
    readonly ms: number | null;
  }>;
}

/** `GET api/rules/:id` */
export interface RuleView extends RuleSummary {
  readonly timezone: string;
  /** All fields in the order in which people see them. */
  readonly fields: ReadonlyArray<{
    readonly name: string;
    /** What is allowed, in words. */
    readonly allowed: string;
    readonly suggestion: unknown;
    /** Null where the suggestion counts. */
    readonly override: unknown;
    readonly effective: unknown;
    /** Who overrode it, and when. */
    readonly by: string | null;
    readonly at: string | null;
  }>;
  /** Sentences about what blocks it or is overdue. */
  readonly blockers: readonly string[];
}

/**
 * `GET api/rules/:id/next?count=20&changes=JSON`: the due times, as if the fields were changed so; 400 as the command
 * says it. The changes are texts by field, as after `linod rule N set`.
 */
export interface DueView {
  readonly at: string | null;
  /** Wall time in the rule's zone. */
  readonly wall: string;
  /** What is special about it; empty for an ordinary one. */
  readonly note: string;
}

/** `GET api/rules/:id/history`: the newest first. */
export interface RevisionView {
  readonly revision: number;
  readonly at: string;
  readonly by: string | null;
  readonly how: string;
  /** What it changed, in words. */
  readonly text: string;
  readonly canUndo: boolean;
}

/** `GET api/rules/:id/timeline?from=&to=`: the decisions, runs and clock changes, and for the future what will be due. */
export interface TimelineView {
  readonly from: string;
  readonly to: string;
  readonly now: string;
  readonly entries: ReadonlyArray<{
    readonly id: number;
    /** The due time, or when it was decided. */
    readonly at: string;
    readonly until: string | null;
    readonly times: number;
    readonly reason: string;
    readonly sentence: string;
    readonly job: JobSummary | null;
  }>;
  /** Runs that no entry names. */
  readonly jobs: readonly JobSummary[];
  readonly clockChanges: ReadonlyArray<{ readonly at: string; readonly changeMs: number }>;
  /** Simulated: when each run begins and ends, or why a due time is not run. */
  readonly future: ReadonlyArray<{
    readonly dueAt: string;
    readonly startsAt: string | null;
    readonly endsAt: string | null;
    readonly reason: string;
    readonly sentence: string;
  }>;
  /** Days of which only summaries are left. */
  readonly summaries: ReadonlyArray<{ readonly day: string; readonly text: string }>;
  /** Whether entries were left out because there are too many. */
  readonly isCut: boolean;
}

/**
 * Changes of a rule, for operators: `POST api/rules/:id/run {args?}` (JSON as a text), `stop`, `pause`, `resume`; for
 * admins: `set {changes}`, `undo {revision?}`. The answer is Requested. Operators change several by
 * `POST api/rules/bulk {ids, action: 'run'|'pause'|'resume'}`, whose answer is BulkResult.
 */
export interface BulkResult {
  readonly done: number;
  readonly failed: ReadonlyArray<{ readonly id: number; readonly message: string }>;
}

/** A record of the log, or lines that are none. */
export interface LogLine {
  /** Its position: the log's file and the offset in it. For links and for going on. */
  readonly id: string;
  readonly at: string | null;
  readonly level: string | null;
  readonly logger: string | null;
  readonly sender: string | null;
  /** The number of the record among those of its sender. */
  readonly number: number | null;
  /** Message, fields and stack. */
  readonly text: string;
}

/**
 * `GET api/log?FILTER&before=ID&after=ID&limit=`: the last lines, those before a position, or those from one on. FILTER
 * is `level=&logger=&sender=&text=&since=&until=`. An answer may have few lines or none although there are more: then a
 * part of the log was searched. 404 when the file of the position is gone.
 */
export interface LogPage {
  /** The oldest first. */
  readonly lines: readonly LogLine[];
  /** For `before`; null when there is nothing before. */
  readonly before: string | null;
  /** For `after`, here and in the stream. With `isEnd`, nothing is behind it now. Null without a log. */
  readonly after: string | null;
  readonly isEnd: boolean;
}

/** `GET api/log/around?id=ID&lines=50`: LogPage with the lines around a line, unfiltered. */
/** `GET api/log/download?FILTER`: the filtered lines as text, as they are in the log. */

/** Numbers of a sender that are not in the log. */
export interface GapView {
  readonly from: number;
  readonly to: number;
  /** `missing`, or `reported as lost` by the writer. */
  readonly text: string;
  /** The line where that was noticed. */
  readonly id: string;
}

/** `GET api/log/senders`: the completeness of the log. The check runs while somebody asks. */
export interface CompletenessView {
  /** How far the log was checked, as a share from 0 to 1. */
  readonly checked: number;
  /** As `linod log verify` counts them. */
  readonly faults: number;
  /** How many senders there are; the answer has the first of them: those with gaps, then the newest. */
  readonly total: number;
  readonly senders: ReadonlyArray<{
    readonly sender: string;
    /** Tells processes with the same label apart. */
    readonly epoch: string;
    readonly first: number;
    readonly last: number;
    /** All of its records from the first up to this number are in the log. */
    readonly proven: number;
    readonly lastAt: string | null;
    readonly gaps: readonly GapView[];
  }>;
}

/** `GET api/channels`: those with messages, and those that workers listen on. The channels of processes are summed up. */
export interface ChannelView {
  readonly channel: string;
  readonly depth: number;
  /** Null for a channel without messages. */
  readonly capacity: number | null;
  readonly oldestAgeMs: number | null;
  readonly onLease: number;
  readonly dead: number;
  /** Messages that the receivers could not accept. */
  readonly dropped: number;
  /** For channels of processes: the fullest, for `peek`. */
  readonly keys: ReadonlyArray<{ readonly key: string; readonly depth: number }>;
  /** The worker listeners on it. */
  readonly receivers: ReadonlyArray<{ readonly worker: string; readonly state: string }>;
}

/** `GET api/channels/peek?channel=`: messages; `GET api/channels/dead?channel=`; `POST api/channels/redrive {channel, ids?}`: operator. */
export interface MessageView {
  /** Of a dead letter. */
  readonly id: string | null;
  /** Of a dead letter: when it died. */
  readonly sentAt: string | null;
  readonly deliveries: number;
  /** Of a dead letter: why it died. */
  readonly reason: string | null;
  readonly bytes: number | null;
  /** As JSON text, or why it cannot be read. */
  readonly text: string;
}

/** `GET api/groups` */
export interface GroupView {
  readonly group: string;
  readonly members: ReadonlyArray<{ readonly channel: string; readonly renewedAt: string | null }>;
}

/** `GET api/sockets`; `POST api/sockets/:id/close`: admin. */
export interface SocketsView {
  readonly sockets: readonly SocketView[];
  /** Servers that did not answer: `web1, process 4711`. */
  readonly silent: readonly string[];
}

export interface SocketView {
  readonly id: string;
  readonly pid: number;
  readonly client: string | null;
  readonly path: string;
  readonly ageMs: number;
  readonly queuedBytes: number;
  readonly sent: number;
  readonly received: number;
  readonly dropped: number;
  readonly groups: readonly string[];
}

/** `GET api/workers`; `POST api/workers/:id/pause|resume`: operator; `drain`: admin. */
export interface WorkerView {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: string;
  readonly heartbeatAt: string;
  readonly state: 'alive' | 'paused' | 'draining' | 'deaf' | 'silent' | 'suspended';
  readonly tasks: string;
  readonly logger: string;
  readonly maxJobs: number | null;
  readonly memoryBytes: number | null;
  readonly loopLagMs: number | null;
  readonly listeners: ReadonlyArray<{
    readonly channel: string;
    readonly state: string;
    readonly lastError: string | null;
  }>;
}

/** `GET api/outbox?kind=mail|push&state=&after=&limit=`: a Page of OutboxRow; `POST api/outbox/:kind/:id/retry`: operator. */
export interface OutboxRow {
  readonly kind: 'mail' | 'push';
  readonly id: number;
  readonly to: string;
  readonly subject: string;
  readonly state: string;
  readonly attempts: number;
  readonly createdAt: string;
  readonly nextAt: string | null;
  readonly error: string | null;
}

/** `GET api/outbox/:kind/:id`: what is in it. */
export interface OutboxMessage {
  readonly headers: ReadonlyArray<{ readonly name: string; readonly value: string }>;
  /** The text of a mail, or the JSON of a push. */
  readonly text: string;
  /** The HTML of a mail, to be shown as source. */
  readonly html: string | null;
}

/** `GET api/audit?after=`: a Page of AuditRow, the newest first. */
export interface AuditRow {
  readonly id: number;
  readonly at: string;
  readonly user: string;
  readonly role: Role | null;
  readonly address: string | null;
  /** For example `rule.set`, `job.cancel`, `sign-in`. */
  readonly action: string;
  /** What it was done to, for example `rule 3`. */
  readonly target: string;
  readonly detail: string;
  /** The revision of a rule that can be undone; else null. */
  readonly undo: { readonly rule: number; readonly revision: number } | null;
}

/**
 * `GET api/stream?topics=jobs,rules,…&log=1&FILTER`: server-sent events, one stream a tab.
 * `changed`: the topics whose data should be fetched again; the first names all that were asked for.
 * `log`: new lines. Each `log` event has as its id the position behind its lines, and `Last-Event-ID` goes on there,
 * or the query `after`.
 * The stream ends with the session: then `GET api/session` answers 401.
 */
export const topics = ['jobs', 'lines', 'rules', 'workers', 'channels', 'audit', 'outbox'] as const;
/** `lines`: what jobs logged. */
export type Topic = (typeof topics)[number];
export interface ChangedEvent {
  readonly topics: readonly Topic[];
}
export interface LogEvent {
  readonly lines: readonly LogLine[];
  /** How many lines before these matched and were not sent, because there were too many. Null for unknown many. */
  readonly omitted: number | null;
}
