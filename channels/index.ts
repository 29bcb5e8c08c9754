// The public names of `linod/channels`. What is not listed here is free to change.

export {
  type Application,
  isMessage,
  type Message,
  type Receive,
  type Received,
  type Scope,
  type Send,
  type UrlRoute,
} from './application.js';
export { AllowedHosts, OriginValidator } from './browser/access.js';
export {
  type ConnectionScope,
  type HeaderList,
  type HttpDisconnect,
  type HttpRequest,
  type HttpResponseBody,
  type HttpResponseStart,
  type HttpScope,
  headerOf,
  type SocketExtension,
  type WebsocketAccept,
  type WebsocketClose,
  type WebsocketConnect,
  type WebsocketDisconnect,
  type WebsocketReceive,
  type WebsocketScope,
  type WebsocketSend,
} from './browser/protocol.js';
export {
  cookies,
  cookiesOf,
  type Session,
  type SessionOptions,
  SessionTooLargeError,
  sessionOf,
  signedSession,
} from './browser/session.js';
export {
  type DropOptions,
  SlowClient,
  type SocketData,
} from './browser/slow-client.js';
export { checkChannelName, checkGroupName, messageKey } from './channel-name.js';
export type { Clock } from './clock.js';
export type { CodecOptions } from './codec/codec.js';
export { ExtensionValue, Float } from './codec/msgpack.js';
export type { SerializerName } from './codec/serializers.js';
export {
  Consumer,
  type ConsumerOptions,
  type HandledTypes,
  type HandlerName,
  type Handlers,
  type MessageOf,
} from './consumer.js';
export {
  ChannelFull,
  ChannelsError,
  ClientGoneError,
  ForeignChannelError,
  InvalidMessageError,
  InvalidNameError,
  InvalidOptionError,
  LayerClosedError,
  LayerUnavailableError,
  MalformedMessageError,
  NoClientError,
  NoHandlerError,
  NoRouteError,
  ProtocolError,
  StopConsumer,
  type UnavailableReason,
  UndecodableError,
} from './errors.js';
export { type GivenHeaders, HttpConsumer, type ServerSentEvent } from './http.js';
export {
  type CapacityPatterns,
  type ChannelLayer,
  capacityOf,
  type DroppedMessage,
  type Extension,
  type LayerOptions,
  type LeaseManyOptions,
  type LeaseOptions,
  type ReceiveManyOptions,
  type SendOutcome,
  type WaitOptions,
} from './layer.js';
export { InMemoryChannelLayer } from './layers/memory/layer.js';
export {
  type ConnectionChange,
  type LayerWarning,
  RedisChannelLayer,
  type RedisHost,
  type RedisHostOptions,
  type RedisLayerOptions,
} from './layers/redis/layer.js';
export {
  ForeignMemberError,
  RedisPubSubChannelLayer,
  type RedisPubSubLayerOptions,
} from './layers/redis-pubsub/layer.js';
export { LayerFileError, SqliteChannelLayer, type SqliteLayerOptions } from './layers/sqlite/layer.js';
export {
  type DeadLetter,
  type DeadLetterOptions,
  type DeadLetterReport,
  deadLetterChannel,
  isDeadLetterChannel,
  type Leased,
  type ReleaseOptions,
} from './leases.js';
export { type OpenLayerOptions, openLayer } from './open-layer.js';
export {
  ChannelNameRouter,
  ProtocolTypeRouter,
  path,
  type Route,
  rePath,
  URLRouter,
} from './routing.js';
export {
  isOverdue,
  type ListenerFacts,
  type ListenerState,
  type Listening,
  listenerState,
  silentMs,
} from './serving/listening.js';
export type { ChannelStats, WorkerEvent } from './serving/worker-events.js';
export {
  type ChannelFigures,
  channelPattern,
  type GroupMember,
  type GroupReport,
  type LayerStats,
  type Peeked,
  type PeekOptions,
} from './stats.js';
export {
  AcceptConnection,
  DenyConnection,
  JsonWebsocketConsumer,
  WebsocketConsumer,
} from './websocket.js';
export { Worker, type WorkerOptions } from './worker.js';
