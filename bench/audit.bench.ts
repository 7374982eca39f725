/**
 * How fast `relais audit` reads: so many completed purchases over a month (RELAIS_BENCH_AUDITED, default 100,000), with
 * their events and the payment centre's ledger beside them, all written by SQL in the shape that the product gives them.
 */
import { cpus } from 'node:os';
import postgres from 'postgres';
import { openAudit } from '../src/composition/audit.ts';
import { checkConfig } from '../src/config.ts';
import { postgresUrl } from '../src/engines/postgres-server.ts';
import { migrateLedger } from '../src/payment/centre/migrate.ts';
import { migrate } from '../src/store/migrate.ts';
import { msisdnMacOf } from '../src/store/msisdn-box.ts';
import { systemClock } from '../src/time.ts';
import { settingsFor } from '../test/audit/audited-world.ts';
import { freshDatabase, type TestDatabase } from '../test/support/servers.ts';

const PURCHASES = Number(process.env['RELAIS_BENCH_AUDITED'] ?? '100000');
const DAYS = 30;
const MACHINES = 1000;
const PAYERS = 1000;
const FIRST_DAY = '2026-10-01';

function print(line: string): void {
  process.stdout.write(`    ${line}\n`);
}

type Sql = postgres.Sql<{ bigint: bigint }>;

async function as(database: TestDatabase, work: (sql: Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres({ ...database.owner, max: 1, types: { bigint: postgres.BigInt }, onnotice: () => undefined });
  try {
    await work(sql);
  } finally {
    await sql.end();
  }
}

/** Purchase `i` of `PURCHASES`: when it was, which id it has, at which machine, by whom. The same in both databases. */
function bought(sql: Sql) {
  return sql`(SELECT i, at, i % ${MACHINES} AS machine, i / ${MACHINES} + 1 AS order_seq, i % ${PAYERS} AS payer,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid AS id
    FROM (SELECT i, timestamptz '2026-10-01T00:00:00Z' + i * (${DAYS}::int * interval '1 day' / ${PURCHASES}::int) AS at
      FROM generate_series(0, ${PURCHASES - 1}::int) AS i) g)`;
}

function msisdnOf(payer: number): string {
  return String(221_770_000_000 + payer);
}

async function fillJournal(sql: Sql): Promise<void> {
  const key = { msisdnMacKey: Buffer.from('a'.repeat(64), 'hex'), masterKeys: [] };
  await sql`SELECT make_journal_partitions(${FIRST_DAY}::date, ${DAYS}::int)`;
  await sql`INSERT INTO operators VALUES (1, 'Snacks', 'SNACKS', 'Africa/Dakar', 'XOF', 'fr')`;
  await sql`INSERT INTO machines (id, number, operator_id, name, place, currency, price_mode, min_minor, max_minor, seq_floor)
    SELECT 'machine-' || m, m::text, 1, 'M', 'Hall', 'XOF', 'machine', 1, 100000, ${PURCHASES}::int FROM generate_series(0, ${MACHINES - 1}::int) m`;
  const macs = Array.from({ length: PAYERS }, (_, payer) => msisdnMacOf(key, msisdnOf(payer)).toString('hex'));
  await sql`INSERT INTO subscribers (msisdn_mac, msisdn_key, msisdn_box, key_id) SELECT decode(m, 'hex'), '', '', 'test' FROM unnest(${macs}::text[]) WITH ORDINALITY AS u (m, n) ORDER BY n`;
  await sql`INSERT INTO purchases_past (id, reference, operator_id, machine_id, order_seq, payer_id, channel, plan, provider, amount_minor, currency,
      order_snapshot, wallet, version, state, facts, confirmed_at, ended_at)
    SELECT id, 'K7M2QX', 1, 'machine-' || machine, order_seq, payer + 1, 'ussd', 'hold_capture', 'centre', 500, 'XOF',
      jsonb_build_object('machineNumber', machine::text, 'operatorAccount', 'SNACKS', 'orderId', order_seq::text, 'item', 1, 'productName', 'Café long', 'deliveryMs', 30000),
      '{"resendsByKey":true,"reversesByKey":true,"maxPendingMs":120000}', 4, 'completed',
      jsonb_build_object('walletRef', 'code:' || id, 'holdMs', 90000000, 'isQuerying', false, 'isLate', false, 'isOrderGone', false, 'validation', null, 'validateAttempts', 0,
        'settleAttempt', 1, 'reverseAttempt', 1, 'inDoubtMs', 86290000, 'presumed', null, 'declineCode', null, 'reversalReason', null, 'isHoldGone', false, 'isUncollected', false, 'attention', '[]'::jsonb),
      at, at FROM ${bought(sql)} b`;
  await sql`INSERT INTO purchase_events (purchase_id, version, at, event, state, content, node)
    SELECT b.id, e.version, b.at, e.event, e.state, jsonb_build_object('leftMs', 50000, 'ref', 'code:' || b.id), 'relais-1:0123456789ab'
    FROM ${bought(sql)} b, (VALUES (1, 'confirmed', 'authorizing'), (2, 'authorized', 'approving'), (3, 'vend_succeeded', 'settling'), (4, 'settled', 'completed')) AS e (version, event, state)`;
  await sql`INSERT INTO machine_days (machine_id, day, currency, operator_id, sold, sold_minor)
    SELECT machine_id, (ended_at AT TIME ZONE 'Africa/Dakar')::date, 'XOF', 1, count(*), sum(amount_minor) FROM purchases_past GROUP BY 1, 2`;
  await sql`ANALYZE`;
}

const GUARDED = ['transfer', 'posting'] as const;

async function fillLedger(sql: Sql): Promise<void> {
  await sql`SET search_path = ledger, public`;
  await sql`INSERT INTO holder (id, name) SELECT md5('payer' || p)::uuid, 'Test' FROM generate_series(0, ${PAYERS - 1}::int) p UNION ALL SELECT md5('operator')::uuid, 'SNACKS'`;
  await sql`INSERT INTO alias SELECT 'msisdn', (221770000000 + p)::text, md5('payer' || p)::uuid FROM generate_series(0, ${PAYERS - 1}::int) p
    UNION ALL SELECT 'organisationid', 'SNACKS', md5('operator')::uuid`;
  await sql`INSERT INTO account (id, kind, owner, currency, posted, seq, credit_limit)
    SELECT md5('wallet' || payer)::uuid, 'wallet', md5('payer' || payer)::uuid, 'XOF', -500 * count(*), count(*), 1000000000000 FROM ${bought(sql)} b GROUP BY payer`;
  await sql`INSERT INTO account (id, kind, owner, currency) VALUES (md5('available')::uuid, 'operator_available', md5('operator')::uuid, 'XOF')`;
  await sql`CREATE TEMP TABLE b AS SELECT *, md5('hold' || i)::uuid AS hold, md5('payment' || i)::uuid AS payment, row_number() OVER (PARTITION BY payer ORDER BY i) AS seq FROM ${bought(sql)} x`;
  await sql`INSERT INTO hold (id, payer, payee, amount, currency, state, expires_at, lifetime_ms, reference, created_at)
    SELECT hold, md5('wallet' || payer)::uuid, md5('operator')::uuid, 500, 'XOF', 'captured', at + interval '1 day', 86400000, id::text, at FROM b`;
  await sql`INSERT INTO payment (id, payer, operator, amount, currency, state, reference, hold, created_at)
    SELECT payment, md5('wallet' || payer)::uuid, md5('operator')::uuid, 500, 'XOF', 'settled', id::text, hold, at FROM b`;
  await sql`INSERT INTO request (client, key, body_hash, server_key, act, object, status, created_at)
    SELECT 'relais', md5('key' || act || i)::uuid, '\\x00', md5('server' || act || i)::uuid, act, CASE act WHEN 'hold' THEN hold ELSE payment END, 201, at
    FROM b, (VALUES ('hold'), ('merchantpay')) AS a (act)`;
  for (const table of GUARDED) await sql`ALTER TABLE ${sql(table)} DISABLE TRIGGER USER`;
  await sql`INSERT INTO transfer (id, kind, currency, amount, original, created_at) SELECT payment, 'capture', 'XOF', 500, hold, at FROM b`;
  await sql`INSERT INTO posting SELECT payment, md5('wallet' || payer)::uuid, -500, seq, -500 * seq FROM b UNION ALL SELECT payment, md5('available')::uuid, 500, NULL, NULL FROM b`;
  for (const table of GUARDED) await sql`ALTER TABLE ${sql(table)} ENABLE TRIGGER USER`;
  await sql`ANALYZE`;
}

/** Seconds that it took. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
}

describe('the audit of a month', () => {
  let journal: TestDatabase;
  let ledger: TestDatabase;

  before(async function () {
    this.timeout(3_600_000);
    journal = await freshDatabase('audited');
    ledger = await freshDatabase('audited_ledger');
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    await migrate(journal.owner);
    await migrateLedger(postgresUrl(ledger.owner), postgresUrl(ledger.app), log);
    const seconds = await timed(async () => {
      await as(journal, fillJournal);
      await as(ledger, fillLedger);
    });
    print(`${PURCHASES} purchases written in ${seconds.toFixed(0)} s`);
  });
  after(async function () {
    this.timeout(120_000);
    await journal.drop();
    await ledger.drop();
  });

  async function run(range: { from: string | null; to: string | null }, withLedger: boolean): Promise<void> {
    const config = checkConfig(settingsFor(journal));
    if (!config.ok) throw new Error(config.refusal.problems.join('\n'));
    const timing = { clock: systemClock, againAfterMs: 2_000 };
    const opened = openAudit(config.value, withLedger ? { ledgerUrl: postgresUrl(ledger.app) } : null, timing);
    if (!opened.ok) throw new Error(opened.refusal.join('\n'));
    const said: string[] = [];
    let daysDoneMs = 0;
    let purchases = 0;
    const [cpuBefore, startMs] = [process.cpuUsage(), performance.now()];
    const listener = {
      onFinding: (finding: unknown) => void said.push(JSON.stringify(finding)),
      onDay: () => {
        daysDoneMs = performance.now() - startMs;
      },
    };
    const seconds = await timed(async () => {
      purchases = (await opened.value.run(range, listener)).purchases;
    });
    await opened.value.close();
    const { user, system } = process.cpuUsage(cpuBefore);
    const { rss } = process.memoryUsage();
    print(
      `${range.from === null ? 'all of it' : 'one day'}, ${withLedger ? 'with the ledger' : 'the journal alone'}: ${purchases} purchases in ${seconds.toFixed(1)} s, ${(purchases / seconds).toFixed(0)}/s` +
        `${range.from === null ? ` (day by day ${(daysDoneMs / 1000).toFixed(1)} s, the whole ${(seconds - daysDoneMs / 1000).toFixed(1)} s)` : ''}; ${((user + system) / 1e6).toFixed(1)} s of CPU in this process; ${said.length} findings; memory ${(rss / 1048576).toFixed(0)} MB`,
    );
    for (const line of said.slice(0, 3)) print(line);
  }

  it('takes', async function () {
    this.timeout(3_600_000);
    print(`${cpus().length} cores, Node ${process.version}`);
    await run({ from: '2026-10-15', to: '2026-10-15' }, true);
    await run({ from: null, to: null }, false);
    await run({ from: null, to: null }, true);
  });
});
