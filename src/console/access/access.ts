// Who is let in: by a session, or by whoever a trusted proxy or the site itself names.

import * as v from 'valibot';
import { type HttpScope, headerOf, sessionOf } from '../../../channels/index.js';
import { writeAudit } from '../audit.js';
import type { ConsoleContext, Visitor } from '../context.js';
import { badRequest, RefusedError } from '../errors.js';
import { changeToken, createSession, endSession, findSession, isSame, takeLink } from './secrets.js';

const signInBody = v.union([
  v.strictObject({ token: v.pipe(v.string(), v.maxLength(200)) }),
  v.strictObject({
    user: v.pipe(v.string(), v.maxLength(200)),
    password: v.pipe(v.string(), v.maxLength(1000)),
  }),
]);

export class Access {
  readonly #context: ConsoleContext;

  constructor(context: ConsoleContext) {
    this.#context = context;
  }

  addressOf({ client }: HttpScope): string | null {
    return client?.[0] ?? null;
  }

  /** Null for nobody. */
  async visitorOf(scope: HttpScope): Promise<Visitor | null> {
    const { secret } = sessionOf(scope);
    return typeof secret === 'string' ? await findSession(this.#context.store, secret) : null;
  }

  /** Refuses what a page of another site sends. @throws RefusedError with 403 */
  refuseForeign(scope: HttpScope): void {
    const site = headerOf(scope, 'sec-fetch-site');
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
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
    const address = this.addressOf(scope);
    const holder = 'token' in given ? await takeLink(this.#context.store, given.token) : null;
    if (holder === null) {
      const user = 'user' in given ? given.user : '';
      await writeAudit(this.#context, {
        user,
        role: null,
        address,
        action: 'sign-in',
        target: '',
        detail: 'failed',
      });
      throw new RefusedError(401, 'LINOD_ERR_SIGN_IN', 'name or password, or the link, is wrong or used up');
    }
    const secret = await createSession(this.#context.store, holder);
    sessionOf(scope).secret = secret;
    await writeAudit(this.#context, {
      user: holder.name,
      role: holder.role,
      address,
      action: 'sign-in',
      target: '',
    });
    const visitor = await findSession(this.#context.store, secret);
    if (visitor === null) throw new RefusedError(401, 'LINOD_ERR_SIGN_IN', 'the session has ended');
    return visitor;
  }

  async signOut(scope: HttpScope, visitor: Visitor): Promise<void> {
    if (visitor.session !== null) await endSession(this.#context.store, visitor.session);
    delete sessionOf(scope).secret;
    await writeAudit(this.#context, {
      user: visitor.name,
      role: visitor.role,
      address: this.addressOf(scope),
      action: 'sign-out',
      target: '',
    });
  }
}
