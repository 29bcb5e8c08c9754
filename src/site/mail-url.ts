// Parses the setting `mailUrl`.

import { readFileSync } from 'node:fs';
import { BadConfigError } from '../base/errors.js';

/** nodemailer's options for a server. */
export interface SmtpServerOptions {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte on. */
  readonly secure: boolean;
  readonly requireTLS: boolean;
  readonly ignoreTLS: boolean;
  readonly auth?: { readonly user: string; readonly pass: string };
  readonly tls?: { readonly ca: Buffer };
  readonly name?: string;
}

const parameters = ['starttls', 'ca', 'name'];
const starttlsChoices = ['required', 'optional', 'off'];

/**
 * Parses `smtp://user:password@host:587` or `smtps://…`. Sends a user and a password only over TLS, unless
 * `?starttls=` says otherwise or the server is on this machine.
 *
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`), without the password
 */
export function parseMailUrl(text: string): SmtpServerOptions {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const secure = url?.protocol === 'smtps:';
  if (url === undefined || url.hostname === '' || (!secure && url.protocol !== 'smtp:')) {
    throw bad('expected smtp://[user:password@]host[:port] or smtps://…');
  }
  for (const key of url.searchParams.keys()) {
    if (!parameters.includes(key)) {
      throw bad(`unknown parameter ${JSON.stringify(key)}; known are ${parameters.join(', ')}`);
    }
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const starttls = url.searchParams.get('starttls') ?? (isThisMachine(host) ? 'optional' : 'required');
  if (!starttlsChoices.includes(starttls)) {
    throw bad(`starttls: expected ${starttlsChoices.join(', ')}, got: ${JSON.stringify(starttls)}`);
  }
  const user = decodeURIComponent(url.username);
  const [ca, name] = [url.searchParams.get('ca'), url.searchParams.get('name')];
  return {
    host,
    port: url.port === '' ? defaultPort(secure, user !== '') : Number(url.port),
    secure,
    requireTLS: !secure && starttls === 'required',
    ignoreTLS: !secure && starttls === 'off',
    ...(user === '' ? {} : { auth: { user, pass: decodeURIComponent(url.password) } }),
    ...(ca === null ? {} : { tls: { ca: read(ca) } }),
    ...(name === null ? {} : { name }),
  };
}

/** Source: RFC 8314, section 3.3, and RFC 6409, section 3.1; without a user, it is a relay. */
function defaultPort(secure: boolean, hasUser: boolean): number {
  if (secure) return 465;
  return hasUser ? 587 : 25;
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new BadConfigError('mailUrl', 'ca', `cannot be read: ${String(error)}`, { cause: error });
  }
}

function bad(problem: string): BadConfigError {
  return new BadConfigError('mailUrl', undefined, problem);
}
