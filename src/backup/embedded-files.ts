// The SQLite files of a site.

import type { Site } from '../site/site.js';

/** The paths of the database and of the channel layer; undefined for a server. */
export function embeddedFiles({ settings }: Site): { database?: string; layer?: string } {
  const database = fileOf(settings.databaseUrl);
  const layer = fileOf([settings.channelLayer].flat().join());
  return { ...(database && { database }), ...(layer && { layer }) };
}

function fileOf(url: string): string | undefined {
  return /^sqlite:(.+)$/.exec(url)?.[1];
}
