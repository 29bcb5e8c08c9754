// Validates what goes into the headers of a mail, so that no text can add a header.

import parseAddresses from 'nodemailer/lib/addressparser';
import { LinodError } from '../../src/index.js';

/** A mail is invalid, and is not sent. */
export class InvalidMailError extends LinodError {
  readonly field: string;

  constructor(field: string, problem: string) {
    super('LINOD_ERR_INVALID_MAIL', `mail: ${field}: ${problem}`);
    this.field = field;
  }
}

export interface MailAddress {
  /** Empty when there is none. */
  readonly name: string;
  readonly address: string;
}

/**
 * Parses one address, `ann@example.org` or `Ann <ann@example.org>`.
 *
 * @throws InvalidMailError (`LINOD_ERR_INVALID_MAIL`)
 */
export function parseAddress(field: string, text: string): MailAddress {
  checkLine(field, text);
  const [found, ...others] = parseAddresses(text, { flatten: true });
  const address = found?.address ?? '';
  if (others.length > 0 || !/^[^\s@<>()",:;\\]+@[^\s@<>()",:;\\]+$/u.test(address)) {
    throw new InvalidMailError(field, `expected one mail address, got: ${shown(text)}`);
  }
  return { name: found?.name ?? '', address };
}

/**
 * Refuses line breaks, with which a text could add headers.
 *
 * @throws InvalidMailError (`LINOD_ERR_INVALID_MAIL`)
 */
export function checkLine(field: string, text: string): void {
  if (typeof text !== 'string' || /[\r\n\0]/.test(text)) {
    throw new InvalidMailError(field, `expected a text of one line, got: ${shown(text)}`);
  }
}

/**
 * Refuses zero characters: PostgreSQL would too, and would abort the application's transaction.
 *
 * @throws InvalidMailError (`LINOD_ERR_INVALID_MAIL`)
 */
export function checkContent(field: string, text: string): void {
  if (typeof text !== 'string') throw new InvalidMailError(field, `expected a text, got: ${shown(text)}`);
  if (text.includes('\0')) throw new InvalidMailError(field, 'expected a text without zero characters');
}

function shown(text: unknown): string {
  return JSON.stringify(text)?.slice(0, 200) ?? String(text);
}
