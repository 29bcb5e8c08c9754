// The public names of `linod/procedures`. Importing it registers the shipped procedures and their tables, so
// import it before opening the store. They are the original's seven in its order, and one for push.

import './clear-too-old-job-history.js';
import './event-notification-scheduler.js';
import './checksummaries.js';
import './checkdata.js';
import './send-pending-emails-often.js';
import './send-pending-emails-daily.js';
import './clear-seen-messages.js';
import './send-pending-push.js';
import './push/message-push.js';
import './outbox/console.js';

export {
  type Checker,
  type CheckResult,
  type Problem,
  type QueryChecker,
  type RowsChecker,
  registerChecker,
  type TableChecker,
} from './checks/checkers.js';
export {
  type EventSource,
  registerEventSource,
  type UpcomingEvent,
  type UpcomingEvents,
} from './events/event-sources.js';
export { InvalidMailError } from './mail/addresses.js';
export { type Digest, type DigestComposer, type DigestPart, registerDigestComposer } from './mail/digest.js';
export { Html, html } from './mail/html.js';
export { type MessageMail, type MessageMailWriter, registerMessageMail } from './mail/message-mail.js';
export { type NewMail, queueMail } from './mail/queue-mail.js';
export {
  MailInDoubtError,
  MailRefusedError,
  type MailTransport,
  MailTransportDownError,
  type OutgoingMail,
  registerMailTransport,
} from './mail/transport.js';
export { registerUnsubscribeUrl, type UnsubscribeUrl } from './mail/unsubscribe.js';
export {
  countUnseenMessages,
  InvalidMessageError,
  type MessageFilter,
  markMessagesSeen,
  messagesOf,
  type NewMessage,
  notify,
} from './messages/messages.js';
export {
  chooseWays,
  chosenWays,
  type NotificationKind,
  notificationKinds,
  registerNotificationKind,
} from './messages/preferences.js';
export { registerUserDirectory, type UserContact, type UserDirectory } from './messages/users.js';
export {
  type NotificationWay,
  registerNotificationWay,
  UndeliverableError,
  type WayTransaction,
} from './messages/ways.js';
export {
  InvalidPushError,
  maxPayloadBytes as maxPushBytes,
  type NewPush,
  type QueuedPush,
  queuePush,
} from './push/queue-push.js';
export {
  type BrowserSubscription,
  InvalidSubscriptionError,
  pushSubscriptions,
  removePushSubscription,
  savePushSubscription,
} from './push/subscriptions.js';
export { InvalidRegistrationError } from './shared/registry.js';
export { defaultRetention, type Retention, type RuleRetention, setRetention } from './shared/retention.js';
export { type AnyKysely, MissingTablesError } from './store/open.js';
export type {
  CheckerPassRow,
  DataProblemRow,
  DirtySummaryRow,
  EventReminderRow,
  MailStatus,
  MailUrgency,
  NotificationChoiceRow,
  OutboxMailRow,
  ProcedureTables,
  PushDeliveryRow,
  PushDeliveryStatus,
  PushMessageRow,
  PushSubscriptionRow,
  PushUrgency,
  UserMessageRow,
} from './store/tables.js';
export { type Dependency, markSummaryDirty, registerSummary, type Summary } from './summaries/summaries.js';
