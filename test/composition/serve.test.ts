import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import postgres from 'postgres';
import { stringify } from 'yaml';
import { type Smsc, startSmsc } from '../../simulators/smsc.ts';
import { postgresUrl } from '../../src/engines/postgres-server.ts';
import { isAlive, type ProcessIdentity } from '../../src/engines/process-identity.ts';
import { processesBelow, type Run, runRelais, startRelais } from '../cli/relais.ts';
import { type Files, leastSettings, openFiles } from '../config/settings-for-test.ts';
import { CLIENT_TOKEN, startTestCentre, type TestCentre } from '../payment/centre-for-test.ts';
import { checkoutFolder, freshDatabase, type TestDatabase } from '../support/servers.ts';

const EXAMPLE = join(checkoutFolder(), 'config', 'registry.example.yaml');

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

/** The addresses in the line that says that a process is ready. */
function whereOf(line: string): { readonly ready: unknown; readonly http: unknown; readonly admin: unknown } {
  const said: unknown = JSON.parse(line);
  const at = (name: string): unknown =>
    typeof said === 'object' && said !== null ? Reflect.get(said, name) : undefined;
  return { ready: at('ready'), http: at('http'), admin: at('admin') };
}

const areGone = (processes: readonly ProcessIdentity[]) => (): boolean => !processes.some(isAlive);

describe('relais serve without URLs', function () {
  this.timeout(40_000);
  let files: Files;
  let smsc: Smsc;
  let centre: TestCentre;
  let started: Run | undefined;

  before(async () => {
    files = openFiles();
    // As root, PostgreSQL runs under another user, who must be able to pass.
    chmodSync(files.folder, 0o711);
    smsc = await startSmsc({ port: 0 });
    centre = await startTestCentre();
    const { smpp, payment, ...others } = leastSettings();
    const [bind] = smpp.binds;
    const hosts = [{ host: '127.0.0.1', port: smsc.port }];
    const settings = {
      ...others,
      http: { port: 0 },
      admin: { port: 0 },
      smpp: { ...smpp, binds: [{ ...bind, hosts }] },
      payment: { wallet: { ...payment.wallet, baseUrl: centre.centre.url, token: CLIENT_TOKEN } },
    };
    files.write('relais.yaml', stringify(settings));
  });
  after(async () => {
    started?.process.kill('SIGKILL');
    await smsc.close();
    await centre.stop();
    files.remove();
  });

  const common = (): readonly string[] => ['--config', `${files.folder}/relais.yaml`, '--keep', `${files.folder}/kept`];

  async function serve(): Promise<{
    readonly run: Run;
    readonly line: string;
    readonly below: readonly ProcessIdentity[];
  }> {
    const run = startRelais(['serve', ...common()]);
    started = run;
    const line = await run.firstLine;
    const pid = run.process.pid ?? 0;
    return { run, line, below: processesBelow(pid) };
  }

  it('starts its own, says in one line where it listens, serves, and ends with 0 and no child on SIGTERM', async () => {
    const { run, line, below } = await serve();
    const { ready, http, admin } = whereOf(line);
    expect([ready, typeof http, typeof admin]).to.deep.equal([true, 'number', 'number']);
    expect(below.length).to.be.greaterThan(2);
    await smsc.bound();
    await until('it is ready and lacks nothing', async () => {
      const answer = await fetch(`http://127.0.0.1:${String(admin)}/readyz`);
      return answer.status === 200 && (await answer.text()) === '{"ready":true,"degraded":false,"reasons":[]}';
    });
    run.process.kill('SIGTERM');
    const ended = await run.ended;
    expect(ended.code, ended.stderr).to.equal(0);
    expect(ended.stdout).to.equal(`${line}\n`);
    expect(ended.stderr).to.match(
      /for more than one node, set DATABASE_URL\n.*for more than one node, set REDIS_URL\n/,
    );
    expect(below.filter(isAlive)).to.deep.equal([]);
  });

  it('can be told its machines while it does not run', async () => {
    const ended = await runRelais(['registry', 'apply', EXAMPLE, ...common()]);
    expect(ended.code, ended.stderr).to.equal(0);
    expect(ended.stderr).to.match(/registered 1 operators, 2 products, 1 machines\n$/);
  });

  it('leaves no child when it is killed, and starts again on what it kept', async () => {
    const { run, below } = await serve();
    run.process.kill('SIGKILL');
    await run.ended;
    await until('all children are gone', areGone(below));
  });
});

describe('relais migrate and relais registry apply', function () {
  this.timeout(30_000);
  let files: Files;
  let database: TestDatabase;
  let config: string;
  let asOwner: Readonly<Record<string, string>>;

  before(async () => {
    files = openFiles();
    config = files.write('relais.yaml', stringify(leastSettings()));
    database = await freshDatabase('cli');
    asOwner = { DATABASE_URL_FILE: files.write('url', postgresUrl(database.owner)) };
  });
  after(async () => {
    await database.drop();
    files.remove();
  });

  it('bring the database to this version, once, and by the owner where one is named', async () => {
    const first = await runRelais(['migrate', '--config', config], asOwner);
    expect([first.code, first.stdout]).to.deep.equal([0, '']);
    expect(first.stderr).to.match(/^migrated 0001_registry\n(migrated \d{4}_\w+\n)+$/);
    const second = await runRelais(['migrate', '--config', config], {
      RELAIS_DATABASE__OWNER_URL: postgresUrl(database.owner),
    });
    expect(second).to.deep.equal({ code: 0, stdout: '', stderr: 'nothing to migrate\n' });
  });

  it('register what the file lists, and end with 78 when it names what is not there', async () => {
    const asApp = { DATABASE_URL: postgresUrl(database.app) };
    const orphan = files.write('orphan.yaml', 'products: [{operatorId: 99, name: a}]');
    const [applied, refused] = await Promise.all([
      runRelais(['registry', 'apply', EXAMPLE, '--config', config], asApp),
      runRelais(['registry', 'apply', orphan, '--config', config], asApp),
    ]);
    expect(applied).to.deep.equal({ code: 0, stdout: '', stderr: 'registered 1 operators, 2 products, 1 machines\n' });
    expect(refused.code).to.equal(78);
    expect(refused.stderr).to.match(/^Product "a" of operator 99 cannot be registered/);
    const sql = postgres({ ...database.owner, max: 1 });
    const rows =
      await sql`SELECT m.number, count(i.*)::int AS items FROM machines m JOIN machine_items i ON i.machine_id = m.id GROUP BY 1`;
    await sql.end();
    expect([...rows]).to.deep.equal([{ number: '4567', items: 2 }]);
  });
});

describe('relais centre', function () {
  this.timeout(30_000);
  let database: TestDatabase;
  const runs: Run[] = [];

  before(async () => {
    database = await freshDatabase('cli_centre');
  });
  after(async () => {
    for (const { process: child } of runs) child.kill('SIGKILL');
    await database.drop();
  });

  function start(): Run {
    const run = startRelais(['centre'], {
      RELAIS_CENTRE_DATABASE_URL: postgresUrl(database.owner),
      RELAIS_CENTRE__APP_DATABASE_URL: postgresUrl(database.app),
      RELAIS_CENTRE__ADMIN__TOKEN: 'a'.repeat(24),
      RELAIS_CENTRE__CLIENTS: stringify([{ id: 'relais', token: 'b'.repeat(24) }]),
      RELAIS_CENTRE__PEPPER: 'c'.repeat(24),
    });
    runs.push(run);
    return run;
  }

  it('says in one line where it listens, and ends with 0 on SIGTERM', async () => {
    const run = start();
    const line = await run.firstLine;
    expect(line).to.match(/^\{"ready":true,"url":"http:\/\/127\.0\.0\.1:\d+","admin":"http:\/\/127\.0\.0\.1:\d+"\}$/);
    run.process.kill('SIGTERM');
    const ended = await run.ended;
    expect([ended.code, ended.stdout]).to.deep.equal([0, `${line}\n`]);
    expect(ended.stderr)
      .to.match(/"event":"centre_listening"/)
      .and.not.include('aaaaaaaa');
  });

  it('ends with 130 at once on a second signal', async () => {
    const run = start();
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(await run.firstLine)?.[1]);
    // A request that never comes whole keeps it from ending by itself for three seconds.
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    run.process.kill('SIGTERM');
    await until('it takes nobody else', () => refuses(port));
    run.process.kill('SIGINT');
    const { code } = await run.ended;
    socket.destroy();
    expect(code).to.equal(130);
  });
});

function refuses(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}
