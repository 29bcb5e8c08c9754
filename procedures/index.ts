// The public names of `linod/procedures`. Importing it registers the seven procedures that ship, in the original's
// order, and the tables that they need: import it before the store is opened.

import './clear-too-old-job-history.js';
import './event-notification-scheduler.js';
import './checksummaries.js';
import './checkdata.js';
import './send-pending-emails-often.js';
import './send-pending-emails-daily.js';
import './clear-seen-messages.js';

export {
  type Checker,
  type CheckResult,
  type Problem,
  type RowsChecker,
  registerChecker,
  type TableChecker,
} from './checks/checkers.js';
export { type EventSource, registerEventSource, type UpcomingEvent } from './events/event-sources.js';
export { type Digest, type DigestComposer, type DigestPart, registerDigestComposer } from './mail/digest.js';
export { InvalidMailError, type NewMail, queueMail } from './mail/outbox.js';
export {
  MailRefusedError,
  type MailTransport,
  MailTransportDownError,
  type OutgoingMail,
  registerMailTransport,
} from './mail/transport.js';
export { markMessagesSeen, type NewMessage, notify } from './messages/messages.js';
export { InvalidRegistrationError } from './registry.js';
export { defaultRetention, type Retention, setRetention } from './retention.js';
export { type AnyKysely, MissingTablesError } from './store/open.js';
export type {
  CheckerPassRow,
  DataProblemRow,
  DirtySummaryRow,
  EventReminderRow,
  MailStatus,
  MailUrgency,
  OutboxMailRow,
  ProcedureTables,
  UserMessageRow,
} from './store/tables.js';
export { markSummaryDirty, registerSummary, type Summary } from './summaries/summaries.js';
