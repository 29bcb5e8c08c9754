// The public names of `linod/channels`. What is not listed here is free to change.

export type { Application, Message, Receive, Received, Scope, Send } from './application.js';
export {
  ChannelFull,
  ChannelsError,
  ForeignChannelError,
  InvalidMessageError,
  InvalidNameError,
  InvalidOptionError,
  LayerClosedError,
  LayerUnavailableError,
  NoHandlerError,
  NoRouteError,
  StopConsumer,
  UndecodableError,
} from './errors.js';
export {
  type CapacityPatterns,
  type ChannelLayer,
  capacityOf,
  checkChannelName,
  checkGroupName,
  type DroppedMessage,
  type Extension,
  type LayerOptions,
  messageKey,
  type WaitOptions,
} from './layer.js';
export { InMemoryChannelLayer } from './layers/memory.js';
