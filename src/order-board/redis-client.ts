/**
 * The connections of one node to Redis, and the only file that knows the client library. A command is sent at most
 * once: it is answered, or it is rejected within its time, and never repeated behind the caller's back.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { assert, Fault } from '../result.ts';
import type { DurationMs } from '../time.ts';
import { listOf } from './redis-reply.ts';

/** What the room tells the log: fields and an event name; fits pino. */
export interface BoardLog {
  info(fields: Readonly<Record<string, unknown>>, event: string): void;
  warn(fields: Readonly<Record<string, unknown>>, event: string): void;
  error(fields: Readonly<Record<string, unknown>>, event: string): void;
}

/** The atomic steps, one file each in `lua/`. */
export const scriptNames = [
  'place_order',
  'claim_order',
  'take_for_payment',
  'release_claim',
  'close_order',
  'look_order',
  'save_dialog',
  'add_part',
  'join_machine',
  'leave_machine',
  'drop_lease',
] as const;
/** Name of an atomic step. */
export type ScriptName = (typeof scriptNames)[number];

/** The connection for commands. Every call rejects with Fault `board_unreachable` where it is not answered. */
export interface RedisCommands {
  /** Sends one command. */
  call(command: string, ...parameters: readonly (string | number)[]): Promise<unknown>;
  /** Runs one atomic step on one key; the reply's first member is its kind. */
  run(script: ScriptName, key: string, ...parameters: readonly (string | number)[]): Promise<readonly unknown[]>;
  /** Calls the listener whenever the connection has become ready, also again. */
  onReady(listener: () => void): void;
  /** True when a command would be sent now. */
  isReady(): boolean;
  /** The library's own client, for rate-limiter-flexible alone. */
  readonly library: object;
  /** Begins to connect, and goes on trying for ever. */
  connect(): void;
  /** Ends the connection; what is in flight is rejected. */
  disconnect(): void;
}

/** The connection for subscriptions; it carries nothing else. */
export interface RedisSubscriber {
  /** Resolves when Redis has confirmed all of them. */
  subscribe(channels: readonly string[]): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  onMessage(listener: (channel: string, message: string) => void): void;
  onReady(listener: () => void): void;
  onGone(listener: () => void): void;
  isReady(): boolean;
  /** One round trip; a connection that is dead without saying so is found and replaced by it. */
  ping(): Promise<void>;
  connect(): void;
  /** Drops the connection and makes a new one. */
  reconnect(): void;
  disconnect(): void;
}

/** Both connections of one node. */
export type RedisClient = { readonly commands: RedisCommands; readonly subscriber: RedisSubscriber };

const COMMAND_TIMEOUT_MS: DurationMs = 800;
const SOCKET_TIMEOUT_MS: DurationMs = 2_000;
const CONNECT_TIMEOUT_MS: DurationMs = 1_000;
const FIRST_RETRY_MS: DurationMs = 50;
const LONGEST_RETRY_MS: DurationMs = 1_000;

/** Errors of Redis that come before a script or command has written anything. */
const REFUSED_UNDONE = new Set(
  'LOADING READONLY OOM MISCONF NOREPLICAS MASTERDOWN BUSY CLUSTERDOWN MOVED ASK TRYAGAIN NOAUTH NOPERM NOSCRIPT'.split(
    ' ',
  ),
);

function retryDelayMs(attempt: number): DurationMs {
  const doubled = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10), LONGEST_RETRY_MS);
  // Jitter, so that the nodes of a fleet do not come back in step.
  return Math.round(doubled * (0.5 + Math.random() / 2));
}

/** Each line has its reason in storage.md, 2.6; together they make that no command is ever sent twice. */
const STRICT = {
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
  // Subscriptions are made again by subscriptions.ts, which must know when they are confirmed.
  autoResubscribe: false,
  commandTimeout: COMMAND_TIMEOUT_MS,
  socketTimeout: SOCKET_TIMEOUT_MS,
  connectTimeout: CONNECT_TIMEOUT_MS,
  retryStrategy: retryDelayMs,
  reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 1 : false),
  enableReadyCheck: true,
  lazyConnect: true,
  noDelay: true,
};

function connectionTo(address: string): Redis {
  if (address.startsWith('/')) return new Redis({ ...STRICT, path: address });
  if (address.startsWith('unix://')) return new Redis({ ...STRICT, path: address.slice('unix://'.length) });
  assert(/^rediss?:\/\//.test(address), 'the address of Redis is redis://, rediss://, unix:// or the path of a socket');
  return new Redis(address, STRICT);
}

function messageOf(error: unknown): string {
  // The library hangs the command and its arguments on its errors; only the text may go on. Redis quotes arguments in
  // one error alone, that of an unknown command.
  const message = error instanceof Error ? error.message : String(error);
  return (message.split(', with args')[0] ?? '').slice(0, 200);
}

function faultOf(error: unknown): Fault {
  const message = messageOf(error);
  const isUnsent = message.startsWith("Stream isn't writeable");
  const isUndone =
    error instanceof Error && error.name === 'ReplyError' && REFUSED_UNDONE.has(message.split(' ')[0] ?? '');
  return new Fault('board_unreachable', isUnsent || isUndone ? 'no' : 'unknown', new Error(message));
}

async function faulting<Reply>(redis: Redis, send: () => Promise<Reply>): Promise<Reply> {
  if (redis.status !== 'ready') throw new Fault('board_unreachable', 'no', new Error(`connection is ${redis.status}`));
  try {
    return await send();
  } catch (error) {
    throw faultOf(error);
  }
}

/** Says once that the connection is gone and once that it is back, however many attempts lie between. */
function reportChanges(redis: Redis, connection: string, log: BoardLog): void {
  let isAway = false;
  redis.on('error', (error: unknown) => {
    if (isAway) return;
    isAway = true;
    log.warn({ connection, reason: messageOf(error) }, 'order_board_away');
  });
  redis.on('close', () => {
    if (isAway) return;
    isAway = true;
    log.warn({ connection, reason: 'closed' }, 'order_board_away');
  });
  redis.on('ready', () => {
    isAway = false;
    log.info({ connection }, 'order_board_connected');
  });
}

function connectForEver(redis: Redis): void {
  // A first attempt that fails is reported by `error` and followed by the next one.
  redis.connect().catch(() => undefined);
}

type Script = { readonly text: string; readonly digest: string };

/** The text of one atomic step. */
export function scriptText(name: ScriptName): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
}

function loadScripts(): ReadonlyMap<ScriptName, Script> {
  return new Map(
    scriptNames.map((name) => {
      const text = scriptText(name);
      return [name, { text, digest: createHash('sha1').update(text).digest('hex') }];
    }),
  );
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

function commandsOf(redis: Redis): RedisCommands {
  const scripts = loadScripts();
  return {
    call: (command, ...parameters) => faulting(redis, () => redis.call(command, ...parameters)),
    run: (name, key, ...parameters) => {
      const script = scripts.get(name);
      assert(script !== undefined, `script ${name} is not loaded`);
      return faulting(redis, async () => {
        const reply = await redis.evalsha(script.digest, 1, key, ...parameters).catch((error: unknown) => {
          // Not executed, so this is no repetition.
          if (isUnknownScript(error)) return redis.eval(script.text, 1, key, ...parameters);
          throw error;
        });
        return listOf(reply);
      });
    },
    onReady: (listener) => {
      redis.on('ready', listener);
    },
    isReady: () => redis.status === 'ready',
    library: redis,
    connect: () => connectForEver(redis),
    disconnect: () => redis.disconnect(),
  };
}

function subscriberOf(redis: Redis): RedisSubscriber {
  return {
    subscribe: async (channels) => {
      await faulting(redis, () => redis.subscribe(...channels));
    },
    unsubscribe: async (channel) => {
      await faulting(redis, () => redis.unsubscribe(channel));
    },
    onMessage: (listener) => {
      redis.on('message', listener);
    },
    onReady: (listener) => {
      redis.on('ready', listener);
    },
    onGone: (listener) => {
      redis.on('close', listener);
    },
    isReady: () => redis.status === 'ready',
    ping: async () => {
      await faulting(redis, () => redis.ping());
    },
    connect: () => connectForEver(redis),
    reconnect: () => redis.disconnect(true),
    disconnect: () => redis.disconnect(),
  };
}

/**
 * Makes the two connections of one node; nothing is sent before `connect`.
 *
 * @param address `redis://`, `rediss://`, `unix://` with a path, or the absolute path of a socket
 * @throws Bug for any other address
 */
export function createRedisClient(address: string, log: BoardLog): RedisClient {
  const commands = connectionTo(address);
  const subscriber = connectionTo(address);
  reportChanges(commands, 'commands', log);
  reportChanges(subscriber, 'subscriber', log);
  return { commands: commandsOf(commands), subscriber: subscriberOf(subscriber) };
}
