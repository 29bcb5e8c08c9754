import { Page } from '../parts/page.js';

export function RunPage() {
  return (
    <Page title="Run">
      <p class="quiet">This page is not made yet.</p>
    </Page>
  );
}
