// What a site's settings are when they are complete and checked.

import type { SerializerName } from '../../channels/index.js';
import type { FormatName } from '../log/formats/line-format.js';
import { type LevelsByName, rootName } from '../log/levels/level-tree.js';
import type { LevelName } from '../log/levels.js';
import type { SpoolKeeps, SyncPolicy } from '../log/policies.js';
import type { RotationPeriod } from '../log/rotation.js';
import type { SiteConsumer } from './consumers.js';

/** The settings of a site, complete and checked. Docs: docs/configuration.md. */
export interface Settings {
  readonly name: string;
  readonly useLinod: boolean;
  readonly channelLayer: string | readonly string[];
  readonly layerPrefix: string;
  readonly layerKeys: readonly string[];
  readonly layerSerializer: SerializerName;
  readonly databaseUrl: string;
  readonly logDirectory: string;
  readonly logLevel: LevelName;
  readonly logFormat: FormatName;
  readonly logSocket: string;
  readonly logSocketMode: string;
  readonly logLevels: LevelsByName;
  readonly logSync: SyncPolicy;
  readonly logOrderMs: number;
  readonly logGatherMs: number;
  readonly logBlockMs: number;
  readonly logSpoolMegabytes: number;
  readonly logSpoolKeeps: SpoolKeeps;
  readonly logRotate: RotationPeriod;
  readonly logRotateMegabytes: number;
  readonly logKeepFiles: number;
  readonly logKeepDays: number;
  readonly logCompress: boolean;
  readonly timezone: string;
  readonly procedures: readonly string[];
  readonly shippedProcedures: boolean;
  readonly mailUrl: string | null;
  readonly mailFrom: string | null;
  readonly mailConnections: number;
  readonly mailsPerSecond: number | null;
  readonly consumers: Readonly<Record<string, SiteConsumer>>;
  readonly maxJobs: number;
  readonly graceSeconds: number;
  readonly vapidSubject: string;
  readonly vapidPublicKey: string;
  readonly vapidPrivateKey: string;
  readonly pushToPrivateAddresses: boolean;
}

/** What `linod.config.ts` exports: any of the settings. */
export type SiteConfig = Partial<Settings>;

/** Gives an editor the types of the settings; returns what it is given. */
export function defineSite(config: SiteConfig): SiteConfig {
  return config;
}

/** The level of each logger that has one by these settings, that of all among them. */
export function configuredLevels({
  logLevel,
  logLevels,
}: Pick<Settings, 'logLevel' | 'logLevels'>): LevelsByName {
  return { ...logLevels, [rootName]: logLevel };
}
