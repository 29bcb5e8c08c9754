// What surrounds every page: navigation, the state of the connection, theme, the user.

import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, loadSession, messageOf, post, signIn } from './api.js';
import { KeyboardHelp, showKeys } from './keyboard.js';
import { findPage, type PageComponent, shownPages } from './page-list.js';
import { SignInPage } from './pages/sign-in.js';
import { Link } from './parts/link.js';
import { Page } from './parts/page.js';
import { formatSite } from './parts/time.js';
import { announceError, Toasts } from './parts/toasts.js';
import { useResource } from './resource.js';
import { address } from './router.js';
import { session } from './session.js';
import { stale } from './stale.js';
import { theme, themes } from './theme.js';

/** Whether the menu is open, on narrow screens. */
const isMenuOpen = signal(false);

export function Shell() {
  if (session.value === undefined) return null;
  return (
    <>
      {session.value === null ? <SignInPage /> : <SignedIn />}
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
        <button type="button" onClick={() => showKeys(true)}>
          Keys
        </button>
        <button type="button" onClick={() => signOut().catch(announceError)}>
          Sign out
        </button>
      </div>
    </header>
  );
}

async function signOut(): Promise<void> {
  await post('sign-out');
  session.value = null;
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
  const current = `/${address.value.path.split('/')[1]}`;
  return (
    <nav id="navigation" aria-label="Pages" class={isMenuOpen.value ? 'navigation is-open' : 'navigation'}>
      <ul>
        {shownPages().map(({ path, name, key }) => (
          <li key={path}>
            <Link to={path} title={`g ${key}`} current={path === current ? 'page' : undefined}>
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** The page of the address. The one before stays until its module is there. */
function CurrentPage() {
  const { path } = address.value;
  const { entry, id } = findPage(path);
  const [loaded, setLoaded] = useState<{ readonly entry: typeof entry; readonly View: PageComponent }>();
  useEffect(() => {
    isMenuOpen.value = false;
    let isCurrent = true;
    const show = (View: PageComponent) => isCurrent && setLoaded({ entry, View });
    entry.load().then(show, (error: unknown) => show(() => <BrokenPage error={messageOf(error)} />));
    return () => {
      isCurrent = false;
    };
  }, [entry]);
  return loaded?.entry === entry ? <loaded.View key={path} id={id} /> : null;
}

/** A new version of the server has other modules. When the server was away and answers, the console loads by itself. */
function BrokenPage({ error }: { readonly error: string }) {
  const isAway = useResource('session').error.value !== null;
  const wasAway = useRef(false);
  useEffect(() => {
    if (wasAway.current && !isAway) location.reload();
    wasAway.current = isAway;
  }, [isAway]);
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
  for (let delayMs = 500; session.value === undefined; delayMs = Math.min(10_000, delayMs * 2)) {
    try {
      await (token === undefined ? loadSession() : signIn({ token }));
      session.value ??= null;
    } catch (error) {
      announceError(error);
      if (error instanceof ApiError && !error.isTemporary) session.value = null;
      else await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}
