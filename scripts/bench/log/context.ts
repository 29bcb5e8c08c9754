// What every measurement is given.

export interface Context {
  /** An empty directory, for this measurement alone. */
  readonly directory: string;
  /** Where pino is installed; undefined when it could not be fetched. */
  readonly pino: string | undefined;
  /** What it is measured with, `Redis 8.0.2`: whoever uses something names it. */
  readonly versions: Set<string>;
  /** A quick run only shows that everything can be measured. */
  readonly quick: boolean;
}
