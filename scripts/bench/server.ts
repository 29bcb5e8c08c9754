// Measures the protocol server beside bare Node, daphne, uvicorn and Socket.IO, in one run.
//
//     npm run bench:server -- [--only KEY]… [--rounds 5] [--quick] [--json]
//
// Each server is a process of its own, and one more process loads them all in the same way. For a group there are two
// servers: the socket that speaks is on one, its 1,000 hearers are on the other. The bare loop, which has no layer, is
// one process. daphne and uvicorn need Debian's python3-daphne, python3-uvicorn and python3-channels-redis. A missing
// peer is left out.
//
// Exit codes: 0 measured, 1 failed or a message was lost, 2 used wrongly.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Context, contest, type Found, type Row, say } from './contest.js';
import { Program, type Subject } from './program.js';
import type { LoadTask } from './server-load.js';
import { flush, freePort, python, saysOf, startRedis } from './servers.js';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const names = { bare: 'bare Node', daphne: 'daphne', uvicorn: 'uvicorn', socketIo: 'Socket.IO' } as const;

const rows: readonly Row[] = [
  ...['linodRaw', 'linod'].map(
    (name): Row => ({
      work: `small GET, 50 connections, ${name === 'linod' ? 'HttpConsumer' : 'plain application'}`,
      number: `http.${name}.perSecond`,
      unit: '/s',
      beside: [
        { name: 'bare node:http', number: 'http.bare.perSecond', aim: ['≥', 0.5] },
        { name: 'daphne', number: 'http.daphne.perSecond', aim: ['≥', 3] },
        { name: 'uvicorn', number: 'http.uvicorn.perSecond' },
      ],
    }),
  ),
  ...[1, 100].flatMap((connections) =>
    ['linodRaw', 'linod'].map(
      (name): Row => ({
        work: `WebSocket echo, ${connections} in flight, ${name === 'linod' ? 'WebsocketConsumer' : 'plain application'}`,
        number: `echo-${connections}.${name}.perSecond`,
        unit: '/s',
        beside: [
          { name: 'bare ws', number: `echo-${connections}.bare.perSecond`, aim: ['≥', 0.6] },
          { name: 'daphne', number: `echo-${connections}.daphne.perSecond`, aim: ['≥', 3] },
        ],
      }),
    ),
  ),
  ...(['SQLite', 'Redis'] as const).map(
    (layer): Row => ({
      work: `group of 1,000 sockets, delivered, ${layer}`,
      number: `group.linod${layer}.perSecond`,
      unit: '/s',
      beside: [
        { name: 'bare loop', number: 'group.bare.perSecond', aim: ['≥', 0.5] },
        { name: 'daphne', number: 'group.daphne.perSecond', aim: ['≥', 10] },
        { name: 'Socket.IO', number: 'group.socketIo.perSecond', aim: ['≥', 1] },
      ],
    }),
  ),
  ...(
    [
      ['small GET, 50 connections, HttpConsumer', 'http', 'linod', ['bare', 'daphne', 'uvicorn']],
      ['WebSocket echo, 100 in flight, WebsocketConsumer', 'echo-100', 'linod', ['bare', 'daphne']],
      ['group of 1,000 sockets, SQLite', 'group', 'linodSQLite', ['bare', 'daphne', 'socketIo']],
      ['group of 1,000 sockets, Redis', 'group', 'linodRedis', ['bare', 'daphne', 'socketIo']],
    ] as const
  ).map(
    ([work, key, ours, peers]): Row => ({
      work: `${work}: CPU of the servers a message`,
      number: `${key}.${ours}.serverCpuUs`,
      unit: 'µs',
      beside: peers.map((peer) => ({ name: names[peer], number: `${key}.${peer}.serverCpuUs` })),
    }),
  ),
  {
    work: 'memory of an idle socket',
    number: 'memory.linod.kib',
    unit: 'KiB',
    beside: [{ name: 'bare ws', number: 'memory.bare.kib', aim: ['≤', 2.5] }],
  },
];

/** What a server has to do for a measurement. */
interface Need {
  readonly directory: string;
  /** The Redis of its layer. */
  readonly url?: string;
  readonly hasGroup?: boolean;
}

type Start = (need: Need) => Promise<{ readonly program: Program; readonly port: number } | undefined>;

/** A server on Node. */
function node(kind: 'bare' | 'linod' | 'linodRaw' | 'socketIo'): Start {
  return async ({ directory, url }) => {
    const options = { kind, url, path: join(directory, 'channels.db') };
    const program = await Program.start({
      name: kind,
      command: process.execPath,
      args: [...process.execArgv, '--expose-gc', here('server-peer.ts'), JSON.stringify(options)],
      directory: here('../..'),
      ready: /^port \d+$/,
    });
    return { program, port: Number(program.readyLine.slice('port '.length)) };
  };
}

/** A server of Debian's Python. */
function inPython(name: 'daphne' | 'uvicorn', flags: readonly string[], ready: RegExp): Start {
  const isThere = saysOf(python, '-c', `import ${name}, channels, channels_redis`) !== undefined;
  return async ({ hasGroup = false, url }) => {
    if (!isThere) return undefined;
    const port = await freePort();
    const application = `server_peer:${hasGroup ? 'consumers' : 'application'}`;
    const subject: Subject = {
      name,
      command: 'env',
      args: [
        `PYTHONPATH=${here('.')}`,
        'PYTHONDONTWRITEBYTECODE=1',
        `BENCH_REDIS=${url}`,
        ...[python, '-m', name, ...flags, '--port', String(port), application],
      ],
      directory: here('../..'),
      ready,
    };
    return { program: await Program.start(subject), port };
  };
}

await contest(rows, 5, async () => {
  const redis = await startRedis();
  const load = await Program.start({
    name: 'load',
    command: process.execPath,
    args: [...process.execArgv, here('server-load.ts')],
    directory: here('../..'),
    ready: /^open$/,
  });
  const servers = {
    bare: node('bare'),
    linodRaw: node('linodRaw'),
    linod: node('linod'),
    socketIo: node('socketIo'),
    daphne: inPython('daphne', ['--bind', '127.0.0.1', '--access-log', '/dev/null'], /Listening on TCP/),
    // Faster parsers of HTTP are not in Debian.
    uvicorn: inPython(
      'uvicorn',
      ['--http', 'h11', '--loop', 'asyncio', '--no-access-log'],
      /running on http/,
    ),
  } as const;

  /** Besides what the client finds: `serverCpuUs`, the processor time of the servers for one message. */
  async function ask(task: LoadTask, programs: readonly Program[]): Promise<Found> {
    const cpuMs = () => programs.reduce((sum, program) => sum + program.usage().cpuMs, 0);
    load.tell(JSON.stringify(task));
    await load.line(/^from$/);
    const before = cpuMs();
    await load.line(/^until$/);
    const usedMs = cpuMs() - before;
    const found = JSON.parse(await load.line(/^\{/)) as Record<string, number>;
    if ((found.clientCpu ?? 0) > 90)
      say(`the load client itself took ${found.clientCpu?.toFixed(0)} % of a core: it may be what limits`);
    return { ...found, serverCpuUs: (usedMs * 1000) / (found.count ?? 1) };
  }

  /** Opens so many sockets, in the place of those that were open. */
  async function keepOpen(port: number, connections: number): Promise<void> {
    load.tell(JSON.stringify({ do: 'idle', connections, ports: [port], ms: 0 } satisfies LoadTask));
    await load.line(/^\{/);
  }

  /** Starts servers, puts one load on them, stops them. */
  async function measured(
    count: number,
    start: Start,
    need: Need,
    task: (ports: readonly number[], programs: readonly Program[]) => Promise<Found>,
  ): Promise<Found | undefined> {
    const started = [];
    try {
      for (let i = 0; i < count; i++) {
        const one = await start(need);
        if (one === undefined) return undefined;
        started.push(one);
      }
      return await task(
        started.map(({ port }) => port),
        started.map(({ program }) => program),
      );
    } finally {
      for (const { program } of started) await program.stop();
      await flush(redis);
    }
  }

  const msOf = ({ quick }: Context) => (quick ? 300 : 2000);

  function each(names: ReadonlyArray<keyof typeof servers>, taskOf: (context: Context) => object) {
    return Object.fromEntries(
      names.map((name) => [
        name,
        (context: Context) =>
          measured(1, servers[name], { directory: context.directory }, (ports, programs) =>
            ask({ ...taskOf(context), ports, ms: msOf(context) } as LoadTask, programs),
          ),
      ]),
    );
  }

  const group =
    (name: keyof typeof servers, count: number, url?: string) =>
    (context: Context): Promise<Found | undefined> =>
      measured(
        count,
        servers[name],
        { directory: context.directory, hasGroup: true, ...(url === undefined ? {} : { url }) },
        (ports, programs) => {
          const members = context.quick ? 100 : 1000;
          const isSocketIo = name === 'socketIo';
          return ask({ do: 'group', members, isSocketIo, ports, ms: msOf(context) }, programs);
        },
      );

  /** Resident memory of a socket, when nothing happens. */
  const memory =
    (name: 'bare' | 'linod') =>
    ({ directory, quick }: Context): Promise<Found | undefined> =>
      measured(1, servers[name], { directory }, async ([port = 0], [program]) => {
        if (program === undefined) return {};
        const connections = quick ? 100 : 3000;
        const sweptBytes = async () => {
          program.tell('sweep');
          await program.line(/^swept$/);
          return program.usage().rssBytes;
        };
        // Code and buffers that the first sockets need are not theirs.
        await keepOpen(port, 50);
        const before = await sweptBytes();
        await keepOpen(port, 50 + connections);
        const kib = ((await sweptBytes()) - before) / connections / 1024;
        await keepOpen(port, 0);
        return { kib };
      });

  const experiments = [
    {
      key: 'http',
      contestants: each(['bare', 'linodRaw', 'linod', 'daphne', 'uvicorn'], () => ({
        do: 'requests',
        connections: 50,
      })),
    },
    ...[1, 100].map((connections) => ({
      key: `echo-${connections}`,
      contestants: each(['bare', 'linodRaw', 'linod', 'daphne'], () => ({ do: 'echoes', connections })),
    })),
    {
      key: 'group',
      contestants: {
        bare: group('bare', 1),
        linodSQLite: group('linod', 2),
        linodRedis: group('linod', 2, redis.url),
        daphne: group('daphne', 2, redis.url),
        socketIo: group('socketIo', 2, redis.url),
      },
    },
    { key: 'memory', contestants: { bare: memory('bare'), linod: memory('linod') } },
  ];
  const close = async () => {
    await load.stop();
    await redis.close();
  };
  return { experiments, close };
});
