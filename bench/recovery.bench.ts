/**
 * How soon a node that starts goes on with what a dead one left: ten thousand open purchases over all states, their
 * leases lapsed, beside none and beside many finished ones (RELAIS_BENCH_FINISHED, half of them still at hand, half in
 * the past). On a real PostgreSQL; the wallet answers at once and machines soon, so that the journal's own pace is what is seen.
 */
import { expect } from 'chai';
import postgres from 'postgres';
import { v7 } from 'uuid';
import { keyOf } from '../src/composition/names.ts';
import { createCoordinator } from '../src/purchase/coordinator.ts';
import { type Effect, keyPartsOf } from '../src/purchase/effect.ts';
import type { MachinePort } from '../src/purchase/machine-port.ts';
import type { Outcome, PaymentPort } from '../src/purchase/payment-port.ts';
import type { LiveState } from '../src/purchase/purchase.ts';
import { defaultRules } from '../src/purchase/rules.ts';
import { takeDueStatement, takeForMachinesStatement } from '../src/store/effect-lease.ts';
import { migrate } from '../src/store/migrate.ts';
import { movePastStatement } from '../src/store/partitions.ts';
import { liveOfMachineStatement, loadStatement, pastDeadlineStatement } from '../src/store/read-statement.ts';
import { payloadOf, plainJson } from '../src/store/record.ts';
import { createStore, type Store } from '../src/store/store.ts';
import { pause, systemClock } from '../src/time.ts';
import { createCarryOut } from '../src/worker/carry-out.ts';
import { createDeadlineWorker } from '../src/worker/deadline-worker.ts';
import { createEffectWorker } from '../src/worker/effect-worker.ts';
import { createFakeClock } from '../test/support/fake-clock.ts';
import { fakeCapabilities } from '../test/support/fake-wallet.ts';
import { createMemoryRedis } from '../test/support/memory-order-board.ts';
import { aLive } from '../test/support/purchase-builders.ts';
import { freshDatabase, type TestDatabase } from '../test/support/servers.ts';
import { testSecrets } from '../test/support/store-builders.ts';

const FINISHED = Number(process.env['RELAIS_BENCH_FINISHED'] ?? 100_000);
const OPEN = 10_000;
/** Ten orders a machine have been in play; finished ones are spread over five times as many. */
const MACHINES = 1000;
const LEASE_MS = 15_000;
const MOST_MS = 120_000;

type Owner = postgres.Sql<{ bigint: bigint }>;

function print(line: string): void {
  process.stdout.write(`    ${line}\n`);
}

const states: readonly (readonly [LiveState, Effect | null])[] = [
  ['authorizing', { kind: 'authorize', expiresInMs: 47_000, holdMs: null, isResend: false }],
  ['validating', { kind: 'query_payment' }],
  ['approving', { kind: 'approve' }],
  // Nothing is asked of anybody; its deadline has passed.
  ['vending', null],
  ['in_doubt', { kind: 'query_order' }],
  ['settling', { kind: 'settle', n: 1 }],
  ['reversing', { kind: 'reverse', n: 1, reason: 'failed_jam' }],
];

/** Open purchases over all states, each with the effect that a dead node had leased; answers how many can be taken. */
async function fillOpen(sql: Owner): Promise<number> {
  const purchases: unknown[] = [];
  const effects: unknown[] = [];
  for (let index = 0; index < OPEN; index += 1) {
    const [state, effect] = states[index % states.length] ?? ['vending', null];
    const id = v7();
    const machine_id = `M-${index % MACHINES}`;
    const { facts } = aLive(state);
    const order_seq = 1_000_000 + index;
    purchases.push({ id, machine_id, order_seq, state, facts: plainJson(facts), left: state === 'vending' ? -1 : 250 });
    if (effect === null) continue;
    const { operation, n } = keyPartsOf(effect);
    const isAtMachine = effect.kind === 'approve' || effect.kind === 'query_order';
    const row = { purchase_id: id, key: keyOf(id, operation, n), kind: effect.kind, payload: payloadOf(effect) };
    effects.push({ ...row, machine_id: isAtMachine ? machine_id : null, may_sent: effect.kind === 'approve' });
  }
  const wallet = { resendsByKey: true, reversesByKey: true, maxPendingMs: 120_000 };
  const snapshot = {
    machineNumber: '1',
    operatorAccount: 'o',
    orderId: 'o',
    item: 3,
    productName: 'x',
    deliveryMs: 30_000,
  };
  await sql`INSERT INTO purchases (id, reference, operator_id, machine_id, order_seq, payer_id, channel, plan, provider,
    amount_minor, currency, order_snapshot, wallet, version, state, facts, deadline_at)
    SELECT r.id, 'K7M2QX', 1, r.machine_id, r.order_seq, 7, 'sms', 'hold_capture', 'centre', 500, 'XOF',
      ${sql.json(snapshot)}::jsonb, ${sql.json(wallet)}::jsonb, 4, r.state, r.facts, now() + r.left * interval '1 second'
    FROM jsonb_to_recordset(${sql.json(purchases as postgres.JSONValue)}::jsonb)
      AS r (id uuid, machine_id text, order_seq bigint, state text, facts jsonb, "left" int)`;
  await sql`INSERT INTO effects (purchase_id, key, kind, machine_id, payload, due_at, lease_owner, tries, may_sent)
    SELECT r.purchase_id, r.key, r.kind, r.machine_id, r.payload, now(), 'dead:1', 1, r.may_sent
    FROM jsonb_to_recordset(${sql.json(effects as postgres.JSONValue)}::jsonb)
      AS r (purchase_id uuid, key uuid, kind text, machine_id text, payload jsonb, may_sent boolean)`;
  return effects.length;
}

/** Finished ones: half ended within the last minutes, half moved to the past, over a week. */
async function fillFinished(sql: Owner, count: number): Promise<void> {
  await sql`SELECT make_journal_partitions((now() - interval '8 days')::date, 10)`;
  const hot = Math.floor(count / 2);
  const fill = (table: string, rows: number, fromSeq: number, ageS: string): Promise<unknown> =>
    sql.unsafe(`INSERT INTO ${table} (id, reference, operator_id, machine_id, order_seq, payer_id, channel, plan, provider,
      amount_minor, currency, order_snapshot, wallet, version, state, facts, confirmed_at, ended_at)
    SELECT (lpad(to_hex((extract(epoch FROM t.at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text || '${table}'), 1, 3)
        || '8' || substr(md5(n::text), 1, 15))::uuid,
      substr(upper(md5(n::text)), 1, 6), 1, 'M-' || n % ${5 * MACHINES}, ${fromSeq} + n, n % 100000, 'ussd', 'hold_capture',
      'centre', 500, 'XOF', '{"machineNumber":"1","operatorAccount":"o","orderId":"o","item":3,"productName":"x","deliveryMs":30000}',
      '{"resendsByKey":true,"reversesByKey":true,"maxPendingMs":120000}', 5, 'completed', '{"walletRef":"W"}', t.at, t.at
    FROM generate_series(1, ${rows}) n, LATERAL (SELECT now() - (n % ${ageS}) * interval '1 second' AS at) t`);
  await fill('purchases', hot, 2_000_000, '3600');
  await fill('purchases_past', count - hot, 10_000_000, '604800');
}

const done: Outcome = { kind: 'done', ref: 'W-1', holdExpiresInMs: null };
const answer = async (): Promise<Outcome> => done;
const wallet: PaymentPort = {
  name: 'centre',
  capabilities: fakeCapabilities,
  check: async () => ({ account: 'unknown', affordable: 'unknown', validation: 'unknown' }),
  authorize: answer,
  validate: answer,
  settle: answer,
  reverse: answer,
  query: answer,
};
const held = Array.from({ length: MACHINES }, (_, n) => `M-${n}`);
const machines: MachinePort = {
  holds: () => true,
  heldMachines: () => held,
  approve: async () => {
    await pause(systemClock, 50 + Math.random() * 500);
    return { kind: 'accepted' };
  },
  queryOrder: async () => true,
  deny: async () => undefined,
};

/** A node's workers over a store, and what they have taken. `taken`: effects that the dead node had leased. */
function startWorkers(store: Store) {
  const clock = systemClock;
  const troubles: string[] = [];
  const taken = new Set<string>();
  const onTrouble = (what: string, _id: unknown, error: unknown): void => {
    troubles.push(`${what}: ${String(error)}`);
  };
  const ports = { store: store.purchases, clock, rules: defaultRules, keyOf, leaseMs: LEASE_MS, onTrouble };
  const coordinator = createCoordinator({
    ...ports,
    board: createMemoryRedis(createFakeClock()).board('n').orders,
    machines,
    run: (own) => effects.run(own),
    nudge: () => undefined,
    onChange: () => undefined,
  });
  const carryOut = createCarryOut({
    ...ports,
    coordinator,
    walletOf: () => wallet,
    machines,
    notices: { send: async () => ({ kind: 'sent' }) },
    subscribers: { ...store.subscribers, msisdnOf: async () => '221771234501' },
    budgets: { authorizeMs: 12_000, otherMs: 10_000 },
    languageOf: async () => null,
  });
  const polling = { ...ports, coordinator, machines, random: Math.random };
  const effects = createEffectWorker({
    ...polling,
    pollMs: 2000,
    carryOut: async (loaded, effect) => {
      if (effect.tries > 1) taken.add(effect.key);
      await carryOut(loaded, effect);
    },
  });
  const deadlines = createDeadlineWorker({ ...polling, pollMs: 1000 });
  effects.start();
  deadlines.start();
  return { troubles, taken, stop: () => Promise.all([effects.stop(10_000), deadlines.stop()]) };
}

async function untilTaken(taken: ReadonlySet<string>, count: number, startMs: number): Promise<string> {
  while (taken.size < count) {
    if (performance.now() - startMs > MOST_MS) throw new Error(`only ${taken.size} of ${count} were taken`);
    await pause(systemClock, 2);
  }
  return `${(performance.now() - startMs).toFixed(0)} ms`;
}

async function countOf(sql: Owner, what: postgres.PendingQuery<postgres.Row[]>): Promise<number> {
  const [row] = await sql`SELECT count(*)::int AS n FROM ${what}`;
  return Number(row?.['n'] ?? 0);
}

/** Prints the plan's indexes, and expects the one by which rows are found: what is then joined may be read whole. */
async function seePlan(
  sql: Owner,
  name: string,
  statement: postgres.PendingQuery<postgres.Row[]>,
  index: string,
): Promise<void> {
  const rows = await sql`EXPLAIN (COSTS OFF) ${statement}`;
  const indexes = new Set(
    rows.flatMap((row) => /Index (?:Only )?Scan (?:using|on) (\w+)/.exec(String(row['QUERY PLAN']))?.[1] ?? []),
  );
  print(`plan of ${name}: ${[...indexes].join(', ')}`);
  expect([...indexes], name).to.include(index);
}

describe('a node that starts', () => {
  for (const finished of [0, FINISHED]) {
    it(`beside ${finished} finished purchases`, async function () {
      this.timeout(1_800_000);
      const database: TestDatabase = await freshDatabase('recovery');
      await migrate(database.owner);
      const sql = postgres({
        ...database.owner,
        max: 2,
        onnotice: () => undefined,
        types: { bigint: postgres.BigInt },
      });
      const how = { connection: database.app, node: 'new:1', clock: systemClock, secrets: testSecrets };
      try {
        await sql`INSERT INTO operators (id, name, account, time_zone, currency, language) VALUES (1, 'o', 'o', 'UTC', 'XOF', 'fr')
          ON CONFLICT DO NOTHING`;
        await fillFinished(sql, finished);
        const first = createStore(how);
        await first.makePartitions();
        await first.close();
        await sql`VACUUM ANALYZE`;
        // Nothing open: what it costs to look.
        const idle = createStore(how);
        const idleMs = performance.now();
        await idle.checkServer();
        await idle.makePartitions();
        await idle.purchases.takeDue(100, LEASE_MS);
        await idle.purchases.pastDeadline(50);
        print(`nothing open: ready, and looked, after ${(performance.now() - idleMs).toFixed(0)} ms`);
        await idle.close();

        const count = await fillOpen(sql);
        await sql`ANALYZE effects`;
        await seePlan(sql, 'taking what is due', takeDueStatement(sql, 'n', 100, LEASE_MS), 'effects_due');
        const twenty = takeForMachinesStatement(sql, 'n', held.slice(0, 20), 100, LEASE_MS);
        await seePlan(sql, 'taking for machines', twenty, 'effects_of_machine');
        await seePlan(sql, 'passed deadlines', pastDeadlineStatement(sql, 50), 'purchases_due');
        await seePlan(sql, 'reading one', loadStatement(sql, v7()), 'purchases_pkey');
        await seePlan(sql, 'hello', liveOfMachineStatement(sql, 'M-1'), 'purchases_of_machine');
        await seePlan(sql, 'moving', movePastStatement(sql, 1000, 1_800_000), 'purchases_ended');
        const startMs = performance.now();
        const store = createStore(how);
        await store.checkServer();
        await store.makePartitions();
        print(`${OPEN} open, ${count} effects due: ready after ${(performance.now() - startMs).toFixed(0)} ms`);
        const workers = startWorkers(store);
        const firstMs = await untilTaken(workers.taken, 1, startMs);
        const allMs = await untilTaken(workers.taken, count, startMs);
        const passed = async (): Promise<number> => countOf(sql, sql`purchases WHERE deadline_at <= now()`);
        while ((await passed()) > 0 && performance.now() - startMs < MOST_MS) await pause(systemClock, 20);
        const deadlineMs = `${(performance.now() - startMs).toFixed(0)} ms`;
        print(
          `first effect taken after ${firstMs}, all after ${allMs}, every passed deadline decided after ${deadlineMs}`,
        );
        const open = await countOf(
          sql,
          sql`purchases WHERE state IN ('authorizing', 'validating', 'settling', 'reversing')`,
        );
        print(`${open} of those that wait for the wallet alone are left when all was taken`);
        await workers.stop();
        print(
          `troubles on the way: ${workers.troubles.length === 0 ? 'none' : [...new Set(workers.troubles)].join(', ')}`,
        );
        const moveMs = performance.now();
        const moved = await store.movePast(1000);
        print(`moved ${moved} to the past in ${(performance.now() - moveMs).toFixed(0)} ms`);
        await store.close();
      } finally {
        await sql.end();
        await database.drop();
      }
    });
  }
});
