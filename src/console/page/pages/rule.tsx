import { Page } from '../parts/page.js';

export function RulePage() {
  return (
    <Page title="Rule">
      <p class="quiet">This page is not made yet.</p>
    </Page>
  );
}
