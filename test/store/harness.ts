/**
 * A journal as the contract suite drives it: two nodes on one set of tables, a clock that can be put forward, and a
 * look behind the ports.
 */
import postgres from 'postgres';
import { migrate } from '../../src/store/migrate.ts';
import { createStore, type Store } from '../../src/store/store.ts';
import { type Clock, type DurationMs, systemClock } from '../../src/time.ts';
import { createMemoryWorld } from '../support/memory-store.ts';
import { freshDatabase, type TestDatabase } from '../support/servers.ts';
import { aRegistry, testSecrets } from '../support/store-builders.ts';

/** Sales figures of a machine, all days together. */
export type Figures = { sold: number; soldMinor: bigint; reversed: number; reversedMinor: bigint; declined: number };

/** One journal under test. */
export interface Harness {
  /** Two nodes, named `one:1` and `two:1`. */
  readonly one: Store;
  readonly two: Store;
  /** Lets so much time pass for every deadline, lease and age. */
  pass(ms: DurationMs): Promise<void>;
  /** Kinds of a purchase's open cases, sorted. */
  openCases(id: string): Promise<readonly string[]>;
  figures(machineId: string): Promise<Figures | null>;
  /** Kinds of the statements kept for an order, sorted. */
  statements(machineId: string, orderSeq: number): Promise<readonly string[]>;
  refundStates(id: string): Promise<readonly string[]>;
}

/** Makes harnesses: one for each test, all on one server. */
export interface HarnessMaker {
  /** Empty tables, the registry of `aRegistry` applied. */
  fresh(): Promise<Harness>;
  close(): Promise<void>;
}

/** A clock that stands still until told. */
export function handClock(): Clock & { pass(ms: DurationMs): void } {
  let at = 1_000;
  return {
    now: () => at,
    wall: () => Date.UTC(2026, 10, 24) + at,
    after: () => () => undefined,
    pass: (ms) => {
      at += ms;
    },
  };
}

/** Harnesses over the memory store. */
export async function memoryHarness(): Promise<HarnessMaker> {
  return {
    async fresh() {
      const clock = handClock();
      const world = createMemoryWorld({ clock });
      const { tables } = world;
      const one = world.store('one:1');
      await one.applyRegistry(aRegistry());
      const cases = (id: string): string[] =>
        [...tables.cases.values()].filter((c) => c.purchaseId === id && c.isOpen).map((c) => c.kind);
      return {
        one,
        two: world.store('two:1'),
        pass: async (ms) => clock.pass(ms),
        openCases: async (id) => cases(id).sort(),
        figures: async (machineId) => tables.figures.get(machineId) ?? null,
        statements: async (machineId, orderSeq) =>
          [...tables.statements.values()]
            .filter((s) => s.machineId === machineId && s.orderSeq === orderSeq)
            .map((s) => s.kind)
            .sort(),
        refundStates: async (id) =>
          [...tables.refunds.values()]
            .filter((r) => r.purchaseId === id)
            .sort((one, other) => one.n - other.n)
            .map((r) => `${r.n}:${r.state}`),
      };
    },
    close: async () => undefined,
  };
}

// Events stay: no two tests share a purchase, and nobody may delete them. Payers stay: the nodes remember them.
const TABLES = [
  ...['purchases', 'purchases_past', 'effects', 'machine_statements', 'cases', 'machine_days', 'refunds'],
  ...['machine_items', 'machines', 'products', 'operators'],
];

/** Harnesses over PostgreSQL, with the roles' own connections. */
export type PostgresHarnessMaker = HarnessMaker & {
  readonly owner: postgres.Sql<{ bigint: bigint }>;
  readonly database: TestDatabase;
};

/** This process's clock, with deadlines ten times as long: a crowded test machine is no server that hangs. */
const patientClock: Clock = { ...systemClock, after: (ms, run) => systemClock.after(10 * ms, run) };

/** Harnesses over a database of their own, made by the migrations and reached by the role without DDL. */
export async function postgresHarness(): Promise<PostgresHarnessMaker> {
  const database = await freshDatabase('store');
  await migrate(database.owner);
  const owner = postgres({ ...database.owner, max: 2, onnotice: () => undefined, types: { bigint: postgres.BigInt } });
  const node = (name: string): Store =>
    createStore({ connection: database.app, node: name, clock: patientClock, secrets: testSecrets });
  const [one, two] = [node('one:1'), node('two:1')];
  await one.makePartitions();
  return {
    owner,
    database,
    async fresh() {
      await owner.unsafe(TABLES.map((table) => `DELETE FROM ${table}`).join(';'));
      await one.applyRegistry(aRegistry());
      two.forgetDirectory();
      return { one, two, ...probes(owner) };
    },
    async close() {
      await Promise.all([one.close(), two.close(), owner.end()]);
      await database.drop();
    },
  };
}

function probes(owner: postgres.Sql<{ bigint: bigint }>): Omit<Harness, 'one' | 'two'> {
  return {
    async pass(ms) {
      const by = owner`${ms}::float8 * interval '1 millisecond'`;
      await owner`UPDATE purchases SET deadline_at = deadline_at - ${by}, confirmed_at = confirmed_at - ${by}, ended_at = ended_at - ${by}`;
      await owner`UPDATE purchases_past SET confirmed_at = confirmed_at - ${by}, ended_at = ended_at - ${by}`;
      await owner`UPDATE effects SET due_at = due_at - ${by}, created_at = created_at - ${by}`;
    },
    async openCases(id) {
      const rows = await owner<
        { kind: string }[]
      >`SELECT kind FROM cases WHERE purchase_id = ${id} AND closed_at IS NULL ORDER BY 1`;
      return rows.map((row) => row.kind);
    },
    async figures(machineId) {
      const [row] = await owner<
        Figures[]
      >`SELECT sum(sold)::int AS sold, sum(sold_minor)::bigint AS "soldMinor", sum(reversed)::int AS reversed,
        sum(reversed_minor)::bigint AS "reversedMinor", sum(declined)::int AS declined
        FROM machine_days WHERE machine_id = ${machineId} HAVING count(*) > 0`;
      return row === undefined ? null : { ...row };
    },
    async statements(machineId, orderSeq) {
      const rows = await owner<
        { kind: string }[]
      >`SELECT kind FROM machine_statements WHERE machine_id = ${machineId} AND order_seq = ${orderSeq} ORDER BY 1`;
      return rows.map((row) => row.kind);
    },
    async refundStates(id) {
      const rows = await owner<
        { n: number; state: string }[]
      >`SELECT n, state FROM refunds WHERE purchase_id = ${id} ORDER BY n`;
      return rows.map((row) => `${row.n}:${row.state}`);
    },
  };
}
