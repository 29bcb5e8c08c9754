// A run that goes on until the test says so.

export interface Gate {
  readonly promise: Promise<void>;
  open(): void;
}

/** What waits for the promise goes on when the test opens it. */
export function gate(): Gate {
  let open: () => void = () => undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open: () => open() };
}
