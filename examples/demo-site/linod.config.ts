import { defineSite } from 'linod';

// Every setting is described in linod's docs/reference/configuration.md. What is secret or differs from machine to machine comes from the
// environment: LINOD_MAIL_URL and LINOD_MAIL_FROM for mails, LINOD_VAPID_… for pushes. `npm run demo-site` sets them.
export default defineSite({
  name: 'demo',
  timezone: 'Europe/Tallinn',
});
