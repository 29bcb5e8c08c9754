import { Page } from '../parts/page.js';

export function SocketsPage() {
  return (
    <Page title="Sockets">
      <p class="quiet">This page is not made yet.</p>
    </Page>
  );
}
