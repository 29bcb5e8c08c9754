// Checks the channels that a worker is to listen on.

import { BadConfigError, suggestion, UsageError } from '../base/errors.js';
import type { Site } from '../site/site.js';

/**
 * Every channel must have a consumer, and the site's own channels are linod's.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`), BadConfigError (`LINOD_ERR_BAD_CONFIG`)
 */
export function checkChannels(site: Site, channels: readonly string[]): void {
  const consumers = Object.keys(site.settings.consumers);
  for (const reserved of [site.channel, site.logChannel]) {
    if (!consumers.includes(reserved)) continue;
    throw new BadConfigError(
      site.shorten(site.configFile),
      'consumers',
      `channel ${JSON.stringify(reserved)} is linod's own; give the consumer another name`,
    );
  }
  const known = [site.channel, ...consumers];
  for (const channel of channels) {
    if (known.includes(channel)) continue;
    const hint = suggestion(channel, known) || `; it has ${known.join(', ')}`;
    throw new UsageError(`site ${site.name} has no consumer for channel ${JSON.stringify(channel)}${hint}`);
  }
}
