import { Page } from '../parts/page.js';

export function LogPage() {
  return (
    <Page title="Log">
      <p class="quiet">This page is not made yet.</p>
    </Page>
  );
}
