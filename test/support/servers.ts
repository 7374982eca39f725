/**
 * The real servers of a test run: one PostgreSQL and one Redis, started at first use and stopped after the last test.
 *
 *   const database = await freshDatabase('store');   // in before(): a database of your own; name: [a-z0-9_], <= 30
 *   const sql = postgres(database.owner);            // fields of postgres.js and pg: host, port, user, password, database
 *   postgres(database.app)                           // the role without DDL; DML on what the owner makes
 *   await database.drop();                           // in after(), once your own connections are closed (it cuts others)
 *
 *   const redis = await redisForTest();              // in before() or beforeEach(): empties it, FLUSHALL
 *   new Redis({ path: redis.path })                  // ioredis; also for RELAIS_TEST_REDIS_URL: new Redis({ ...redis })
 *
 * RELAIS_TEST_DATABASE_URL (a role that may create databases) and RELAIS_TEST_REDIS_URL (a server that may be emptied!)
 * are used instead when set. Tests that kill servers start their own: `startOwnPostgres()`, `startOwnRedis()`, each
 * with `kill9()`, `restart()` and `stop()`, the last one also removing its folder.
 * mocha loads this file by itself (`.mocharc.json`), so that the hooks at its end stop what was started.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { applicationGrants } from '../../src/engines/postgres-cluster.ts';
import { type PostgresAddress, type PostgresServer, startPostgres } from '../../src/engines/postgres-server.ts';
import { type RedisServer, startRedis } from '../../src/engines/redis-server.ts';
import { openRunFolder, type RunFolder } from '../../src/engines/run-folder.ts';

/** A database made for one test file. */
export type TestDatabase = {
  readonly name: string;
  /** The role that owns it: migrations. */
  readonly owner: PostgresAddress;
  /** The role of the product: rows only. */
  readonly app: PostgresAddress;
  /** Removes it, cutting what is still connected. */
  drop(): Promise<void>;
};

/** Where the Redis of the tests is: options of ioredis. */
export type TestRedis =
  | { readonly path: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly username: string;
      readonly password: string;
      readonly db: number;
    };

const databaseUrl = process.env['RELAIS_TEST_DATABASE_URL'];
const redisUrl = process.env['RELAIS_TEST_REDIS_URL'];

/** The checkout: the folder above us that holds package.json, from `test/` as well as from `dist/test/`. */
export function checkoutFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package-lock.json'))) folder = dirname(folder);
  return folder;
}

const silent = (): void => undefined;

function redisSettings(folder: string): Parameters<typeof startRedis>[0] {
  return { folder, cacheFolder: join(checkoutFolder(), '.relais'), environment: process.env, log: silent };
}

let runFolder: Promise<RunFolder> | undefined;
let postgresServer: Promise<PostgresServer> | undefined;
let redisServer: Promise<RedisServer> | undefined;

function folderOfRun(): Promise<RunFolder> {
  runFolder ??= openRunFolder();
  return runFolder;
}

async function sharedPostgres(): Promise<PostgresServer> {
  postgresServer ??= folderOfRun().then(({ path }) => startPostgres({ folder: path, log: silent }));
  return postgresServer;
}

async function sharedRedis(): Promise<RedisServer> {
  redisServer ??= folderOfRun().then(({ path }) => startRedis(redisSettings(path)));
  return redisServer;
}

function addressOfUrl(text: string): PostgresAddress {
  const url = new URL(text);
  return {
    host: decodeURIComponent(url.hostname),
    port: Number(url.port === '' ? '5432' : url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
  };
}

type Roles = { readonly admin: PostgresAddress; readonly owner: PostgresAddress; readonly app: PostgresAddress };

async function rolesFor(database: string): Promise<Roles> {
  if (databaseUrl !== undefined) {
    const admin = addressOfUrl(databaseUrl);
    return { admin, owner: { ...admin, database }, app: { ...admin, database } };
  }
  const server = await sharedPostgres();
  return {
    admin: server.addressOf('relais_admin', 'postgres'),
    owner: server.addressOf('relais_owner', database),
    app: server.addressOf('relais_app', database),
  };
}

async function statements(address: PostgresAddress, lines: readonly string[]): Promise<void> {
  const sql = postgres({ ...address, max: 1, onnotice: silent });
  try {
    for (const line of lines) await sql.unsafe(line);
  } finally {
    await sql.end();
  }
}

/** Makes an empty database of its own for a test file. `name`: small letters, digits and `_`, at most 30. */
export async function freshDatabase(name: string): Promise<TestDatabase> {
  if (!/^[a-z0-9_]{1,30}$/.test(name)) throw new Error(`freshDatabase: not a name: ${name}`);
  const database = `t_${name}_${randomBytes(4).toString('hex')}`;
  const { admin, owner, app } = await rolesFor(database);
  const grants = [
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${database} TO ${app.user}`,
  ];
  await statements(admin, [`CREATE DATABASE ${database} OWNER ${owner.user}`, ...grants]);
  if (owner.user !== app.user) await statements(owner, applicationGrants(owner.user, app.user));
  return {
    name: database,
    owner,
    app,
    drop: () => statements(admin, [`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`]),
  };
}

/** A copy of a database, with all that is in it; nobody may be connected to the original. Drop it like a fresh one. */
export async function copyDatabase(of: TestDatabase): Promise<TestDatabase> {
  const database = `${of.name}_${randomBytes(4).toString('hex')}`;
  const { admin, owner, app } = await rolesFor(database);
  await statements(admin, [
    `CREATE DATABASE ${database} TEMPLATE ${of.name} OWNER ${owner.user}`,
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${database} TO ${app.user}`,
  ]);
  return {
    name: database,
    owner,
    app,
    drop: () => statements(admin, [`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`]),
  };
}

function optionsOfRedisUrl(text: string): TestRedis {
  const url = new URL(text);
  return {
    host: url.hostname,
    port: Number(url.port === '' ? '6379' : url.port),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    db: Number(url.pathname.slice(1) || '0'),
  };
}

/** The Redis of this run, emptied. */
export async function redisForTest(): Promise<TestRedis> {
  const address = redisUrl === undefined ? { path: (await sharedRedis()).socketPath } : optionsOfRedisUrl(redisUrl);
  const redis = new Redis({ ...address, lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
  await redis.connect();
  try {
    await redis.flushall();
  } finally {
    redis.disconnect();
  }
  return address;
}

async function withFolder<Server extends { stop(): Promise<void> }>(
  start: (folder: string) => Promise<Server>,
): Promise<Server> {
  const folder = await openRunFolder();
  const server = await start(folder.path).catch(async (error: unknown) => {
    await folder.close();
    throw error;
  });
  const stop = server.stop.bind(server);
  server.stop = async () => {
    await stop();
    await folder.close();
  };
  return server;
}

/** A PostgreSQL of your own, to be killed and restarted at will. Stop it in after(). */
export function startOwnPostgres(): Promise<PostgresServer> {
  return withFolder((folder) => startPostgres({ folder, log: silent }));
}

/** A Redis of your own, to be killed and restarted at will. Stop it in after(). */
export function startOwnRedis(): Promise<RedisServer> {
  return withFolder((folder) => startRedis(redisSettings(folder)));
}

/** Stops what was started, and removes its folder. */
async function stopServers(): Promise<void> {
  const [startedPostgres, startedRedis, folder] = [postgresServer, redisServer, runFolder];
  postgresServer = undefined;
  redisServer = undefined;
  runFolder = undefined;
  await startedRedis?.then((server) => server.stop());
  await startedPostgres?.then((server) => server.stop());
  await folder?.then((opened) => opened.close());
}

const PARENT_WATCH_MS = 1_000;

/** Ends the run when the npm or script that started it was killed: nobody would read its result. */
function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1);
  }, PARENT_WATCH_MS).unref();
}

/** mocha's root hooks. */
export const mochaHooks = { beforeAll: endWithParent, afterAll: stopServers };
