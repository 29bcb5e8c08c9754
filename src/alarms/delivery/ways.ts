// The ways of delivery that a site has configured.

import type { Site } from '../../site/site.js';
import { commandWay } from './command.js';
import { mailWay } from './mail.js';
import type { Way } from './notice.js';
import { webhookWay } from './webhook.js';

/** @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) for a way that lacks another setting */
export function waysOf(site: Site): Way[] {
  const { settings } = site;
  return [
    ...(settings.alarmMail.length > 0 ? [mailWay(settings)] : []),
    ...(settings.alarmWebhook === '' ? [] : [webhookWay(settings)]),
    ...(settings.alarmCommand.length > 0 ? [commandWay(site)] : []),
  ];
}
