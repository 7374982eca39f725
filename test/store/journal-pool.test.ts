/**
 * What the store makes of a PostgreSQL that is away, slow, or gone in the middle.
 */
import { expect } from 'chai';
import { Bug, Fault } from '../../src/result.ts';
import { connectionOfUrl } from '../../src/store/connection.ts';
import { createJournalPool, faultOf, type JournalPool } from '../../src/store/journal-pool.ts';
import { type Clock, systemClock } from '../../src/time.ts';
import { freshDatabase, type TestDatabase } from '../support/servers.ts';

async function faultIn(act: Promise<unknown>): Promise<{ code: string; happened: string }> {
  const error = await act.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof Fault)) throw new Error(`no fault but ${String(error)}`);
  return { code: error.code, happened: error.happened };
}

/** A clock whose timers fire when the test says so. */
function stoppedClock(): Clock & { fire(): void } {
  const waiting = new Set<() => void>();
  return {
    ...systemClock,
    after(_ms, run) {
      waiting.add(run);
      return () => void waiting.delete(run);
    },
    fire() {
      for (const run of [...waiting]) run();
    },
  };
}

describe('the pool of connections', () => {
  let database: TestDatabase;
  let pool: JournalPool;
  const clock = stoppedClock();

  before(async () => {
    database = await freshDatabase('pool');
  });
  beforeEach(() => {
    pool = createJournalPool({ connection: database.app, clock, connections: 1 });
  });
  afterEach(() => pool.close());
  after(() => database.drop());

  it('says that nothing happened when nobody listens', async () => {
    const nowhere = createJournalPool({ connection: { ...database.app, host: '/nowhere' }, clock, connections: 1 });
    const expected = { code: 'journal_unreachable', happened: 'no' };
    expect(await faultIn(nowhere.rows((sql) => sql`SELECT 1`))).to.deep.equal(expected);
    await nowhere.close();
    const port = createJournalPool({
      connection: { ...database.app, host: '127.0.0.1', port: 1 },
      clock,
      connections: 1,
    });
    expect(await faultIn(port.rows((sql) => sql`SELECT 1`))).to.deep.equal(expected);
    await port.close();
  });

  it('says that nothing happened when there is no such database', async () => {
    const connection = { ...database.app, database: 'nowhere' };
    const stranger = createJournalPool({ connection, clock, connections: 1 });
    expect((await faultIn(stranger.rows((sql) => sql`SELECT 1`))).happened).to.equal('no');
    await stranger.close();
  });

  it('does not know what happened when the connection is cut in the middle', async () => {
    const [own] = await pool.rows((sql) => sql`SELECT pg_backend_pid() AS pid`);
    const cut = faultIn(pool.rows((sql) => sql`SELECT pg_sleep(5)`));
    const other = createJournalPool({ connection: database.app, clock, connections: 1 });
    await other.rows((sql) => sql`SELECT pg_terminate_backend(${Number(own?.['pid'])}::int)`);
    await other.close();
    expect(await cut).to.deep.equal({ code: 'journal_unreachable', happened: 'unknown' });
    // A statement that caught the dying connection is unknown too; the next one finds a new connection.
    const ask = (): Promise<readonly unknown[]> => pool.rows((sql) => sql`SELECT 1 AS one`);
    expect(await ask().catch(() => ask())).to.have.length(1);
  });

  it('does not know what happened when no answer comes in time', async () => {
    const silent = faultIn(pool.rows((sql) => sql`SELECT pg_sleep(1)`));
    clock.fire();
    expect(await silent).to.deep.equal({ code: 'journal_unreachable', happened: 'unknown' });
  });

  it('gives its connections up for new ones after three calls without an answer', async () => {
    const [before] = await pool.rows((sql) => sql`SELECT pg_backend_pid() AS pid`);
    const silent = [1, 2, 3].map(() => faultIn(pool.rows((sql) => sql`SELECT pg_sleep(1.9)`)));
    clock.fire();
    await Promise.all(silent);
    const [after] = await pool.rows((sql) => sql`SELECT pg_backend_pid() AS pid`);
    expect(after?.['pid']).to.not.equal(before?.['pid']);
  });

  it('says that nothing happened when a lock was not given in time', async () => {
    await pool.rows((sql) => sql`SELECT pg_advisory_lock(1)`); // of the session, until it closes
    const second = createJournalPool({ connection: database.app, clock, connections: 1 });
    const fault = await faultIn(second.rows((sql) => sql`SELECT pg_advisory_lock(1)`));
    expect(fault).to.deep.equal({ code: 'journal_busy', happened: 'no' });
    await second.close();
  });

  it('takes a wrong statement for a bug, and quotes no row', async () => {
    const error = await pool.rows((sql) => sql`SELECT 'secret'::int`).catch((caught: unknown) => caught);
    expect(error).to.be.instanceOf(Bug);
    expect(String(error)).to.not.include('secret');
  });
});

describe('an error of the database', () => {
  const answer = (code: string, severity = 'ERROR'): unknown => ({
    name: 'PostgresError',
    code,
    severity,
    severity_local: severity,
    message: 'row (1, secret)',
  });

  it('that rolled back by a race is named so', () => {
    expect(faultOf(answer('40001'))).to.include({ code: 'journal_busy', happened: 'no' });
    expect(faultOf(answer('40P01'))).to.include({ code: 'journal_busy', happened: 'no' });
  });

  it('that ends the connection leaves the outcome unknown', () => {
    expect(faultOf(answer('57P01', 'FATAL'))).to.include({ code: 'journal_unreachable', happened: 'unknown' });
    expect(faultOf({ code: 'CONNECTION_CLOSED' })).to.include({ code: 'journal_unreachable', happened: 'unknown' });
    expect(faultOf(new Error('?'))).to.include({ code: 'journal_unreachable', happened: 'unknown' });
  });

  it('that is a full disk or a server shutting down means that nothing happened', () => {
    expect(faultOf(answer('53100'))).to.include({ code: 'journal_busy', happened: 'no' });
    expect(faultOf(answer('57P03', 'FATAL'))).to.include({ code: 'journal_unreachable', happened: 'no' });
  });

  it('that is our own mistake is a bug', () => {
    expect(faultOf(answer('42P01'))).to.be.instanceOf(Bug);
    expect(faultOf({ code: 'UNDEFINED_VALUE' })).to.be.instanceOf(Bug);
  });
});

describe("a database's URL", () => {
  it('is read with a name as host', () => {
    expect(connectionOfUrl('postgres://relais:p%40ss@db.example:5433/relais?sslmode=verify-full')).to.deep.equal({
      host: 'db.example',
      port: 5433,
      user: 'relais',
      password: 'p@ss',
      database: 'relais',
      ssl: 'verify-full',
    });
  });

  it('is read with the folder of a socket as host', () => {
    expect(connectionOfUrl('postgres://relais:x@%2Frun%2Fpg/relais')).to.deep.equal({
      host: '/run/pg',
      port: 5432,
      user: 'relais',
      password: 'x',
      database: 'relais',
    });
  });
});
