// Alarms as HTTP requests, signed as in the Standard Webhooks: receivers find libraries for many languages.
// Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

import { createHmac } from 'node:crypto';
import { LinodError } from '../../base/errors.js';
import type { Settings } from '../../site/settings.js';
import { headline, type Notice, type Way } from './notice.js';

const answerMs = 10_000;

/** The receiver has not accepted a notice. */
export class WebhookRefusedError extends LinodError {
  readonly status: number;

  constructor(status: number, answer: string) {
    super('LINOD_ERR_WEBHOOK_REFUSED', `the webhook answered ${status}: ${answer}`);
    this.status = status;
  }
}

export function webhookWay({ alarmWebhook, alarmWebhookSecret, alarmWebhookFormat }: Settings): Way {
  const isSlack = alarmWebhookFormat === 'slack';
  return {
    name: 'webhook',
    // A receiver of JSON takes one notice at a time; people read a list of them.
    most: isSlack ? 20 : 1,
    async send(notices, signal) {
      const payload = JSON.stringify(isSlack ? { text: slackText(notices) } : notices[0]);
      const response = await fetch(alarmWebhook, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...signature(notices, payload, alarmWebhookSecret) },
        body: payload,
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
      });
      const answer = (await response.text()).replace(/\s+/g, ' ').slice(0, 200);
      if (!response.ok) throw new WebhookRefusedError(response.status, answer);
      return `${response.status} ${answer}`.trim();
    },
  };
}

/** A message of a job must not address a whole channel. Source: docs.slack.dev, "Formatting message text". */
function slackText(notices: readonly Notice[]): string {
  const text = notices.map(headline).join('\n');
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function signature([notice]: readonly Notice[], payload: string, secret: string): Record<string, string> {
  const id = notice?.id ?? '';
  const timestamp = String(Math.floor(Date.now() / 1000));
  const head = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (secret === '') return head;
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : secret;
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.${payload}`).digest('base64');
  return { ...head, 'webhook-signature': `v1,${digest}` };
}
