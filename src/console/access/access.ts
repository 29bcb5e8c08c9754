// Who is let in: by a session, or because a trusted proxy or the site itself names the user.

import * as v from 'valibot';
import { type HttpScope, headerOf, type Session, sessionOf } from '../../../channels/index.js';
import { type AuditEntry, writeAudit } from '../audit.js';
import type { ConsoleContext, Visitor } from '../context.js';
import { badRequest, RefusedError } from '../errors.js';
import { findByPassword, isCurrent } from './accounts.js';
import { Brake } from './brake.js';
import { namedVisitor } from './named.js';
import { changeToken, createSession, endSession, findSession, isSame, takeLink } from './secrets.js';

const signInBody = v.union([
  v.strictObject({ token: v.pipe(v.string(), v.maxLength(200)) }),
  v.strictObject({
    user: v.pipe(v.string(), v.maxLength(200)),
    password: v.pipe(v.string(), v.maxLength(1000)),
  }),
]);

type SignInBody = v.InferOutput<typeof signInBody>;

export class Access {
  readonly #context: ConsoleContext;
  readonly #addresses = new Brake({ free: 5, longestMs: 60_000 });
  // Shorter, so that nobody locks somebody else out.
  readonly #accounts = new Brake({ free: 5, longestMs: 15_000 });

  constructor(context: ConsoleContext) {
    this.#context = context;
  }

  addressOf({ client }: HttpScope): string | null {
    return client?.[0] ?? null;
  }

  /** Null for nobody. */
  async visitorOf(scope: HttpScope): Promise<Visitor | null> {
    const { site, store } = this.#context;
    const named = await namedVisitor(site.settings, scope);
    if (named !== null) return named;
    const { secret } = sessionOf(scope);
    return typeof secret === 'string' ? await findSession(store, secret) : null;
  }

  /** Refuses requests of another site's page. @throws RefusedError with 403 */
  refuseForeign(scope: HttpScope): void {
    const site = headerOf(scope, 'sec-fetch-site');
    const origin = headerOf(scope, 'origin');
    // Browsers leave out the first without TLS on other addresses than the loopback.
    const isForeign =
      site === undefined
        ? origin !== undefined && hostOf(origin) !== headerOf(scope, 'host')?.toLowerCase()
        : site !== 'same-origin' && site !== 'none';
    if (isForeign)
      throw new RefusedError(403, 'LINOD_ERR_FOREIGN_ORIGIN', 'a page of another site may not do this');
  }

  /** Refuses a change without the page's token. @throws RefusedError with 403 */
  async refuseForged(scope: HttpScope, visitor: Visitor): Promise<void> {
    const expected = await changeToken(this.#context.store, visitor);
    if (!isSame(headerOf(scope, 'x-console-token') ?? '', expected))
      throw new RefusedError(403, 'LINOD_ERR_CHANGE_TOKEN', 'the header x-console-token is missing or wrong');
  }

  /** @throws RefusedError with 400, 401 or 429 */
  async signIn(scope: HttpScope, body: unknown): Promise<Visitor> {
    const found = v.safeParse(signInBody, body);
    if (!found.success) throw badRequest('expected {user, password} or {token}');
    const given = found.output;
    const user = 'user' in given ? given.user : '';
    const address = `address ${this.addressOf(scope) ?? ''}`;
    this.#addresses.begin(address);
    if (user !== '') this.#accounts.begin(user);
    const visitor = await this.#open(given, sessionOf(scope));
    if (visitor === null) {
      await this.#audit(scope, { user, role: null, action: 'sign-in', detail: 'failed' });
      const wrong = 'user' in given ? 'name or password is wrong' : 'the link was used, or is too old';
      throw new RefusedError(401, 'LINOD_ERR_SIGN_IN', wrong);
    }
    this.#addresses.forget(address);
    this.#accounts.forget(user);
    const how = 'user' in given ? 'by password' : 'by link';
    await this.#audit(scope, { user: visitor.name, role: visitor.role, action: 'sign-in', detail: how });
    return visitor;
  }

  /** A user whom a proxy or the site names stays signed in there. */
  async signOut(scope: HttpScope, visitor: Visitor): Promise<void> {
    if (visitor.session !== null) await endSession(this.#context.store, visitor.session);
    delete sessionOf(scope).secret;
    await this.#audit(scope, { user: visitor.name, role: visitor.role, action: 'sign-out' });
  }

  async #open(given: SignInBody, cookie: Session): Promise<Visitor | null> {
    const { store } = this.#context;
    const account = 'user' in given ? await findByPassword(store, given.user, given.password) : null;
    const holder = 'token' in given ? await takeLink(store, given.token) : account;
    if (holder === null) return null;
    const secret = await createSession(store, holder);
    cookie.secret = secret;
    const visitor = await findSession(store, secret);
    if (visitor?.session == null || account === null || (await isCurrent(store, account))) return visitor;
    // The account was changed meanwhile; that ended all sessions but this one.
    await endSession(store, visitor.session);
    return null;
  }

  async #audit(scope: HttpScope, entry: Omit<AuditEntry, 'address' | 'target'>): Promise<void> {
    await writeAudit(this.#context, { ...entry, address: this.addressOf(scope), target: '' });
  }
}

/** The host and port of an origin; undefined for `null`. */
function hostOf(origin: string): string | undefined {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase();
}
