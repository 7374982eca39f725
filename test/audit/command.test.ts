import { createConnection, createServer } from 'node:net';
import { expect } from 'chai';
import postgres from 'postgres';
import { stringify } from 'yaml';
import { type PostgresAddress, postgresUrl } from '../../src/engines/postgres-server.ts';
import { runRelais } from '../cli/relais.ts';
import { type Files, openFiles } from '../config/settings-for-test.ts';
import { copyDatabase } from '../support/servers.ts';
import { type AuditedWorld, openAuditedWorld, planted, settingsFor } from './audited-world.ts';

/** A way to PostgreSQL that breaks off just after this has been asked. */
async function openRelay(address: PostgresAddress, asked: string): Promise<{ url: string; close(): void }> {
  const target = address.host.startsWith('/')
    ? { path: `${address.host}/.s.PGSQL.${address.port}` }
    : { host: address.host, port: address.port };
  const server = createServer((near) => {
    const far = createConnection(target);
    for (const end of [near, far]) end.on('error', () => undefined);
    near.on('data', (octets: Buffer) => {
      far.write(octets);
      if (!octets.includes(asked)) return;
      near.end();
      far.destroy();
    });
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = Number(Reflect.get(Object(server.address()), 'port'));
  return { url: postgresUrl({ ...address, host: '127.0.0.1', port }), close: () => server.close() };
}

const HEADER = 'purchase_id,key,kind,amount,currency,status,time';

describe('relais audit', function () {
  this.timeout(60_000);
  let world: AuditedWorld;
  let files: Files;
  let config: string;
  let ledger: Readonly<Record<string, string>>;

  before(async function () {
    this.timeout(120_000);
    world = await openAuditedWorld();
    files = openFiles();
    config = files.write('relais.yaml', stringify(settingsFor(world.journal)));
    ledger = { RELAIS_CENTRE_DATABASE_URL: postgresUrl(world.ledger.app) };
  });
  after(async () => {
    files.remove();
    await world.stop();
  });

  it('ends with 0 and one line where all agrees', async () => {
    const ended = await runRelais(['audit', '--config', config], ledger);
    expect(ended).to.deep.include({ code: 0, stderr: '' });
    expect(ended.stdout).to.match(
      /^All agrees: 5 purchases of \d+ days, \d+ movements of money\. Compared with the centre's ledger\. [\d.]+ s\.\n$/,
    );
  });

  it('ends with 1 and a line for each disagreement: which purchase, expected, found, what to do', async () => {
    const { completed } = world.bought;
    const copy = await copyDatabase(world.journal);
    await planted(copy, (sql) => sql`UPDATE purchases SET amount_minor = 600 WHERE id = ${completed}`);
    const ended = await runRelais(['audit', '--config', config], { ...ledger, DATABASE_URL: postgresUrl(copy.app) });
    await copy.drop();
    expect(ended.code).to.equal(1);
    expect(ended.stdout.split('\n')[0]).to.equal(
      `terms: ${world.referenceOf(completed)} ${completed}: expected 600 XOF; found 500 XOF at the wallet. ` +
        `Ask the wallet which is right, and settle the difference with the payer or the operator there. Look at it: relais purchases show ${completed}.`,
    );
    expect(ended.stdout).to.match(/\n2 disagreements: 5 purchases of .*\n$/);
  });

  it('audits one day, and says what it left out', async () => {
    const today = new Date().toISOString().slice(0, 10);
    const ended = await runRelais(['audit', '--config', config, '--from', today, '--to', today], ledger);
    expect(ended.code).to.equal(0);
    expect(ended.stdout).to.match(/^All agrees: 5 purchases of 1 days/);
    expect(ended.stderr).to.match(/^Without --from and --to also the ledger as a whole/);
  });

  it('prints JSON for machines', async () => {
    const ended = await runRelais(['audit', '--config', config, '--json']);
    expect(ended.code).to.equal(0);
    expect(JSON.parse(ended.stdout)).to.have.nested.include({
      'summary.purchases': 5,
      'summary.findings': 0,
      'summary.comparedWith': null,
    });
  });

  it('compares with a statement, by ids and by keys', async () => {
    const { completed, completedToo, reversed, settling } = world.bought;
    const key = world.keyOf(completedToo, 'authorize');
    const lines = [
      HEADER,
      `${completed},,authorize,500,XOF,done,2026-11-25T10:00:00Z`,
      `${completed},,settle,500,XOF,done,`,
      `,${key},authorize,500,XOF,done,`,
      `,${world.keyOf(completedToo, 'settle')},settle,500,XOF,done,`,
      `${reversed},,authorize,500,XOF,done,`,
      `${reversed},,reverse,500,XOF,done,`,
      `${settling},,authorize,500,XOF,done,`,
    ];
    const good = files.write('good.csv', lines.join('\n'));
    const short = files.write(
      'short.csv',
      [...lines.slice(0, -2), ',00000000-0000-5000-8000-000000000001,authorize,70,XOF,done,'].join('\n'),
    );
    const [agrees, differs] = await Promise.all([
      runRelais(['audit', '--config', config, '--statement', good]),
      runRelais(['audit', '--config', config, '--statement', short]),
    ]);
    expect([agrees.code, agrees.stdout.split('\n').length], agrees.stdout + agrees.stderr).to.deep.equal([0, 2]);
    expect(differs.code, differs.stdout + differs.stderr).to.equal(1);
    const found = differs.stdout.split('\n').slice(0, -2);
    expect(found.map((line) => line.split(': ').slice(0, 2).join(' '))).to.have.members([
      `money ${world.referenceOf(reversed)} ${reversed}`,
      `money ${world.referenceOf(settling)} ${settling}`,
      'unknown_money key 00000000-0000-5000-8000-000000000001',
    ]);
  });

  it('ends with 78 and every wrong line of a statement', async () => {
    const wrong = files.write(
      'wrong.csv',
      `${HEADER}\n,,authorize,5,XOF,done,\na,,pay,5,XOF,done,\na,,settle,5.5,XOF,done,\n`,
    );
    const ended = await runRelais(['audit', '--config', config, '--statement', wrong]);
    expect(ended.code).to.equal(78);
    expect(ended.stderr).to.equal(
      `${wrong} has 3 problems:\n  line 2: neither purchase_id nor key\n  line 3: kind is none of authorize, settle, reverse, refund\n  line 4: no amount of its currency\n`,
    );
  });

  it('ends with 69 when a database is not there, without its password', async () => {
    const away = 'postgres://relais:hunter2@127.0.0.1:1/relais';
    const ends = await Promise.all([
      runRelais(['audit', '--config', config], { DATABASE_URL: away }),
      runRelais(['audit', '--config', config], { RELAIS_CENTRE_DATABASE_URL: away }),
    ]);
    for (const { code, stderr } of ends) {
      expect(code, stderr).to.equal(69);
      expect(stderr)
        .to.match(/^A needed server is not there/)
        .and.not.include('hunter2');
    }
  });

  it('ends with 69 when the database goes away meanwhile', async () => {
    const relay = await openRelay(world.journal.app, 'WITH p AS');
    const owner = postgres({ ...world.journal.owner, max: 1 });
    try {
      // What the audit asks is not answered before the connection breaks.
      const { code, stdout, stderr } = await owner.begin(async (tx) => {
        await tx`LOCK TABLE purchases IN ACCESS EXCLUSIVE MODE`;
        return await runRelais(['audit', '--config', config], { DATABASE_URL: relay.url });
      });
      expect([code, stdout], stderr).to.deep.equal([69, '']);
      expect(stderr).to.match(/^A needed server is not there .*\n$/);
    } finally {
      relay.close();
      await owner.end();
    }
  });

  it('ends with 78 without a database, and with 2 for a day that is none', async () => {
    const { database: _database, ...rest } = settingsFor(world.journal);
    const without = files.write('without.yaml', stringify(rest));
    const [none, day] = await Promise.all([
      runRelais(['audit', '--config', without]),
      runRelais(['audit', '--config', config, '--from', '2026-02-30']),
    ]);
    expect([none.code, day.code]).to.deep.equal([78, 2]);
    expect(day.stderr).to.equal('2026-02-30 is no day; write it as 2026-11-25.\n');
  });
});
