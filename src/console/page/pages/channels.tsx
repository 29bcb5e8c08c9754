import { Page } from '../parts/page.js';

export function ChannelsPage() {
  return (
    <Page title="Channels">
      <p class="quiet">This page is not made yet.</p>
    </Page>
  );
}
