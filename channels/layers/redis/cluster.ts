// The one node of a Redis Cluster on which all keys of a layer lie, since their prefix has a hash tag.

import type { Address, Endpoint } from './address.js';
import { ask, Seeds } from './ask.js';

export interface ClusterOptions {
  readonly seeds: readonly Endpoint[];
  /** The part in braces decides on the slot of every key. */
  readonly prefix: string;
}

/** The master of the prefix's slot: after a fail-over, or when the slot was moved, it is another node. */
export function clusterAddress({ seeds, prefix }: ClusterOptions): Address {
  const nodes = new Seeds(seeds);
  return {
    name: `cluster ${nodes.name}`,
    moves: true,
    locate: (signal) =>
      nodes.find(async (node) => {
        const slot = Number(await ask(node, ['CLUSTER', 'KEYSLOT', prefix], signal));
        const found = ownerOf(slot, await ask(node, ['CLUSTER', 'SLOTS'], signal));
        // A node that does not know its own address gives none: then it is the one where we asked.
        return found && { ...node, host: found.host || node.host || '', port: found.port };
      }),
  };
}

/** Reads the reply of CLUSTER SLOTS: ranges of slots, each with its master first. */
function ownerOf(slot: number, reply: unknown): { host: string; port: number } | undefined {
  if (!Array.isArray(reply)) return undefined;
  for (const range of reply) {
    if (!Array.isArray(range)) continue;
    const [from, to, master] = range;
    if (slot < Number(from) || slot > Number(to) || !Array.isArray(master)) continue;
    return { host: String(master[0] ?? ''), port: Number(master[1]) };
  }
  return undefined;
}
