// The consumer on `linod_<site>.log`: passes the senders' records to the logger coroutine.

import { Consumer, type HandledTypes, type Handlers } from '../../channels/index.js';
import { parserOf } from '../base/parse-message.js';
import {
  type LogRecord,
  type LogRecords,
  type LogRequest,
  type LogServer,
  logRequestSchemas,
} from '../log/messages.js';

const [logServer, logRecord, logRecords] = logRequestSchemas;

export class LogConsumer extends Consumer<LogRequest> implements Handlers<LogRequest> {
  static override readonly untraced = ['log.server', 'log.record', 'log.records'];
  override readonly handles: HandledTypes<LogRequest> = {
    'log.server': parserOf(logServer),
    'log.record': parserOf(logRecord),
    'log.records': parserOf(logRecords),
  };
  readonly #accept: (request: LogRequest) => void;

  constructor(accept: (request: LogRequest) => void) {
    super();
    this.#accept = accept;
  }

  /** Does nothing: the logger coroutine already runs in this process. */
  logServer(_message: LogServer): void {}

  logRecord(message: LogRecord): void {
    this.#accept(message);
  }

  logRecords(message: LogRecords): void {
    this.#accept(message);
  }
}
