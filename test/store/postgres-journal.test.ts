/**
 * What PostgreSQL itself must guard: history, rights, numbers at rest, indexes, the cost of a purchase.
 */
import { expect } from 'chai';
import postgres from 'postgres';
import type { Effect } from '../../src/purchase/effect.ts';
import type { CommitKind } from '../../src/store/commit-counter.ts';
import { beginStatement, commitStatement } from '../../src/store/commit-statement.ts';
import { takeDueStatement, takeForMachinesStatement } from '../../src/store/effect-lease.ts';
import type { Sql, Statement } from '../../src/store/journal-pool.ts';
import { movePastStatement } from '../../src/store/partitions.ts';
import * as reads from '../../src/store/read-statement.ts';
import { createStore } from '../../src/store/store.ts';
import { systemClock } from '../../src/time.ts';
import {
  aPurchase,
  aRegistry,
  aRegistryMachine,
  authorizedOf,
  beginOf,
  commitOf,
  effectRow,
  keyOf,
  moved,
  succeededOf,
  testSecrets,
} from '../support/store-builders.ts';
import { type Harness, handClock, type PostgresHarnessMaker, postgresHarness } from './harness.ts';
import { begun, completed, found } from './store.contract.ts';

const PHONE = '221775550001';

async function refusalOf(act: PromiseLike<unknown>): Promise<string> {
  return Promise.resolve(act).then(
    () => 'done',
    (error: unknown) => (error instanceof postgres.PostgresError ? error.code : String(error)),
  );
}

describe('the journal at rest', () => {
  let maker: PostgresHarnessMaker;
  let the: Harness;
  let app: Sql;

  before(async () => {
    maker = await postgresHarness();
    app = postgres({ ...maker.database.app, max: 1, types: { bigint: postgres.BigInt }, onnotice: () => undefined });
  });
  beforeEach(async () => {
    the = await maker.fresh();
  });
  after(async () => {
    await app.end();
    await maker.close();
  });

  it('refuses to change or delete an event, to its owner too', async () => {
    const { id } = await begun(the);
    expect(await refusalOf(maker.owner`UPDATE purchase_events SET event = 'x' WHERE purchase_id = ${id}`)).to.equal(
      '23001',
    );
    expect(await refusalOf(maker.owner`DELETE FROM purchase_events WHERE purchase_id = ${id}`)).to.equal('23001');
  });

  it('refuses to change, delete or empty the audit log', async () => {
    await maker.owner`INSERT INTO audit_log (actor, action, subject, hash) VALUES ('awa', 'refund', 'x', '\\x00')`;
    expect(await refusalOf(maker.owner`UPDATE audit_log SET actor = 'x'`)).to.equal('23001');
    expect(await refusalOf(maker.owner`DELETE FROM audit_log`)).to.equal('23001');
    expect(await refusalOf(maker.owner`TRUNCATE audit_log`)).to.equal('23001');
  });

  it('gives the application no right to rewrite history or the schema', async () => {
    // One role only, where RELAIS_TEST_DATABASE_URL names it: nothing to separate.
    if (maker.database.app.user === maker.database.owner.user) return;
    const { id } = await begun(the);
    const [row] =
      await maker.owner`SELECT tableoid::regclass::text AS part FROM purchase_events WHERE purchase_id = ${id}`;
    expect(row?.['part']).to.match(/^purchase_events_\d{8}$/);
    for (const table of ['purchase_events', String(row?.['part']), 'audit_log', 'purchases_past']) {
      expect(await refusalOf(app`DELETE FROM ${app(table)}`), table).to.equal('42501');
    }
    expect(await refusalOf(app`UPDATE purchase_events SET event = 'x'`)).to.equal('42501');
    expect(await refusalOf(app`TRUNCATE purchases`)).to.equal('42501');
    expect(await refusalOf(app`CREATE TABLE mine (id int)`)).to.equal('42501');
    expect(await refusalOf(app`ALTER TABLE purchases DROP COLUMN facts`)).to.equal('42501');
    expect(await refusalOf(app`INSERT INTO relais_migrations (name, run_on) VALUES ('x', now())`)).to.equal('42501');
  });

  it('lets the application make the partitions of days to come', async () => {
    await app`SELECT make_journal_partitions('2031-01-01', 2)`;
    const [row] = await maker.owner`SELECT to_regclass('purchases_past_20310102') IS NOT NULL AS is_made`;
    expect(row?.['is_made']).to.equal(true);
    expect((await app`SELECT make_journal_partitions('2031-01-01', 2) AS made`)[0]?.['made']).to.equal(0);
  });

  it('holds a phone number nowhere in clear', async () => {
    const { payerId } = await the.one.subscribers.meet(PHONE);
    await completed(the, { payerId });
    expect(await the.two.subscribers.msisdnOf(payerId)).to.equal(PHONE);
    const hex = Buffer.from(PHONE).toString('hex');
    const tables = await maker.owner<{ name: string }[]>`
      SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`;
    expect(tables.length).to.be.above(12);
    for (const { name } of tables) {
      const rows = await maker.owner`SELECT 1 FROM ${maker.owner(name)} t
        WHERE strpos(t::text, ${PHONE}) > 0 OR strpos(t::text, ${hex}) > 0`;
      expect(rows, name).to.have.length(0);
    }
  });

  describe('a limit on what is taken', () => {
    const settle = (n: number): Effect => ({ kind: 'settle', n });
    const takers: readonly (readonly [string, readonly Effect[], (sql: Sql) => Statement])[] = [
      ['what is due', [settle(1), settle(2), settle(3)], (sql) => takeDueStatement(sql, 'one:1', 1, 15_000)],
      [
        'what machines need',
        [{ kind: 'approve' }, { kind: 'query_order' }],
        (sql) => takeForMachinesStatement(sql, 'one:1', ['M-4567'], 1, 15_000),
      ],
    ];
    for (const [what, effects, take] of takers) {
      it(`holds for ${what}, also where PostgreSQL thinks the table too small to care`, async () => {
        // Analyzed with one row in it, the table is joined row by row. A limited subquery would be run again for each
        // row, and find others than those it has just locked.
        const only = aPurchase({ orderSeq: 99 });
        const [later] = effects;
        if (later === undefined) throw new Error('an effect to be planned');
        await the.one.purchases.begin(beginOf(only, { effects: [effectRow(only.id, later, { dueInMs: 60_000 })] }));
        await maker.owner`VACUUM ANALYZE effects`;
        const purchase = aPurchase();
        const rows = effects.map((effect, index) => effectRow(purchase.id, effect, { dueInMs: index }));
        await the.one.purchases.begin(beginOf(purchase, { effects: rows }));
        await the.pass(1_000);
        expect((await take(app)).length).to.equal(1);
      });
    }
  });

  it('commits nothing of a statement whose last part fails', async () => {
    const purchase = await begun(the);
    const wrong = { ...effectRow(purchase.id, { kind: 'settle', n: 1 }), key: 'no uuid' };
    const tooLong = authorizedOf(purchase, { planned: [wrong], opened: ['parked'] });
    expect(await refusalOf(the.one.purchases.commit(tooLong))).to.match(/^Bug: /);
    expect((await found(the.one.purchases.load(purchase.id))).purchase.version).to.equal(1);
    expect(await the.one.reader.timeline(purchase.id)).to.have.length(1);
    expect(await the.openCases(purchase.id)).to.deep.equal([]);
  });

  it('waits three times for the disk in a straight purchase', async () => {
    const counted: CommitKind[] = [];
    const node = createStore({
      connection: maker.database.app,
      node: 'three:1',
      clock: systemClock,
      secrets: testSecrets,
      onCommit: (kind) => counted.push(kind),
    });
    const { payerId } = await node.subscribers.meet('221775550002');
    const first = aPurchase({ payerId });
    await node.purchases.begin(beginOf(first));
    const approve = effectRow(first.id, { kind: 'approve' }, { isOwn: true });
    await node.purchases.commit(authorizedOf(first, { planned: [approve] }));
    const second = moved(first, 'approving');
    await node.purchases.commit(succeededOf(second));
    const third = moved(second, 'settling');
    const settle = keyOf(first.id, { kind: 'settle', n: 1 });
    await node.purchases.commit(commitOf(third, 'completed', { type: 'settled' }, { dropped: [settle], isLazy: true }));
    await node.purchases.finish(first.id, keyOf(first.id, { kind: 'notify', template: 'receipt' }));
    await node.close();
    expect(counted).to.deep.equal(['lazy', 'flushed', 'flushed', 'flushed', 'lazy', 'lazy']);
  });

  it('does not count what changed nothing', async () => {
    const counted: CommitKind[] = [];
    const { app: connection } = maker.database;
    const onCommit = (kind: CommitKind): number => counted.push(kind);
    const node = createStore({ connection, node: 'three:1', clock: systemClock, secrets: testSecrets, onCommit });
    await node.purchases.takeDue(10, 15_000);
    await node.purchases.commit(authorizedOf(aPurchase()));
    await node.purchases.load(aPurchase().id);
    await node.close();
    expect(counted).to.deep.equal([]);
  });

  it('is kept by a server that may be trusted', async () => {
    await the.one.checkServer();
  });

  it('is ready only while the partitions of tomorrow are there', async () => {
    await the.one.ping();
    const [row] = await maker.owner`SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 day', 'YYYYMMDD') AS day`;
    await maker.owner`ALTER TABLE ${maker.owner(`purchases_past_${row?.['day']}`)} RENAME TO aside`;
    expect(await refusalOf(the.one.ping())).to.equal('Fault: partition_missing');
    await maker.owner`ALTER TABLE aside RENAME TO ${maker.owner(`purchases_past_${row?.['day']}`)}`;
    await the.one.ping();
  });

  it('notes the day on which a payer was last seen', async () => {
    const { payerId } = await the.one.subscribers.meet('221775550003');
    await maker.owner`UPDATE subscribers SET last_seen_on = current_date - 3 WHERE id = ${payerId}`;
    await the.two.subscribers.meet('221775550003');
    const [row] =
      await maker.owner`SELECT last_seen_on = current_date AS is_today FROM subscribers WHERE id = ${payerId}`;
    expect(row?.['is_today']).to.equal(true);
  });

  it('keeps a copy of a machine for a minute, and of an unknown number for ten seconds', async () => {
    const clock = handClock();
    const { app: connection } = maker.database;
    const node = createStore({ connection, node: 'three:1', clock, secrets: testSecrets });
    const nameOf = async (number: string): Promise<string | undefined> =>
      (await node.directory.machineByNumber(number))?.name;
    expect(await nameOf('4567')).to.equal('Distributeur 4567');
    expect(await nameOf('9999')).to.equal(undefined);
    await the.one.applyRegistry(
      aRegistry([aRegistryMachine('M-4567', '4567', { name: 'A' }), aRegistryMachine('M-9999', '9999', { name: 'B' })]),
    );
    clock.pass(9_999);
    expect(await nameOf('9999')).to.equal(undefined);
    clock.pass(1);
    expect(await nameOf('9999')).to.equal('B');
    expect(await nameOf('4567')).to.equal('Distributeur 4567');
    clock.pass(50_000);
    expect(await nameOf('4567')).to.equal('A');
    await node.close();
  });

  it('names the row that a registry has wrong', async () => {
    const registry = aRegistry();
    const operators = registry.operators.map((operator) => ({ ...operator, timeZone: 'Mars/Olympus' }));
    expect(await refusalOf(the.one.applyRegistry({ ...registry, operators }))).to.match(/^Fault: Operator 1 cannot/);
    const machines = registry.machines.map((machine) => ({ ...machine, operatorId: 77 }));
    expect(await refusalOf(the.one.applyRegistry({ ...registry, machines }))).to.match(/^Fault: Machine M-4567 cannot/);
  });
});

describe('statements on the path', () => {
  let maker: PostgresHarnessMaker;
  let app: Sql;

  before(async () => {
    maker = await postgresHarness();
    await maker.fresh();
    app = postgres({ ...maker.database.app, max: 1, types: { bigint: postgres.BigInt }, onnotice: () => undefined });
    await maker.owner`INSERT INTO purchases (id, reference, operator_id, machine_id, order_seq, payer_id, channel, plan, provider,
        amount_minor, currency, order_snapshot, wallet, version, state, facts, deadline_at, ended_at)
      SELECT gen_random_uuid(), n::text, 1, 'M-' || n % 1000, n, n, 'ussd', 'hold_capture', 'centre', 500, 'XOF', '{}', '{}', 1,
        CASE WHEN n % 20 = 0 THEN 'vending' ELSE 'completed' END, '{}',
        CASE WHEN n % 20 = 0 THEN now() + n * interval '1 second' END, CASE WHEN n % 20 > 0 THEN now() END
      FROM generate_series(1, 10000) n`;
    await maker.owner`INSERT INTO effects (purchase_id, key, kind, machine_id, payload, due_at)
      SELECT gen_random_uuid(), gen_random_uuid(), CASE WHEN n % 2 = 0 THEN 'approve' ELSE 'settle' END,
        CASE WHEN n % 2 = 0 THEN 'M-' || n END, '{}', now() + n * interval '1 second' FROM generate_series(1, 10000) n`;
    await maker.owner`ANALYZE purchases, effects`;
  });
  after(async () => {
    await app.end();
    await maker.close();
  });

  const purchase = aPurchase();
  const writer = { node: 'one:1', leaseMs: 15_000 };
  const expected: readonly (readonly [string, (sql: Sql) => Statement, readonly string[]])[] = [
    ['commit 1', (sql) => beginStatement(sql, beginOf(purchase), writer), ['machines_pkey']],
    ['the one commit', (sql) => commitStatement(sql, succeededOf(purchase), writer), ['purchases_pkey']],
    ['load', (sql) => reads.loadStatement(sql, purchase.id), ['purchases_pkey']],
    [
      'the holder of an order',
      (sql) => reads.holderStatement(sql, 'M-1', 1),
      ['purchases_one_per_order', 'purchases_of_machine'],
    ],
    ['live purchases of a machine', (sql) => reads.liveOfMachineStatement(sql, 'M-1'), ['purchases_of_machine']],
    ['the floor', (sql) => reads.seqFloorStatement(sql, 'M-1'), ['purchases_of_machine']],
    ['passed deadlines', (sql) => reads.pastDeadlineStatement(sql, 50), ['purchases_due']],
    ['recent ones of a payer', (sql) => reads.recentStatement(sql, 7n, 60_000, 3), ['purchases_of_payer']],
    ['taking what is due', (sql) => takeDueStatement(sql, 'one:1', 100, 15_000), ['effects_due']],
    [
      'taking for machines',
      (sql) => takeForMachinesStatement(sql, 'one:1', ['M-2'], 10, 15_000),
      ['effects_of_machine'],
    ],
    ['the move to the past', (sql) => movePastStatement(sql, 1_000, 3_600_000), ['purchases_ended']],
  ];
  for (const [name, build, indexes] of expected) {
    it(`use the index: ${name}`, async () => {
      const rows = await app`EXPLAIN ${build(app)}`;
      const plan = rows.map((row) => String(row['QUERY PLAN'])).join('\n');
      expect(
        indexes.some((index) => plan.includes(`using ${index}`) || plan.includes(`on ${index}`)),
        plan,
      ).to.equal(true);
      expect(plan).to.not.match(/Seq Scan on (?:purchases|effects)\b/);
    });
  }
});
