import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import postgres from 'postgres';
import { postgresUrl } from '../../src/engines/postgres-server.ts';
import { migrate } from '../../src/store/migrate.ts';
import { checkoutFolder, freshDatabase, redisForTest, type TestDatabase } from '../support/servers.ts';

type Ended = { readonly code: number | null; readonly output: string };

/** Runs the demo as a person would, with these servers named in the environment. */
function demo(parameters: readonly string[], environment: Readonly<Record<string, string>>): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const program = join(checkoutFolder(), 'dist', 'src', 'main.js');
    const child = spawn(process.execPath, [program, 'demo', ...parameters], {
      env: { ...process.env, ...environment },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString('utf8');
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

describe('the demo on servers that are named in the environment', () => {
  let journal: TestDatabase;
  let ledger: TestDatabase;
  let urls: Readonly<Record<string, string>>;

  before(async function () {
    this.timeout(60_000);
    journal = await freshDatabase('given');
    ledger = await freshDatabase('given_ledger');
    // The ledger's own check: nobody but its owner may write it, and the databases of these tests are open to the product.
    const owner = postgres({ ...ledger.owner, max: 1 });
    await owner.unsafe(`alter default privileges revoke all on tables from ${ledger.app.user}`);
    await owner.end();
    const redis = await redisForTest();
    urls = {
      DATABASE_URL: postgresUrl(journal.owner),
      RELAIS_CENTRE_DATABASE_URL: postgresUrl(ledger.owner),
      REDIS_URL: 'path' in redis ? `unix://${redis.path}` : `redis://${redis.host}:${redis.port}/${redis.db}`,
    };
  });
  after(async () => {
    await journal.drop();
    await ledger.drop();
  });

  it('uses them, and starts none of its own', async function () {
    this.timeout(120_000);
    const ended = await demo(['--card', '1'], urls);
    expect(ended.output).to.contain(' 1  Buy by USSD ').and.to.contain('balanced');
    expect(ended.output).to.not.match(/PostgreSQL.*ready in/);
    expect(ended.code, ended.output).to.equal(0);
  });

  it('asks for the other database where only one is named', async function () {
    this.timeout(60_000);
    const { DATABASE_URL, REDIS_URL } = urls;
    const ended = await demo(['--card', '1'], { DATABASE_URL: DATABASE_URL ?? '', REDIS_URL: REDIS_URL ?? '' });
    expect(ended).to.deep.include({ code: 78 });
    expect(ended.output).to.contain('Set RELAIS_CENTRE_DATABASE_URL too');
  });

  it('refuses a journal with purchases that no demo made', async function () {
    this.timeout(60_000);
    const other = await freshDatabase('others');
    await migrate(other.owner);
    const sql = postgres({ ...other.owner, max: 1 });
    try {
      await sql`insert into operators (id, name, account, time_zone, currency, language) values (7, 'Real Vending', 'real', 'UTC', 'XOF', 'fr')`;
      await sql`insert into purchases (id, reference, operator_id, machine_id, order_seq, payer_id, channel, plan, provider, amount_minor, currency, order_snapshot, facts, wallet, version, state, deadline_at)
        values ('01930000-0000-7000-8000-000000000001', 'ABC234', 7, 'm-1', 1, 1, 'ussd', 'debit_refund', 'centre', 500, 'XOF', '{}', '{}', '{}', 1, 'authorizing', now() + interval '1 hour')`;
      const ended = await demo(['--card', '1'], { ...urls, DATABASE_URL: postgresUrl(other.owner) });
      expect(ended.output).to.contain('DATABASE_URL holds purchases that no demo made');
      expect(ended.code).to.equal(78);
    } finally {
      await sql.end();
      await other.drop();
    }
  });
});
