// What a server says of itself, as far as it matters here.

/** From the reply of INFO; what the server does not tell is taken to be harmless. */
export interface ServerInfo {
  /** It reads its data from the disk and serves nothing else meanwhile. */
  readonly isLoading: boolean;
  /** A replica that takes no writes. */
  readonly isReadOnly: boolean;
  /** The `maxmemory-policy` by which keys may be thrown away when memory gets short; undefined when none are. */
  readonly evictionPolicy: string | undefined;
}

/** Reads the reply of INFO, without sections or with those for replication, persistence and memory. */
export function parseServerInfo(text: string): ServerInfo {
  const fields = new Map(
    text.split('\r\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
  const policy = fields.get('maxmemory_policy');
  const isLimited = (fields.get('maxmemory') ?? '0') !== '0';
  return {
    isLoading: fields.get('loading') === '1',
    isReadOnly: fields.get('role') === 'slave' && fields.get('slave_read_only') !== '0',
    evictionPolicy: isLimited && policy !== 'noeviction' ? policy : undefined,
  };
}
