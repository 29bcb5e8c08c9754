// Roles, the weakest first.

import { type Role, roles } from './api.js';

export function isAtLeast(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}

/** Null for what is no role. */
export function toRole(text: unknown): Role | null {
  return roles.find((role) => role === text) ?? null;
}
