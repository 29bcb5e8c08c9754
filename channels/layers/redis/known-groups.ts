// What a process takes for the members of the groups that it sends to, so that a message to a group is one round trip.
//
// The members are on Redis, and only there is the truth. But they change seldom, so the script that delivers is sent
// along with those of last time, and delivers only if they still are the members: nobody who joined gets nothing, and
// nobody who left gets something. Else it answers with those that are.

import { messageKey } from '../../layer.js';
import { membersPerScript } from './outbox.js';

/** The members of a group in one process. */
export interface ProcessInGroup {
  /** Under which their messages lie: the message key of their channels. */
  readonly key: string;
  readonly firstChannel: string;
  /** The names of all of them, as they stand in a message. */
  readonly channels: Uint8Array;
}

export interface GroupMembers {
  /** As Redis is told them: one a line, the oldest first. */
  readonly text: string;
  readonly processes: readonly ProcessInGroup[];
}

export interface KnownGroupsOptions {
  readonly writeChannels: (channels: readonly string[]) => Uint8Array;
  /** How many members of all groups together are remembered. */
  readonly mostNames: number;
}

/** Some five megabytes. */
export const mostKnownMembers = 20_000;

/** An empty group is what it says it is, and for any other the truth comes back. */
const nobody: GroupMembers = { text: '', processes: [] };

/** Remembers the groups that were sent to last. */
export class KnownGroups {
  readonly #options: KnownGroupsOptions;
  /** The one that was used last is at the end. */
  readonly #groups = new Map<string, GroupMembers & { readonly names: number }>();
  #names = 0;

  constructor(options: KnownGroupsOptions) {
    this.#options = options;
  }

  /** Whom to take for the members; nobody when nothing is known. */
  membersOf(group: string): GroupMembers {
    const known = this.#groups.get(group);
    if (known === undefined) return nobody;
    this.#groups.delete(group);
    this.#groups.set(group, known);
    return known;
  }

  /** Takes note of the members, the oldest first. */
  learn(group: string, names: readonly string[]): GroupMembers {
    const members = { text: names.join('\n'), processes: this.#processes(names), names: names.length };
    this.#forget(group);
    if (members.processes.length > membersPerScript || names.length > this.#options.mostNames) return members;
    this.#groups.set(group, members);
    this.#names += names.length;
    for (const oldest of this.#groups.keys()) {
      if (this.#names <= this.#options.mostNames) break;
      this.#forget(oldest);
    }
    return members;
  }

  #forget(group: string): void {
    this.#names -= this.#groups.get(group)?.names ?? 0;
    this.#groups.delete(group);
  }

  #processes(names: readonly string[]): ProcessInGroup[] {
    const byKey = new Map<string, string[]>();
    for (const name of names) {
      const key = messageKey(name);
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, [name]);
      else known.push(name);
    }
    return Array.from(byKey, ([key, channels]) => ({
      key,
      firstChannel: channels[0] ?? key,
      channels: this.#options.writeChannels(channels),
    }));
  }
}
