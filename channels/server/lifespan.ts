// The application's own start and end around all connections.

import type { Application, Message, Send } from '../application.js';
import { ChannelsError, NoHandlerError, NoRouteError, ProtocolError } from '../errors.js';
import { asError } from './events.js';
import { Inbox } from './inbox.js';

/** The application refused to start, for the reason that it gave. */
export class StartupFailedError extends ChannelsError {
  constructor(reason: string) {
    super('CHANNELS_ERR_STARTUP_FAILED', `the application did not start: ${reason || 'it gave no reason'}`);
  }
}

/** Source: the ASGI specification, "Lifespan Protocol" 2.0. */
export class Lifespan {
  /** What the application keeps for its connections; each scope gets a copy. */
  readonly state: Record<string, unknown> = {};
  readonly #inbox = new Inbox();
  readonly #report: (error: Error) => void;
  #phase: 'starting' | 'running' | 'stopping' | 'over' = 'starting';
  #answer: ((problem: string | undefined) => void) | undefined;

  /** @param report called when the application fails in its lifespan */
  constructor(report: (error: Error) => void) {
    this.#report = report;
  }

  /**
   * Starts the application. One that knows no lifespan is served without.
   *
   * @throws StartupFailedError (`CHANNELS_ERR_STARTUP_FAILED`) when it says that it failed
   */
  async start(application: Application): Promise<void> {
    const scope = { type: 'lifespan', asgi: { version: '3.0', specVersion: '2.0' }, state: this.state };
    const answered = this.#answered();
    this.#inbox.put({ type: 'lifespan.startup' });
    void this.#run(() => application(scope, () => this.#inbox.receive(), this.#send));
    const problem = await answered;
    if (problem !== undefined) throw new StartupFailedError(problem);
  }

  /** Asks the application to end, and waits for its answer. */
  async stop(): Promise<void> {
    if (this.#phase !== 'running') return;
    this.#phase = 'stopping';
    const answered = this.#answered();
    this.#inbox.put({ type: 'lifespan.shutdown' });
    const problem = await answered;
    this.#inbox.end();
    if (problem !== undefined) this.#report(new ProtocolError(`the application did not stop: ${problem}`));
  }

  #answered(): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  async #run(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      // Most applications have no lifespan, and answer with one of these errors.
      const isUnknown = error instanceof NoRouteError || error instanceof NoHandlerError;
      if (!isUnknown && this.#phase !== 'over') this.#report(asError(error));
    }
    this.#phase = 'over';
    this.#answer?.(undefined);
  }

  readonly #send: Send = async <M extends Message>(message: M): Promise<void> => {
    const [, step, outcome] = /^lifespan\.(startup|shutdown)\.(complete|failed)$/.exec(message.type) ?? [];
    if (step !== (this.#phase === 'starting' ? 'startup' : 'shutdown') || this.#phase === 'over')
      throw new ProtocolError(`${JSON.stringify(message.type)} is not expected now`);
    const reason: unknown = Reflect.get(message, 'message');
    this.#phase = step === 'startup' && outcome === 'complete' ? 'running' : 'over';
    this.#answer?.(outcome === 'complete' ? undefined : String(reason ?? ''));
  };
}
