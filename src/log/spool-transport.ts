// For a sender whose records can only wait: its site is switched off, or its configuration cannot be read.

import { LayerUnavailableError } from '../../channels/index.js';
import type { LogTransport } from './transport.js';

/** Takes nothing, so that all records stay in the spool. */
export class SpoolTransport implements LogTransport {
  listen(): void {}

  async deliver(): Promise<void> {
    throw new LayerUnavailableError('the records wait in the spool');
  }

  async rest(): Promise<void> {}

  async close(): Promise<void> {}
}
