// What a process takes for the members of the groups that it sends to, so that a message to a group is one round trip.
//
// The members are on Redis, and only there is the truth. But it is seldom that other processes have members than last time, so
// the script that delivers is sent along with the keys of those, and delivers only if they still are the ones, with the names
// of those who are members then: nobody who joined gets nothing, and nobody who left gets something. Else it answers with the
// members. Where Redis cannot write the names into a message, it delivers only if all members are those of last time.

import { messageKey } from '../../layer.js';
import { membersPerScript } from './outbox.js';

/** The members of a group in one process. */
export interface ProcessInGroup {
  /** Under which their messages lie: the message key of their channels. */
  readonly key: string;
  /** The first of them when they were last told: its capacity is that of the key. */
  readonly firstChannel: string;
  /** The names of all of them, as they stand in a message; undefined when Redis is to write them. */
  readonly channels: Uint8Array | undefined;
}

export interface GroupMembers {
  /** As Redis is told them: one a line, the oldest first. Empty when it is to write them. */
  readonly text: string;
  readonly processes: readonly ProcessInGroup[];
}

export interface KnownGroupsOptions {
  readonly writeChannels: (channels: readonly string[]) => Uint8Array;
  /** Whether Redis writes the names into a message: then only the processes are remembered. */
  readonly areNamesOnRedis: boolean;
  /** How many members, or processes, of all groups together are remembered. */
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
  readonly #groups = new Map<string, GroupMembers & { readonly size: number }>();
  #size = 0;

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

  /** Takes note of the members, the oldest first, and returns them, all names written. */
  learn(group: string, names: readonly string[]): GroupMembers {
    const { areNamesOnRedis, mostNames } = this.#options;
    const processes = this.#processes(names);
    const members = { text: names.join('\n'), processes };
    const size = areNamesOnRedis ? processes.length : names.length;
    this.#forget(group);
    if (processes.length > membersPerScript || size > mostNames) return members;
    this.#groups.set(group, { ...(areNamesOnRedis ? nameless(processes) : members), size });
    this.#size += size;
    for (const oldest of this.#groups.keys()) {
      if (this.#size <= mostNames) break;
      this.#forget(oldest);
    }
    return members;
  }

  #forget(group: string): void {
    this.#size -= this.#groups.get(group)?.size ?? 0;
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

function nameless(processes: readonly ProcessInGroup[]): GroupMembers {
  return { text: '', processes: processes.map((process) => ({ ...process, channels: undefined })) };
}
