// What every measurement is given.

export interface Context {
  /** An empty directory, for this measurement alone. */
  readonly directory: string;
  /** Where peers are installed; undefined when they could not be fetched. */
  readonly peers: { readonly bullmq: string | undefined; readonly croner: string | undefined };
  /** What it is measured with, `Redis 8.0.2`: whoever uses something names it. */
  readonly versions: Set<string>;
  /** A quick run only shows that everything can be measured. */
  readonly quick: boolean;
}
