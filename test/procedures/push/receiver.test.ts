// Tests the Web Push receiver of the tests against the examples of the RFCs.

import t from 'tap';
import webPush from 'web-push';
import { checkVapid, PushReceiver } from '../../../scripts/demo-site/push-receiver.js';

t.test('the receiver decrypts the example of RFC 8291, 5', async (t) => {
  const receiver = new PushReceiver({
    privateKey: 'q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94',
    auth: 'BTBZMqHH6r4Tts7J_aSIgg',
  });
  const body =
    'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN';
  t.equal(receiver.decrypt(Buffer.from(body, 'base64url')), 'When I grow up, I want to be a watermelon');
  const other = new PushReceiver();
  t.throws(() => other.decrypt(Buffer.from(body, 'base64url')), 'another browser cannot');
});

t.test(
  'the receiver accepts the example of RFC 8292, 2.4, only at its time and for its service',
  async (t) => {
    const token =
      'eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA';
    const key = 'BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs';
    const header = `vapid t=${token}, k=${key}`;
    const origin = 'https://push.example.net';
    const inTime = 1_453_523_768_000 - 3_600_000;
    t.match(checkVapid(header, origin, inTime), {
      aud: origin,
      sub: 'mailto:push@example.com',
      publicKey: key,
    });
    t.throws(() => checkVapid(header, 'https://push.example.org', inTime), { message: /audience/ });
    t.throws(() => checkVapid(header, origin, inTime + 3_600_000), { message: /expiry/ });
    t.throws(() => checkVapid(header, origin, inTime - 86_400_000), { message: /expiry/ });
    t.throws(() => checkVapid(undefined, origin, inTime));
    const { publicKey } = webPush.generateVAPIDKeys();
    t.throws(() => checkVapid(`vapid t=${token}, k=${publicKey}`, origin, inTime), { message: /signature/ });
  },
);
