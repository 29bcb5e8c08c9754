// The ways of delivery that a site has configured.

import type { Site } from '../../site/site.js';
import { commandWay } from './command.js';
import { mailWay } from './mail.js';
import type { Way } from './notice.js';
import { webhookWay } from './webhook.js';

/**
 * @param onBad called for a way that lacks another setting, which is then left out; by default, its error is thrown
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`)
 */
export function waysOf(site: Site, onBad?: (error: unknown) => void): Way[] {
  const { settings } = site;
  const wanted: ReadonlyArray<() => Way> = [
    ...(settings.alarmMail.length > 0 ? [() => mailWay(settings)] : []),
    ...(settings.alarmWebhook === '' ? [] : [() => webhookWay(settings)]),
    ...(settings.alarmCommand.length > 0 ? [() => commandWay(site)] : []),
  ];
  return wanted.flatMap((make) => {
    try {
      return [make()];
    } catch (error) {
      if (onBad === undefined) throw error;
      onBad(error);
      return [];
    }
  });
}
