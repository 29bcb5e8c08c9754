// All metrics of linod. docs/reference/metrics.md is written from here.

import { type Definition, Family } from './family.js';

const runSeconds = [0.1, 1, 10, 60, 600, 3600];
const lagSeconds = [0.1, 0.5, 1, 5, 15, 60, 300, 3600];
const loopSeconds = [0.01, 0.05, 0.1, 0.5, 1, 5];
const requestSeconds = [0.01, 0.05, 0.1, 0.5, 1, 5, 30];

/** The end of the help of a metric about the whole site. */
const siteWide = 'Every worker of the site shows the same.';

type Kind = Pick<Definition, 'type' | 'buckets'>;

function family({ type, buckets }: Kind, name: string, help: string, ...labels: string[]): Family {
  return new Family({ name, help, type, labels, ...(buckets === undefined ? {} : { buckets }) });
}

function counter(name: string, help: string, ...labels: string[]): Family {
  return family({ type: 'counter' }, name, help, ...labels);
}

function gauge(name: string, help: string, ...labels: string[]): Family {
  return family({ type: 'gauge' }, name, help, ...labels);
}

function histogram(buckets: readonly number[], name: string, help: string, ...labels: string[]): Family {
  return family({ type: 'histogram', buckets }, name, help, ...labels);
}

function siteGauge(name: string, help: string, ...labels: string[]): Family {
  return gauge(name, `${help} ${siteWide}`, ...labels);
}

/** The metrics of one process, without values. The site's part is filled when it is read. */
export function createMetrics() {
  return {
    // What this process does.
    dueLag: histogram(
      lagSeconds,
      'linod_due_lag_seconds',
      'Seconds from a due time to the start of its run in this worker.',
    ),
    runDuration: histogram(
      runSeconds,
      'linod_run_duration_seconds',
      'Seconds of the ended runs of this worker. A run that was lost is only in linod_decisions_total.',
      'rule',
      'status',
    ),
    decisions: counter('linod_decisions_total', 'Entries that this worker wrote to the ledger.', 'reason'),
    messagesSent: counter(
      'linod_messages_sent_total',
      'Messages that this process put on channels.',
      'channel',
    ),
    messagesRefused: counter(
      'linod_messages_refused_total',
      'Messages that this process could not send because the channel was full.',
      'channel',
    ),
    groupMessagesSent: counter(
      'linod_group_messages_sent_total',
      'Messages that this process sent to groups.',
    ),
    messagesReceived: counter(
      'linod_messages_received_total',
      'Messages that the consumers of this worker took.',
      'channel',
    ),
    messagesFailed: counter(
      'linod_messages_failed_total',
      'Messages whose handler in this worker threw.',
      'channel',
    ),
    messagesDropped: counter(
      'linod_messages_dropped_total',
      'Messages that were dropped in this process: overflow, expired, dead, undecodable or malformed.',
      'channel',
      'reason',
    ),
    listeners: gauge(
      'linod_listeners',
      'Channels that this worker listens on, by state: waiting, busy, paused, restarting or deaf.',
      'state',
    ),
    logRecords: counter(
      'linod_log_records_total',
      'Records that this worker wrote to lino.log, by the name of their sender.',
      'sender',
    ),
    logRecordsMissing: counter(
      'linod_log_records_missing_total',
      'Records that this worker reported as lost, by the name of their sender.',
      'sender',
    ),
    logSpool: gauge('linod_log_spool_bytes', 'Bytes of the spool files of the site on this machine.'),
    sockets: gauge('linod_sockets', 'Open WebSockets of the server in this process.'),
    requests: histogram(
      requestSeconds,
      'linod_http_request_duration_seconds',
      'Seconds of the requests that this process answered. Status 0: the client left before.',
      'status',
    ),
    loopLag: histogram(
      loopSeconds,
      'linod_event_loop_lag_seconds',
      'Seconds that a timer of this process was late, measured twice a second.',
    ),
    memory: gauge('process_resident_memory_bytes', 'Memory of this process in bytes.'),
    heap: gauge('nodejs_heap_size_used_bytes', 'Used bytes of the JavaScript heap of this process.'),
    cpu: counter('process_cpu_seconds_total', 'Seconds of processor time of this process.'),
    startTime: gauge('process_start_time_seconds', 'When this process started, in seconds since 1970.'),
    build: gauge('linod_build_info', 'Always 1; its labels are the versions.', 'version', 'node'),
    ready: gauge('linod_ready', '1 if this process can consume and write, else 0.'),
    // What the database and the channel layer say, in every worker.
    readFailed: gauge(
      'linod_site_read_failed',
      '1 if this worker could not read the database or the layer for the metrics of the site, else 0.',
      'source',
    ),
    workers: siteGauge('linod_workers', 'Workers that live.'),
    rules: siteGauge('linod_rules', 'Rules, by state: active or cancelled.', 'state'),
    lastSuccess: siteGauge(
      'linod_rule_last_success_timestamp_seconds',
      'When the last successful run of a rule ended, in seconds since 1970.',
      'rule',
    ),
    nextDue: siteGauge(
      'linod_rule_next_due_timestamp_seconds',
      'When a rule is due next, in seconds since 1970.',
      'rule',
    ),
    failures: siteGauge(
      'linod_rule_failures_in_row',
      'Failed runs of a rule since its last success.',
      'rule',
    ),
    running: siteGauge('linod_runs_running', 'Runs that go on.'),
    requested: siteGauge('linod_runs_requested', 'Requested runs that wait.'),
    depth: siteGauge('linod_channel_depth', 'Messages that wait on a channel.', 'channel'),
    age: siteGauge(
      'linod_channel_oldest_age_seconds',
      'Seconds that the oldest message of a channel has waited.',
      'channel',
    ),
    capacity: siteGauge('linod_channel_capacity', 'Messages that may wait on a channel.', 'channel'),
    dead: siteGauge('linod_channel_dead_letters', 'Dead letters of a channel.', 'channel'),
    alarms: siteGauge('linod_alarms_open', 'Incidents that are not over, by the kind of alarm.', 'kind'),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

/** All of them as the text of one answer. */
export function metricsText(metrics: Metrics): string {
  return Object.values(metrics)
    .map((each) => each.text())
    .join('');
}

/** Whether a metric is about the whole site, so that it counts once however many workers there are. */
export function isSiteWide({ help }: Definition): boolean {
  return help.endsWith(siteWide);
}
