// What surrounds every page: navigation, the state of the connection, theme, the user.

import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { announceError } from './announce.js';
import { ApiError, loadSession, messageOf, post, signIn } from './api.js';
import { KeyboardHelp, showKeys } from './keyboard.js';
import { type PageComponent, type PageEntry, pages, shownPages } from './page-list.js';
import { NotFoundPage } from './pages/not-found.js';
import { SignInPage } from './pages/sign-in.js';
import { Confirmation } from './parts/dialog.js';
import { Link } from './parts/link.js';
import { Page } from './parts/page.js';
import { formatSite } from './parts/time.js';
import { Toasts } from './parts/toasts.js';
import { address, href, matchPath } from './router.js';
import { session } from './session.js';
import { clearStale, markStale, stale } from './stale.js';
import { theme, themes } from './theme.js';

/** Whether the menu is open, on narrow screens. */
const isMenuOpen = signal(false);

export function Shell() {
  if (session.value === undefined) return null;
  return (
    <>
      {session.value === null ? <SignInPage /> : <SignedIn />}
      <Confirmation />
      <Toasts />
    </>
  );
}

function SignedIn() {
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <TopBar />
      <Navigation />
      <main id="main" tabIndex={-1}>
        <CurrentPage />
      </main>
      <KeyboardHelp />
    </>
  );
}

function TopBar() {
  return (
    <header class="top">
      <button
        type="button"
        class="menu"
        aria-expanded={isMenuOpen.value}
        aria-controls="navigation"
        onClick={() => {
          isMenuOpen.value = !isMenuOpen.value;
        }}
      >
        Menu
      </button>
      <Link to="/" class="site">
        {session.value?.site.name}
      </Link>
      <Connection />
      <button type="button" popovertarget="user">
        {session.value?.user} <span aria-hidden="true">▾</span>
      </button>
      <div id="user" class="user" popover="auto">
        <p>
          {session.value?.role}, linod {session.value?.site.version}
        </p>
        <label>
          Theme{' '}
          <select
            value={theme.value}
            onChange={({ currentTarget: { value } }) => {
              theme.value = themes.find((name) => name === value) ?? 'system';
            }}
          >
            {themes.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <button type="button" onClick={showKeys}>
          Keys
        </button>
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      </div>
    </header>
  );
}

async function signOut(): Promise<void> {
  try {
    await post('sign-out');
    session.value = null;
  } catch (error) {
    announceError(error);
  }
}

/** Always there, so that screen readers notice when it changes. */
function Connection() {
  const cause = stale.value;
  return (
    <p class={cause === null ? 'connection' : 'connection is-stale'} role="status">
      {cause === null ? 'live' : `stale since ${formatSite(cause.since).slice(11)}`}
      {cause !== null && <span class="why"> {cause.why}</span>}
    </p>
  );
}

function Navigation() {
  const { path } = address.value;
  return (
    <nav id="navigation" aria-label="Pages" class={isMenuOpen.value ? 'navigation is-open' : 'navigation'}>
      <ul>
        {shownPages().map(({ pattern, name, key }) => {
          const isCurrent = pattern === '/' ? path === '/' : `${path}/`.startsWith(`${pattern}/`);
          return (
            <li key={pattern}>
              <Link to={pattern} title={`g ${key}`} current={isCurrent ? 'page' : undefined}>
                {name}
              </Link>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

interface Match {
  readonly entry: PageEntry;
  readonly id: string;
}

function matchPage(path: string): Match | null {
  for (const entry of pages) {
    const parameters = matchPath(entry.pattern, path);
    if (parameters !== null) return { entry, id: parameters.id ?? '' };
  }
  return null;
}

interface LoadedPage {
  readonly entry: PageEntry;
  /** Null when it could not be loaded. */
  readonly view: PageComponent | null;
  readonly error: string;
}

/** The page of the address. The one before stays until its module is there. */
function CurrentPage() {
  const match = matchPage(address.value.path);
  const entry = match?.entry;
  const [loaded, setLoaded] = useState<LoadedPage>();
  useEffect(() => {
    isMenuOpen.value = false;
    if (entry === undefined) return undefined;
    let isCurrent = true;
    const set = (view: PageComponent | null, error: string) => {
      if (isCurrent) setLoaded({ entry, view, error });
    };
    entry.load().then(
      (view) => set(view, ''),
      (error: unknown) => set(null, messageOf(error)),
    );
    return () => {
      isCurrent = false;
    };
  }, [entry]);
  if (match === null) return <NotFoundPage />;
  if (loaded === undefined || loaded.entry !== entry) return null;
  if (loaded.view === null) return <BrokenPage error={loaded.error} />;
  return <loaded.view key={address.value.path} id={match.id} />;
}

/** Loads the console again when its server was away and answers. */
function reloadWhenBack(): () => void {
  const owner = {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ask = () =>
    fetch(href('/')).then(
      () => timer !== undefined && location.reload(),
      () => {
        markStale(owner, Date.now(), 'The console’s server does not answer.');
        timer = setTimeout(ask, 2000);
      },
    );
  void ask();
  return () => {
    clearStale(owner);
    clearTimeout(timer);
  };
}

/** A new version of the server has other modules. */
function BrokenPage({ error }: { readonly error: string }) {
  useEffect(reloadWhenBack, []);
  return (
    <Page title="The page cannot be loaded">
      <p>{error}</p>
      <button type="button" onClick={() => location.reload()}>
        Load the console again
      </button>
    </Page>
  );
}

/**
 * Signs in with the one-time token of a link, or finds out who is signed in; again and again until the server answers.
 */
export async function startSession(): Promise<void> {
  const [, token] = /^#token=(.+)$/.exec(location.hash) ?? [];
  // It must stay neither in the history nor in a link that is copied.
  if (token !== undefined) history.replaceState(null, '', location.pathname + location.search);
  for (let delayMs = 500; ; delayMs = Math.min(10_000, delayMs * 2)) {
    try {
      await (token === undefined ? loadSession() : signIn({ token }));
      if (session.value === undefined) session.value = null;
      return;
    } catch (error) {
      announceError(error);
      if (error instanceof ApiError && !error.isTemporary) {
        session.value = null;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}
