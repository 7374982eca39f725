/**
 * Some real purchases of a real node, one in each state that lasts, and what the audit says of them or of copies in
 * which something was changed by hand.
 */
import postgres from 'postgres';
import type { Finding } from '../../src/audit/finding.ts';
import { openAudit } from '../../src/composition/audit.ts';
import { keyOf } from '../../src/composition/names.ts';
import { type Config, type ConfigInput, checkConfig } from '../../src/config.ts';
import { postgresUrl } from '../../src/engines/postgres-server.ts';
import { systemClock } from '../../src/time.ts';
import { buyAt, machineOf } from '../journey/buying.ts';
import { type NodeForTest, settings, startNodeForTest, until } from '../journey/node-for-test.ts';
import { copyDatabase, type TestDatabase } from '../support/servers.ts';

/** A statement maker over one database. */
export type Sql = postgres.Sql<{ bigint: bigint }>;

/** What was bought, by its id. */
export type Bought = {
  readonly completed: string;
  readonly completedToo: string;
  readonly declined: string;
  readonly reversed: string;
  readonly settling: string;
};

/** The world, at rest: nothing runs any more but PostgreSQL. */
export type AuditedWorld = {
  readonly bought: Bought;
  readonly journal: TestDatabase;
  readonly ledger: TestDatabase;
  referenceOf(id: string): string;
  /** Key of the first call of an operation. */
  keyOf(id: string, operation: 'authorize' | 'settle'): string;
  /** What the audit finds in these two; the journal and ledger of the world where none is named. */
  findings(of?: { readonly journal?: TestDatabase; readonly ledger?: TestDatabase }): Promise<readonly Finding[]>;
  /** Changes a copy of one of them as its owner, with its guards off, and says what the audit finds then. */
  afterPlanting(where: 'journal' | 'ledger', plant: (sql: Sql) => Promise<unknown>): Promise<readonly Finding[]>;
  stop(): Promise<void>;
};

/** Settings of the commands that look at this journal, with the node's keys. They speak to no wallet and no network. */
export function settingsFor(journal: TestDatabase): ConfigInput {
  return { ...settings('http://127.0.0.1:1', 1), database: { url: postgresUrl(journal.app) } };
}

function configFor(journal: TestDatabase): Config {
  const config = checkConfig(settingsFor(journal));
  if (!config.ok) throw new Error(config.refusal.problems.join('\n'));
  return config.value;
}

/** Starts a node, buys, and halts it. */
export async function openAuditedWorld(): Promise<AuditedWorld> {
  const node = await startNodeForTest({ machineCount: 5, config: { drainMs: 500 } });
  const bought = await buyAll(node).catch(async (error: unknown) => {
    await node.stop();
    throw error;
  });
  await node.halt();
  const { database: journal } = node;
  const { database: ledger } = node.centre;
  // Nobody may be connected to what is copied.
  await Promise.all([node.centre.owner.end(), node.centre.app.end(), node.centre.centre.stop()]);
  const references = await referencesOf(journal);
  const findings: AuditedWorld['findings'] = (of = {}) =>
    findingsIn(of.journal ?? journal, postgresUrl((of.ledger ?? ledger).app));
  return {
    bought,
    journal,
    ledger,
    referenceOf: (id) => references.get(id) ?? '',
    keyOf: (id, operation) => keyOf(id, operation, 1),
    findings,
    afterPlanting: async (where, plant) => {
      const copy = await copyDatabase(where === 'journal' ? journal : ledger);
      try {
        await planted(copy, plant);
        return await findings({ [where]: copy });
      } finally {
        await copy.drop();
      }
    },
    stop: async () => {
      await ledger.drop();
      await journal.drop();
    },
  };
}

/** What the audit finds in a journal, beside the ledger at this address. */
export async function findingsIn(
  journal: TestDatabase,
  ledgerUrl: string,
  againAfterMs = 10,
): Promise<readonly Finding[]> {
  const timing = { clock: systemClock, againAfterMs };
  const opened = openAudit(configFor(journal), { ledgerUrl }, timing);
  if (!opened.ok) throw new Error(opened.refusal.join('\n'));
  const findings: Finding[] = [];
  try {
    await opened.value.run(
      { from: null, to: null },
      { onFinding: (finding) => findings.push(finding), onDay: () => undefined },
    );
  } finally {
    await opened.value.close();
  }
  return findings;
}

/** Changes a database as its owner. */
export async function planted(copy: TestDatabase, plant: (sql: Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres({ ...copy.owner, max: 1, types: { bigint: postgres.BigInt }, onnotice: () => undefined });
  try {
    await plant(sql);
  } finally {
    await sql.end();
  }
}

async function referencesOf(journal: TestDatabase): Promise<ReadonlyMap<string, string>> {
  const sql = postgres({ ...journal.app, max: 1 });
  try {
    const rows = await sql<{ id: string; reference: string }[]>`SELECT id, reference FROM purchases_all`;
    return new Map(rows.map(({ id, reference }) => [id, reference]));
  } finally {
    await sql.end();
  }
}

const NUMBERS = ['1000', '1001', '1002', '1003', '1004'] as const;

async function buyAll(node: NodeForTest): Promise<Bought> {
  const machines = NUMBERS.map((number) => machineOf(node, number));
  await until('machines are connected', () => machines.every((each) => each.status().agent?.link === 'ready'));
  machines[3]?.setFault('jam');
  const [completed, completedToo] = [
    await buyOne(node, '1000', 1_000n, 'completed'),
    await buyOne(node, '1001', 1_000n, 'completed'),
  ];
  const declined = await buyOne(node, '1002', 100n, 'declined');
  const reversed = await buyOne(node, '1003', 1_000n, 'reversed');
  // From now on no capture reaches the wallet.
  node.wallet.set({ kind: 'lost_request' }, (call) => call.isCapture);
  const settling = await buyOne(node, '1004', 1_000n, 'settling');
  return { completed, completedToo, declined, reversed, settling };
}

async function buyOne(node: NodeForTest, number: string, minor: bigint, state: string): Promise<string> {
  return (await buyAt(node, number, minor, state)).id;
}
