import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { EngineFault } from '../../src/engines/engine-fault.ts';
import { lockFileName, lockFolder } from '../../src/engines/folder-lock.ts';
import { type PostgresServer, postgresUrl, startPostgres } from '../../src/engines/postgres-server.ts';
import { identityOf, isAlive, type ProcessIdentity } from '../../src/engines/process-identity.ts';
import { findRedis } from '../../src/engines/redis-program.ts';
import { type RedisServer, startRedis } from '../../src/engines/redis-server.ts';
import { openRunFolder, type RunFolder } from '../../src/engines/run-folder.ts';
import { checkoutFolder, startOwnPostgres, startOwnRedis } from '../support/servers.ts';

const quiet = (): void => undefined;

async function faultOf(act: Promise<unknown>): Promise<EngineFault> {
  const error: unknown = await act.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineFault) return error;
  throw new Error(`expected an EngineFault, got ${String(error)}`);
}

async function untilGone(process: ProcessIdentity): Promise<boolean> {
  const deadline = performance.now() + 5_000;
  while (isAlive(process) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  return !isAlive(process);
}

async function ask(server: PostgresServer, role: 'relais_app' | 'centre_app', database: string): Promise<string> {
  const sql = postgres({ ...server.addressOf(role, database), max: 1, onnotice: quiet });
  try {
    const rows = await sql<{ current_user: string }[]>`SELECT current_user`;
    return rows[0]?.current_user ?? '';
  } catch (error) {
    return error instanceof Error ? error.message : '';
  } finally {
    await sql.end();
  }
}

describe('private PostgreSQL', () => {
  let server: PostgresServer;

  before(async () => {
    server = await startOwnPostgres();
  });

  after(() => server.stop());

  it('keeps each application role out of the other database', async () => {
    const answers = await Promise.all([
      ask(server, 'relais_app', 'relais'),
      ask(server, 'centre_app', 'relais_centre'),
      ask(server, 'relais_app', 'relais_centre'),
      ask(server, 'centre_app', 'relais'),
    ]);
    expect(answers).to.deep.equal([
      'relais_app',
      'centre_app',
      'permission denied for database "relais_centre"',
      'permission denied for database "relais"',
    ]);
  });

  it('flushes every commit and listens on no network address', async () => {
    const sql = postgres({ ...server.addressOf('relais_app', 'relais'), max: 1 });
    const settings = await sql`
      SELECT name, setting FROM pg_settings
      WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'listen_addresses', 'data_checksums') ORDER BY name`;
    await sql.end();
    expect(settings.map((row) => `${String(row['name'])}=${String(row['setting'])}`)).to.deep.equal([
      'data_checksums=on',
      'fsync=on',
      'full_page_writes=on',
      'listen_addresses=',
      'synchronous_commit=on',
    ]);
  });

  it('has what was committed after kill -9 and restart', async () => {
    const address = server.addressOf('relais_owner', 'relais');
    const before = postgres({ ...address, max: 1 });
    await before`CREATE TABLE kept (word text)`;
    await before`INSERT INTO kept VALUES ('yes')`;
    const pid = server.pid;
    await server.kill9();
    await before.end({ timeout: 0 });
    await server.restart();
    const sql = postgres({ ...address, max: 1 });
    const rows = await sql<{ word: string }[]>`SELECT word FROM kept`;
    await sql.end();
    expect([rows[0]?.word, server.pid === pid]).to.deep.equal(['yes', false]);
  });

  it('writes its address as a URL of libpq', () => {
    const url = postgresUrl({
      host: '/run/relais',
      port: 5432,
      user: 'relais_app',
      password: 'ab12',
      database: 'relais',
    });
    expect(url).to.equal('postgres://relais_app:ab12@%2Frun%2Frelais:5432/relais');
  });
});

describe('private Redis', () => {
  let server: RedisServer;

  before(async () => {
    server = await startOwnRedis();
  });

  after(() => server.stop());

  async function config(name: string): Promise<unknown> {
    const redis = new Redis({ path: server.socketPath });
    const reply = await redis.call('CONFIG', 'GET', name);
    redis.disconnect();
    return Array.isArray(reply) ? reply[1] : undefined;
  }

  it('listens on no port, keeps nothing on disk and evicts nothing', async () => {
    const found = await Promise.all(['port', 'save', 'appendonly', 'maxmemory-policy'].map(config));
    expect(found).to.deep.equal(['0', '', 'no', 'noeviction']);
  });

  it('comes back empty at the same address after kill -9', async () => {
    const before = new Redis({ path: server.socketPath, retryStrategy: () => null });
    await before.set('word', 'lost');
    before.on('error', quiet);
    await server.kill9();
    await server.restart();
    const redis = new Redis({ path: server.socketPath });
    const word = await redis.get('word');
    redis.disconnect();
    expect(word).to.equal(null);
  });

  it('says which line to run when there is no program and no package tool', async () => {
    const cacheFolder = await mkdtemp(join(tmpdir(), 'relais-test-'));
    const search = { cacheFolder, environment: { PATH: cacheFolder }, log: quiet };
    const fault = await faultOf(findRedis(search));
    const left = readdirSync(cacheFolder);
    await rm(cacheFolder, { recursive: true });
    expect([fault.exitCode, fault.message.includes('apt-get install'), left]).to.deep.equal([69, true, []]);
  });

  it('refuses a configured program that does not run', async () => {
    const search = { serverPath: '/nowhere/redis-server', cacheFolder: '/nowhere', environment: {}, log: quiet };
    expect((await faultOf(findRedis(search))).code).to.equal('engine_program_missing');
  });
});

describe('a run folder', () => {
  it('is gone with its servers stopped and closed', async () => {
    const run = await openRunFolder();
    const started = await startRedis({
      folder: run.path,
      cacheFolder: join(checkoutFolder(), '.relais'),
      environment: process.env,
      log: quiet,
    });
    await started.stop();
    await run.close();
    expect(existsSync(run.path)).to.equal(false);
  });

  it('takes sockets elsewhere when its path is longer than a socket may have', async () => {
    const run = await openRunFolder();
    const deep = join(run.path, 'd'.repeat(100));
    await mkdir(deep, { recursive: true });
    const server = await startPostgres({ folder: deep, log: quiet });
    const { host } = server.addressOf('relais_app', 'relais');
    const user = await ask(server, 'relais_app', 'relais');
    await server.stop();
    await run.close();
    expect([host.length < 100, user, existsSync(host)]).to.deep.equal([true, 'relais_app', false]);
  });
});

describe('a folder that PostgreSQL cannot enter', () => {
  it('is refused with the way out, and only where another user is needed', async () => {
    const run = await openRunFolder();
    const closed = join(run.path, 'closed');
    await mkdir(join(closed, 'inside'), { recursive: true });
    await chmod(closed, 0o700);
    const outcome = await startPostgres({ folder: join(closed, 'inside'), log: quiet }).then(
      (server) => server.stop().then(() => 'started'),
      (error: unknown) => (error instanceof EngineFault ? error.code : 'other'),
    );
    await run.close();
    expect(outcome).to.equal(process.getuid?.() === 0 ? 'engine_folder_unreachable' : 'started');
  });
});

describe('a folder lock', () => {
  let run: RunFolder;

  beforeEach(async () => {
    run = await openRunFolder();
  });

  afterEach(() => run.close());

  it('refuses a second owner while the first lives', async () => {
    expect((await faultOf(lockFolder(run.path))).exitCode).to.equal(75);
  });

  it('is taken over from a process that is gone, also when its id is in use again', async () => {
    const folder = join(run.path, 'other');
    await mkdir(folder);
    await writeFile(join(folder, lockFileName), `${process.pid} 1\n`);
    const lock = await lockFolder(folder);
    const owner = await readFile(join(folder, lockFileName), 'utf8');
    await lock.release();
    const { pid, startedTicks } = identityOf(process.pid);
    expect(owner).to.equal(`${pid} ${startedTicks}\n`);
  });
});

describe('the parent of private servers', () => {
  type Report = { readonly postgres: number; readonly redis: number; readonly folder: string };

  function isReport(value: unknown): value is Report {
    return typeof value === 'object' && value !== null && 'postgres' in value && 'redis' in value && 'folder' in value;
  }

  function reportOf(parent: ChildProcess): Promise<Report> {
    return new Promise((resolve, reject) => {
      parent.once('exit', (code) => reject(new Error(`the parent ended with ${code}`)));
      parent.once('message', (value) => (isReport(value) ? resolve(value) : reject(new Error('not a report'))));
    });
  }

  it('leaves none of them behind when it is killed -9', async () => {
    const source = new URL('../support/engine-parent.ts', import.meta.url);
    const compiled = new URL('../support/engine-parent.js', import.meta.url);
    const parent = fork(fileURLToPath(existsSync(compiled) ? compiled : source), { execArgv: process.execArgv });
    const report = await reportOf(parent);
    const children = [identityOf(report.postgres), identityOf(report.redis)];
    const before = children.map(isAlive);
    parent.kill('SIGKILL');
    const gone = await Promise.all(children.map(untilGone));
    await rm(report.folder, { recursive: true, force: true, maxRetries: 5 });
    expect([before, gone]).to.deep.equal([
      [true, true],
      [true, true],
    ]);
  });
});
