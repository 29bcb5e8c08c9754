// The dead letters of the layer on Redis: what lies on channels that end in `.dead`, on all hosts.

import { createHash } from 'node:crypto';
import { UndecodableError } from '../../errors.js';
import {
  type DeadLetterReport,
  deadLetterChannel,
  deadLetterReport,
  deadLetterSuffix,
  isDeadLetterChannel,
} from '../../leases.js';
import type { Host } from './host.js';
import type { Members } from './members.js';
import { scanKeys } from './scan.js';
import { type Entry, entriesOf } from './waiting.js';

export interface DeadLettersOptions {
  readonly hosts: readonly Host[];
  readonly prefix: string;
  readonly members: Members;
  readonly capacity: (channel: string) => number;
  readonly expiryMs: (channel: string) => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** How many messages one script puts back. */
const messagesPerScript = 100;

export class DeadLetters {
  readonly #options: DeadLettersOptions;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  /** See `ChannelLayer.deadLetters`. */
  async list(channel: string | undefined, max: number): Promise<DeadLetterReport[]> {
    const found = await Promise.all(
      this.#options.hosts.map(async (host) => {
        const channels = channel === undefined ? await this.#channelsOn(host) : [channel];
        return (await Promise.all(channels.map((each) => this.#read(host, each)))).flat();
      }),
    );
    const reports = found.flat().map(({ report }) => report);
    return reports.sort((a, b) => a.diedAt - b.diedAt).slice(0, max);
  }

  /** See `ChannelLayer.redrive`. */
  async redrive(channel: string, ids: readonly string[] | undefined): Promise<number> {
    const wanted = ids && new Set(ids);
    let count = 0;
    for (const host of this.#options.hosts) {
      const letters = await this.#read(host, channel);
      const chosen = letters.filter(({ report }) => wanted?.has(report.id) ?? true);
      for (let i = 0; i < chosen.length; i += messagesPerScript)
        count += await this.#putBack(host, channel, chosen.slice(i, i + messagesPerScript));
    }
    return count;
  }

  async #channelsOn({ commands }: Host): Promise<string[]> {
    const { prefix } = this.#options;
    const channels: string[] = [];
    for await (const keys of scanKeys(commands, prefix, 'zset')) {
      const names = keys.map((key) => key.slice(prefix.length));
      for (const name of names)
        if (isDeadLetterChannel(name) && !name.includes(':'))
          channels.push(name.slice(0, -deadLetterSuffix.length));
    }
    return channels;
  }

  async #read({ commands }: Host, channel: string): Promise<Letter[]> {
    const key = this.#options.prefix + deadLetterChannel(channel);
    const reply = await commands.run((client) => client.zrangeBuffer(key, 0, '-1', 'WITHSCORES'));
    return entriesOf(key, reply).flatMap((entry) => this.#letter(channel, entry));
  }

  /** None for what is no dead letter. */
  #letter(channel: string, { member, score }: Entry): Letter[] {
    const id = createHash('sha256').update(member).digest('hex').slice(0, 16);
    try {
      const { message } = this.#options.members.read(member, true);
      const [report] = deadLetterReport(channel, message, { id, diedAt: Math.floor(score * 1000) });
      return report === undefined ? [] : [{ member, report }];
    } catch (error) {
      if (error instanceof UndecodableError) return [];
      throw error;
    }
  }

  #putBack({ commands }: Host, channel: string, letters: readonly Letter[]): Promise<number> {
    const { prefix, members, capacity, expiryMs, now } = this.#options;
    const at = now();
    const expiry = expiryMs(channel);
    const pairs = letters.flatMap(({ member, report }) => [member, members.write(report.message)]);
    return commands.run((client) =>
      client.redrive(
        ...[2, prefix + deadLetterChannel(channel), prefix + channel],
        ...[capacity(channel), at / 1000, (at - expiry) / 1000, Math.ceil(expiry), ...pairs],
      ),
    );
  }
}

interface Letter {
  readonly member: Buffer;
  readonly report: DeadLetterReport;
}
