import { Page } from '../parts/page.js';

export function RunsPage() {
  return (
    <Page title="Runs">
      <p class="quiet">This page is not made yet.</p>
    </Page>
  );
}
