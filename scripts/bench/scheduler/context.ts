// What every measurement is given.

export interface Context {
  /** An empty directory, for this measurement alone. */
  readonly directory: string;
  /** Where peers are installed; undefined when they could not be fetched. */
  readonly peers: { readonly bullmq: string | undefined; readonly croner: string | undefined };
  /** A quick run only shows that everything can be measured. */
  readonly quick: boolean;
}
