/**
 * What is read on the path of a purchase: by index, bounded, and from `purchases_past` only where `purchases` has nothing.
 */
import type { MachineId, PayerId, PurchaseId } from '../purchase/purchase.ts';
import type { DurationMs } from '../time.ts';
import type { Sql, Statement } from './journal-pool.ts';

function purchaseColumns(sql: Sql): Statement {
  return sql`id, reference, operator_id, machine_id, order_seq, payer_id, channel, plan, provider, amount_minor, currency,
  order_snapshot, wallet, version, state, facts,
  (extract(epoch FROM deadline_at - now()) * 1000)::float8 AS left_ms,
  (extract(epoch FROM now() - confirmed_at) * 1000)::float8 AS since_confirmed_ms,
  (extract(epoch FROM now() - ended_at) * 1000)::float8 AS since_ended_ms`;
}

/** One purchase, live or ended lately. */
export function loadStatement(sql: Sql, id: PurchaseId): Statement {
  return sql`SELECT ${purchaseColumns(sql)} FROM purchases WHERE id = ${id}::uuid`;
}

/** One moved purchase; a statement of its own, so that the path never touches the partitions. */
export function loadPastStatement(sql: Sql, id: PurchaseId): Statement {
  return sql`SELECT ${purchaseColumns(sql)} FROM purchases_past WHERE id = ${id}::uuid`;
}

/** The purchase that holds an order. */
export function holderStatement(sql: Sql, machineId: MachineId, orderSeq: number): Statement {
  return sql`SELECT ${purchaseColumns(sql)} FROM purchases
WHERE machine_id = ${machineId} AND order_seq = ${orderSeq}::bigint AND holds_order`;
}

/** Likewise among the moved ones. Touches every partition's index, so only for orders below the machine's floor. */
export function holderInPastStatement(sql: Sql, machineId: MachineId, orderSeq: number): Statement {
  return sql`SELECT ${purchaseColumns(sql)} FROM purchases_past
WHERE machine_id = ${machineId} AND order_seq = ${orderSeq}::bigint AND holds_order
  AND EXISTS (SELECT FROM machines m WHERE m.id = ${machineId} AND m.seq_floor >= ${orderSeq}::bigint) LIMIT 1`;
}

/** What speaks against an order of a machine, beside purchases. */
export function machineStatement(sql: Sql, machineId: MachineId, orderSeq: number): Statement {
  return sql`SELECT m.suspended, m.seq_floor >= ${orderSeq}::bigint
  OR EXISTS (SELECT FROM machine_statements s WHERE s.machine_id = m.id AND s.order_seq = ${orderSeq}::bigint) AS is_over
FROM machines m WHERE m.id = ${machineId}`;
}

/** Live purchases of a machine: usually none or one, never more than it has orders in play. */
export function liveOfMachineStatement(sql: Sql, machineId: MachineId): Statement {
  return sql`SELECT ${purchaseColumns(sql)} FROM purchases
WHERE machine_id = ${machineId} AND ended_at IS NULL ORDER BY order_seq LIMIT 1000`;
}

/** Highest order number of any purchase of a machine, moved ones included. */
export function seqFloorStatement(sql: Sql, machineId: MachineId): Statement {
  return sql`SELECT greatest(
  (SELECT seq_floor FROM machines WHERE id = ${machineId}),
  (SELECT max(order_seq) FROM purchases WHERE machine_id = ${machineId}), 0) AS seq_floor`;
}

/** Live purchases whose deadline has passed. */
export function pastDeadlineStatement(sql: Sql, limit: number): Statement {
  return sql`SELECT ${purchaseColumns(sql)} FROM purchases
WHERE deadline_at <= now() ORDER BY deadline_at LIMIT ${limit}::int`;
}

/**
 * A payer's purchases. Ids are minted at the claim, so a day before the earliest confirmation is early enough for the
 * partitions to look into.
 */
export function recentStatement(sql: Sql, payerId: PayerId, withinMs: DurationMs, limit: number): Statement {
  const since = sql`now() - ${withinMs}::float8 * interval '1 millisecond'`;
  const firstId = sql`rpad(lpad(to_hex(greatest(0, extract(epoch FROM ${since} - interval '1 day') * 1000)::bigint), 12, '0'), 32, '0')::uuid`;
  return sql`SELECT * FROM (
  SELECT ${purchaseColumns(sql)}, confirmed_at FROM purchases WHERE payer_id = ${payerId}::bigint AND confirmed_at >= ${since}
  UNION ALL
  SELECT ${purchaseColumns(sql)}, confirmed_at FROM purchases_past
  WHERE payer_id = ${payerId}::bigint AND id >= ${firstId} AND confirmed_at >= ${since}) both_kinds
ORDER BY confirmed_at DESC, id DESC LIMIT ${limit}::int`;
}
