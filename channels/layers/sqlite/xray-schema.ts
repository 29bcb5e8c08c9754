// The tables of the X-ray. They are small: a row for each channel and process that was there lately.

/**
 * `xray_count` holds what was counted of a channel by all processes; `xray_process` what each said of itself last, and
 * `xray_events` the pieces of events that it left for traces, in their order; `xray_question` has one row at most, when
 * somebody last asked for events. Instants are in ms since 1970.
 */
export const xraySchema = `
  CREATE TABLE xray_count (
    channel TEXT PRIMARY KEY,
    sent INTEGER NOT NULL,
    received INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    redelivered INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE xray_process (
    id TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    receives TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    left_at INTEGER NOT NULL,
    holds_events INTEGER NOT NULL,
    is_closed INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE xray_events (
    number INTEGER PRIMARY KEY,
    process TEXT NOT NULL,
    events BLOB NOT NULL
  );
  CREATE INDEX xray_events_by_process ON xray_events (process, number);
  CREATE TABLE xray_question (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    asked_at INTEGER NOT NULL
  );
`;
