// Whose the files of a site are: root makes none that the site's own user could not write, and errors name
// file and owner.

import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';

/**
 * A command of root goes on as the owner of the first of these files that exists, so that what it makes can
 * be written by the site's worker. The user can be changed again; anybody but root stays who it is.
 */
export function actAsOwner(paths: readonly string[]): void {
  if (process.getuid?.() !== 0) return;
  const owner = paths
    .map((path) => statSync(path, { throwIfNoEntry: false }))
    .find((stat) => stat !== undefined);
  if (owner === undefined || owner.uid === process.geteuid?.()) return;
  try {
    process.seteuid?.(0);
    process.setgroups?.([owner.gid]);
    process.setegid?.(owner.gid);
    process.seteuid?.(owner.uid);
    // Where passwords of databases are looked for.
    process.env.HOME = userInfo().homedir;
  } catch {
    // A container may forbid it, or have no name for the user: then root's files are root's.
  }
}

/**
 * `user ann may not write /srv/mysite/linod.db, which belongs to app`: of the first such file; empty when
 * there is none.
 */
export function missingRight(paths: readonly string[], right: 'read' | 'write'): string {
  const path = paths.find((path) => existsSync(path) && !isAllowed(path, right));
  if (path === undefined) return '';
  const user = nameOf(process.geteuid?.());
  return `user ${user} may not ${right} ${path}, which belongs to ${nameOf(statSync(path).uid)}`;
}

export function isAllowed(path: string, right: 'read' | 'write'): boolean {
  try {
    accessSync(path, right === 'read' ? constants.R_OK : constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The name of a user where the system has one, else the number. */
function nameOf(uid: number | undefined): string {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
    return (
      lines.map((line) => line.split(':')).find((fields) => Number(fields[2]) === uid)?.[0] ?? String(uid)
    );
  } catch {
    return String(uid);
  }
}
