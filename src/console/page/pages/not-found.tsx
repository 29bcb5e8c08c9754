import { Link } from '../parts/link.js';
import { Page } from '../parts/page.js';

export function NotFoundPage() {
  return (
    <Page title="Nothing is here">
      <p>
        The console has no page at this address. <Link to="/">Go to the overview.</Link>
      </p>
    </Page>
  );
}
