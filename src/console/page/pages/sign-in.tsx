// Shown at every address while nobody is signed in, so that a link leads where it should afterwards.

import { useState } from 'preact/hooks';
import type { SignIn } from '../../api.js';
import { messageOf, signIn } from '../api.js';
import { Page } from '../parts/page.js';

export function SignInPage() {
  const [error, setError] = useState('');
  const [isBusy, setBusy] = useState(false);
  const submit = async (form: HTMLFormElement) => {
    const data = new FormData(form);
    const body: SignIn = { user: String(data.get('user')), password: String(data.get('password')) };
    setBusy(true);
    try {
      await signIn(body);
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <Page title="Sign in">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void submit(event.currentTarget);
          }}
        >
          <label>
            User
            <input name="user" autocomplete="username" autocapitalize="none" required />
          </label>
          <label>
            Password
            <input name="password" type="password" autocomplete="current-password" required />
          </label>
          <p role="alert" class="bad">
            {error}
          </p>
          <button type="submit" class="primary" disabled={isBusy}>
            Sign in
          </button>
        </form>
        <p class="quiet">Without an account, open the link that the console printed when it started.</p>
      </Page>
    </main>
  );
}
