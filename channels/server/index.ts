// The public names of `linod/server`. What is not listed here is free to change.

export { ClientGoneError, ProtocolError } from '../errors.js';
export type { ServerEvent, SocketReport } from './events.js';
export { StartupFailedError } from './lifespan.js';
export { ListenError } from './listen.js';
export {
  defaultLimits,
  type ListenAddress,
  parseListenAddress,
  type ServerLimits,
  type ServerOptions,
  type TlsOptions,
} from './options.js';
export { type Server, serve } from './server.js';
