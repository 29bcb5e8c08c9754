// Sentences that tell what happened. The region is always there, so that screen readers notice what comes into it.

import { closeToast, toasts } from '../announce.js';

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, isError }) => (
        <p key={id} class={isError ? 'toast bad' : 'toast'}>
          {text}
          <button type="button" class="plain" aria-label="Close" onClick={() => closeToast(id)}>
            ✕
          </button>
        </p>
      ))}
    </div>
  );
}
