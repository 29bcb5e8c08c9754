// Users whom somebody else has signed in: a trusted proxy in its headers, or the site by a function.

import * as v from 'valibot';
import type { HttpScope } from '../../../channels/index.js';
import type { Settings } from '../../site/site.js';
import { roles } from '../api.js';
import type { Visitor } from '../context.js';

type NamingSettings = Pick<
  Settings,
  'consoleUser' | 'consoleUserHeader' | 'consoleGroupHeader' | 'consoleRoles'
>;

const givenUser = v.nullable(
  v.object({ name: v.pipe(v.string(), v.nonEmpty(), v.maxLength(200)), role: v.picklist(roles) }),
);

/** Null for nobody. */
export async function namedVisitor(settings: NamingSettings, scope: HttpScope): Promise<Visitor | null> {
  return (await bySite(settings, scope)) ?? byProxy(settings, scope);
}

/** A function that throws, or returns another type, fails the request and lets nobody in. */
async function bySite({ consoleUser }: NamingSettings, scope: HttpScope): Promise<Visitor | null> {
  if (consoleUser === null) return null;
  const user = v.parse(givenUser, await consoleUser(scope));
  return user && { ...user, session: null };
}

function byProxy(
  { consoleUserHeader, consoleGroupHeader, consoleRoles }: NamingSettings,
  scope: HttpScope,
): Visitor | null {
  if (consoleUserHeader === '' || scope.extensions.isProxied !== true) return null;
  const [name = '', ...more] = valuesOf(scope, consoleUserHeader);
  // Of several, one may be the client's own, which the proxy has passed on.
  if (name === '' || name.length > 200 || more.length > 0) return null;
  const given = consoleGroupHeader === '' ? [] : valuesOf(scope, consoleGroupHeader);
  if (given.length > 1) return null;
  const groups = ['*', ...(given[0] ?? '').split(',').map((group) => group.trim())];
  const held = groups.map((group) => (Object.hasOwn(consoleRoles, group) ? consoleRoles[group] : undefined));
  const role = roles.findLast((each) => held.includes(each));
  return role === undefined ? null : { name, role, session: null };
}

function valuesOf({ headers }: HttpScope, name: string): string[] {
  return headers.flatMap(([each, value]) => (each === name ? [value.trim()] : []));
}
