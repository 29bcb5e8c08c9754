// A push service for a test, the keys of a site, and what has arrived.

import type { Test } from 'tap';
import webPush from 'web-push';
import { type ArrivedPush, PushService } from '../../scripts/demo-site/push-service.js';
import type { SiteConfig } from '../../src/site/site.js';

const { publicKey, privateKey } = webPush.generateVAPIDKeys();

/** Settings of a site that may push to this machine. */
export const pushSettings = {
  vapidSubject: 'mailto:ann@example.org',
  vapidPublicKey: publicKey,
  vapidPrivateKey: privateKey,
  pushToPrivateAddresses: true,
} as const satisfies SiteConfig;

/** A push service that ends with the test. What a real one would refuse fails it. */
export async function openPushService(t: Test): Promise<{ service: PushService; arrived: ArrivedPush[] }> {
  const arrived: ArrivedPush[] = [];
  const service = await PushService.open({ onPush: (push) => arrived.push(push) });
  t.teardown(() => {
    service.close();
    if (service.faults.length > 0)
      throw new Error(`a push service would refuse: ${service.faults.join('; ')}`);
  });
  return { service, arrived };
}
