import { Page } from '../parts/page.js';

export function RulesPage() {
  return (
    <Page title="Rules">
      <p class="quiet">This page is not made yet.</p>
    </Page>
  );
}
