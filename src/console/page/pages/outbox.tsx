import { Page } from '../parts/page.js';

export function OutboxPage() {
  return (
    <Page title="Mail and push">
      <p class="quiet">This page is not made yet.</p>
    </Page>
  );
}
