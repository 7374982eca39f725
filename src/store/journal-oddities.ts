/**
 * What is wrong in the journal beyond any single purchase: found by sets, so that each answers only what is wrong.
 */
import type postgres from 'postgres';

/** What a finding is about. */
export type OddityKind = 'order' | 'floor' | 'figures' | 'delivery' | 'orphan' | 'log';

/** One thing that is wrong. `subject`: a machine, a day, a row, for people; the purchase where it is one's own. */
export type JournalOddity = {
  readonly kind: OddityKind;
  readonly purchaseId: string | null;
  readonly reference: string | null;
  readonly subject: string;
  readonly expected: string;
  readonly found: string;
};

type Snapshot = postgres.ISql<{ bigint: bigint }>;
type Finder = (tx: Snapshot, day: string) => Promise<readonly postgres.Row[]>;

/** An order is paid within its few minutes: a second holder begins no later than that after midnight. */
const OF_DAY: readonly Finder[] = [
  (tx, day) => tx`
    SELECT 'order' AS kind, max(id::text) AS id, (array_agg(reference ORDER BY id DESC))[1] AS reference, 'machine ' || machine_id || ', order ' || order_seq AS subject,
      'one purchase' AS expected, count(*) || ' purchases: ' || string_agg(id::text, ', ' ORDER BY id) AS found
    FROM (SELECT id, reference, machine_id, order_seq FROM purchases
        WHERE holds_order AND id >= first_id_of(${day}::date) AND id < first_id_of(${day}::date + 2)
      UNION ALL SELECT id, reference, machine_id, order_seq FROM purchases_past
        WHERE holds_order AND id >= first_id_of(${day}::date) AND id < first_id_of(${day}::date + 2)) p
    GROUP BY machine_id, order_seq HAVING count(*) > 1 AND min(id::text) < first_id_of(${day}::date + 1)::text`,
  (tx, day) => tx`
    SELECT 'floor' AS kind, null AS id, null AS reference, 'machine ' || m.id AS subject, 'its lowest next order above ' || p.highest AS expected,
      'above ' || m.seq_floor AS found
    FROM (SELECT machine_id, max(order_seq) AS highest FROM purchases_past
      WHERE id >= first_id_of(${day}::date) AND id < first_id_of(${day}::date + 1) GROUP BY machine_id) p
    JOIN machines m ON m.id = p.machine_id WHERE m.seq_floor < p.highest`,
  (tx, day) => tx`
    SELECT 'delivery' AS kind, q.id::text AS id, q.reference, 'machine ' || s.machine_id || ', order ' || s.order_seq AS subject,
      'a purchase that paid for it' AS expected, coalesce('the machine delivered, and the purchase of this order is ' || q.state, 'the machine delivered, and no purchase has this order') AS found
    FROM machine_statements s
    LEFT JOIN LATERAL (SELECT id, reference, state FROM purchases_all p WHERE p.machine_id = s.machine_id AND p.order_seq = s.order_seq ORDER BY id DESC LIMIT 1) q ON true
    WHERE s.received_at >= ${day}::date AND s.received_at < ${day}::date + 1 AND s.kind = 'success' AND s.content->>'basis' IS DISTINCT FROM 'no_result'
      AND (s.purchase_id IS NULL OR NOT EXISTS (SELECT FROM purchases_all p WHERE p.id = s.purchase_id))`,
  // The chain alone does not tell that its last rows were cut off, or that a row was never written.
  (tx, day) => tx`
    SELECT 'log' AS kind, e.purchase_id::text AS id, null AS reference, e.event || ' by ' || coalesce(e.content->>'by', '') AS subject,
      'its row in audit_log' AS expected, 'none' AS found
    FROM purchase_events e
    WHERE e.purchase_id >= first_id_of(${day}::date) AND e.purchase_id < first_id_of(${day}::date + 1)
      AND e.event IN ('operator_refunded', 'operator_confirmed', 'loss_accepted')
      AND NOT EXISTS (SELECT FROM audit_log a WHERE a.subject = e.purchase_id::text AND a.action = e.event
        AND a.actor = coalesce(e.content->>'by', '') AND a.content->>'version' = e.version::text)`,
];

/**
 * Figures of a day in each operator's time zone, from the purchases whose ids are around it; the few that do not agree
 * may have purchases that took days, and are counted again from all of the machine's.
 */
async function wrongFigures(tx: Snapshot, day: string): Promise<readonly postgres.Row[]> {
  const doubtful = await tx<{ machine_id: string; currency: string }[]>`
    SELECT machine_id, currency FROM (${countedOf(
      tx,
      day,
      tx`id >= first_id_of(${day}::date - 1) AND id < first_id_of(${day}::date + 2) AND ended_at >= ${day}::date - 1 AND ended_at < ${day}::date + 2`,
    )}) n
    FULL JOIN (SELECT * FROM machine_days WHERE day = ${day}::date) d USING (machine_id, currency)
    WHERE (n.sold, n.sold_minor, n.reversed, n.reversed_minor, n.declined)
      IS DISTINCT FROM (d.sold, d.sold_minor, d.reversed, d.reversed_minor, d.declined)`;
  if (doubtful.length === 0) return [];
  const machines = [...new Set(doubtful.map((each) => each.machine_id))];
  return tx`
    SELECT 'figures' AS kind, null AS id, null AS reference, 'machine ' || machine_id || ', ' || ${day}::text || ', ' || currency AS subject,
      concat_ws(' ', coalesce(n.sold, 0), 'sold,', coalesce(n.sold_minor, 0), 'in all;', coalesce(n.reversed, 0), 'given back,', coalesce(n.reversed_minor, 0), 'in all;', coalesce(n.declined, 0), 'declined') AS expected,
      concat_ws(' ', coalesce(d.sold, 0), 'sold,', coalesce(d.sold_minor, 0), 'in all;', coalesce(d.reversed, 0), 'given back,', coalesce(d.reversed_minor, 0), 'in all;', coalesce(d.declined, 0), 'declined') AS found
    FROM (${countedOf(tx, day, tx`machine_id = ANY(${machines}::text[])`)}) n
    FULL JOIN (SELECT * FROM machine_days WHERE day = ${day}::date AND machine_id = ANY(${machines}::text[])) d USING (machine_id, currency)
    WHERE (n.sold, n.sold_minor, n.reversed, n.reversed_minor, n.declined)
      IS DISTINCT FROM (d.sold, d.sold_minor, d.reversed, d.reversed_minor, d.declined)`;
}

function countedOf(tx: Snapshot, day: string, among: postgres.PendingQuery<postgres.Row[]>) {
  return tx`SELECT p.machine_id, p.currency, count(*) FILTER (WHERE p.state = 'completed')::int AS sold,
      coalesce(sum(p.amount_minor) FILTER (WHERE p.state = 'completed'), 0)::bigint AS sold_minor,
      count(*) FILTER (WHERE p.state = 'reversed')::int AS reversed,
      coalesce(sum(p.amount_minor) FILTER (WHERE p.state = 'reversed'), 0)::bigint AS reversed_minor,
      count(*) FILTER (WHERE p.state = 'declined')::int AS declined
    FROM (SELECT machine_id, currency, state, amount_minor, ended_at, operator_id FROM purchases WHERE ${among}
      UNION ALL SELECT machine_id, currency, state, amount_minor, ended_at, operator_id FROM purchases_past WHERE ${among}) p
    LEFT JOIN operators o ON o.id = p.operator_id
    WHERE p.ended_at IS NOT NULL AND (p.ended_at AT TIME ZONE coalesce(o.time_zone, 'UTC'))::date = ${day}::date GROUP BY 1, 2`;
}

/** What keeps the journal as it was written, and writes down what persons do. */
const TRIGGERS = [
  'purchase_events.purchase_events_append_only',
  'purchase_events.purchase_events_audited',
  'audit_log.audit_log_append_only',
  'audit_log.audit_log_not_emptied',
  'audit_log.audit_log_chained',
  'refunds.refunds_within_price',
  'refunds.refunds_audited',
] as const;

const OF_ALL: readonly ((tx: Snapshot) => Promise<readonly postgres.Row[]>)[] = [
  (tx) => tx`
    SELECT 'log' AS kind, r.purchase_id::text AS id, null AS reference, 'refund ' || r.n || ' by ' || r.requested_by AS subject,
      'its row in audit_log' AS expected, 'none' AS found
    FROM refunds r
    WHERE (r.requested_by <> 'relais' OR r.reason <> 'paid_after_close')
      AND NOT EXISTS (SELECT FROM audit_log a WHERE a.subject = r.purchase_id::text AND a.action = 'refund'
        AND a.actor = r.requested_by AND a.content->>'n' = r.n::text AND a.content->>'amountMinor' = r.amount_minor::text)`,
  // A partition has triggers of its own, below those of its table.
  (tx) => tx`
    SELECT 'log' AS kind, null AS id, null AS reference, 'trigger ' || name AS subject, 'enabled' AS expected,
      CASE WHEN found = 0 THEN 'missing' ELSE 'disabled' END AS found
    FROM (SELECT name, count(t.oid) AS found, count(t.oid) FILTER (WHERE t.tgenabled NOT IN ('O', 'A')) AS disabled
      FROM unnest(${[...TRIGGERS]}::text[]) name
      LEFT JOIN pg_trigger t ON t.tgname = split_part(name, '.', 2) AND (t.tgrelid = to_regclass(split_part(name, '.', 1))
        OR t.tgrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(split_part(name, '.', 1))))
      GROUP BY name) x
    WHERE found = 0 OR disabled > 0`,
  (tx) => tx`
    SELECT 'orphan' AS kind, purchase_id::text AS id, null AS reference, what AS subject, 'a purchase to which it belongs' AS expected, 'none' AS found
    FROM (SELECT purchase_id, 'effect ' || kind AS what FROM effects UNION ALL SELECT purchase_id, 'refund ' || n FROM refunds
      UNION ALL SELECT purchase_id, 'case ' || kind FROM cases) x
    WHERE NOT EXISTS (SELECT FROM purchases p WHERE p.id = x.purchase_id) AND NOT EXISTS (SELECT FROM purchases_past p WHERE p.id = x.purchase_id)
      -- What is older than the journal's memory has outlived its purchase.
      AND EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass('purchases_past_' || to_char(
        to_timestamp(('x' || left(replace(x.purchase_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) AT TIME ZONE 'UTC', 'YYYYMMDD')))`,
  (tx) => tx`
    SELECT 'log' AS kind, CASE WHEN subject ~ '^[0-9a-f-]{36}$' THEN subject END AS id, null AS reference, 'audit_log ' || id || ', ' || action || ' by ' || actor AS subject,
      'number ' || (before_id + 1) || ' and the hash of its words and of the row before' AS expected,
      CASE WHEN id <> before_id + 1 THEN 'number ' || id || ': rows are missing' WHEN hash_before IS DISTINCT FROM before_hash THEN 'another row before it' ELSE 'other words' END AS found
    FROM (SELECT *, coalesce(lag(id) OVER w, 0) AS before_id, lag(hash) OVER w AS before_hash FROM audit_log WINDOW w AS (ORDER BY id)) l
    WHERE id <> before_id + 1 OR hash_before IS DISTINCT FROM before_hash
      OR hash <> audit_hash(hash_before, id, at, operator_id, actor, action, subject, content)`,
];

/** What is wrong with the purchases of a UTC day beside each other, with its deliveries, its acts of persons and its figures. */
export async function odditiesOfDay(tx: Snapshot, day: string): Promise<readonly JournalOddity[]> {
  const found: JournalOddity[] = [];
  for (const find of [...OF_DAY, wrongFigures]) found.push(...(await find(tx, day)).map(oddityOf));
  return found;
}

/** What belongs to no purchase, and where the chain of acts is broken. */
export async function odditiesOfAll(tx: Snapshot): Promise<readonly JournalOddity[]> {
  const found: JournalOddity[] = [];
  for (const find of OF_ALL) found.push(...(await find(tx)).map(oddityOf));
  return found;
}

function oddityOf(row: postgres.Row): JournalOddity {
  return {
    kind: row['kind'] as OddityKind,
    purchaseId: row['id'] as string | null,
    reference: row['reference'] as string | null,
    subject: row['subject'] as string,
    expected: row['expected'] as string,
    found: row['found'] as string,
  };
}
