/**
 * The commits of the journal, each one statement, assembled from fixed fragments: a part that is absent is not in the
 * text, so some ten texts exist and each is prepared once per connection. They compare versions, states and times, and
 * decide nothing.
 */
import type { PlannedEffect } from '../purchase/effect.ts';
import { isMachineEffect } from '../purchase/effect.ts';
import type { Attention, Purchase, State } from '../purchase/purchase.ts';
import type { BeginCommit, Commit, EffectRow, MachineStatement, RefundCommit } from '../purchase/store-port.ts';
import type { DurationMs } from '../time.ts';
import type { Sql, Statement } from './journal-pool.ts';
import { eventJson, isEndedState, payloadOf, plainJson, snapshotOf, walletJson } from './record.ts';

/** Who writes: the lease owner of its own effects, and how long their first lease is. */
export type Writer = { readonly node: string; readonly leaseMs: DurationMs };

/** `now()` and so many milliseconds. */
export function inMs(sql: Sql, ms: DurationMs): Statement {
  return sql`now() + ${ms}::float8 * interval '1 millisecond'`;
}

/** Further rows of a VALUES list. postgres.js takes an empty list of fragments for a value, hence the first line. */
function also<Item>(sql: Sql, items: readonly Item[], valuesOf: (item: Item) => Statement): Statement {
  return items.length === 0 ? sql`` : sql`${items.map((item) => sql`, ${valuesOf(item)}`)}`;
}

function firstDue(row: EffectRow, writer: Writer): DurationMs {
  return row.isOwn ? writer.leaseMs : row.dueInMs;
}

function maySendAtOnce(planned: PlannedEffect & { readonly isOwn: boolean }): boolean {
  return planned.isOwn && planned.effect.kind === 'approve';
}

function effectValues(sql: Sql, row: EffectRow, writer: Writer): Statement {
  const isOwn = row.isOwn;
  return sql`(${row.key}::uuid, ${row.effect.kind}::text, ${isMachineEffect(row.effect)}::boolean,
    ${sql.json(payloadOf(row.effect))}::jsonb, ${inMs(sql, firstDue(row, writer))},
    CASE WHEN ${isOwn}::boolean THEN ${writer.node}::text END, ${isOwn ? 1 : 0}::int, ${maySendAtOnce(row)}::boolean)`;
}

/**
 * Plans effects of the row that the named part yields (`id`, `machine_id`). One that is planned already is planned
 * anew in its place; that it may have been sent is never forgotten.
 */
function plannedPart(sql: Sql, from: Statement, rows: readonly EffectRow[], writer: Writer): Statement {
  const [first, ...others] = rows;
  if (first === undefined) return sql``;
  return sql`, planned AS (
  INSERT INTO effects AS e (purchase_id, key, kind, machine_id, payload, due_at, lease_owner, tries, may_sent)
  SELECT f.id, v.key, v.kind, CASE WHEN v.at_machine THEN f.machine_id END, v.payload, v.due_at, v.lease_owner, v.tries, v.may_sent
  FROM ${from} f, (VALUES ${effectValues(sql, first, writer)}${also(sql, others, (row) => effectValues(sql, row, writer))})
    AS v (key, kind, at_machine, payload, due_at, lease_owner, tries, may_sent)
  ON CONFLICT (purchase_id, key) DO UPDATE SET payload = excluded.payload, due_at = excluded.due_at,
    lease_owner = excluded.lease_owner, tries = excluded.tries, may_sent = e.may_sent OR excluded.may_sent, last_error = NULL)`;
}

/** Opens cases of the row that the named part yields (`id`, `operator_id`); one that was closed is opened again. */
function openedPart(sql: Sql, from: Statement, kinds: readonly Attention[]): Statement {
  if (kinds.length === 0) return sql``;
  return sql`, opened AS (
  INSERT INTO cases AS c (purchase_id, kind, operator_id)
  SELECT f.id, k.kind, f.operator_id FROM ${from} f, unnest(${[...kinds]}::text[]) AS k (kind)
  ON CONFLICT (purchase_id, kind) DO UPDATE SET opened_at = now(), closed_at = NULL, closed_by = NULL WHERE c.closed_at IS NOT NULL
  RETURNING c.purchase_id)`;
}

/** Commit 1: the purchase, its event and its effects; no row when the order, the id or the machine does not allow it. */
export function beginStatement(sql: Sql, commit: BeginCommit, writer: Writer): Statement {
  const { id, reference, order, payerId, channel, plan, wallet, facts, state, version } = commit.purchase;
  return sql`WITH born AS (
  INSERT INTO purchases (id, reference, operator_id, machine_id, order_seq, payer_id, channel, plan, provider, amount_minor, currency,
    order_snapshot, wallet, version, state, facts, deadline_at)
  SELECT ${id}::uuid, ${reference}, ${order.operatorId}::int, m.id, ${order.orderSeq}::bigint, ${payerId}::bigint, ${channel}, ${plan},
    ${wallet.provider}, ${order.price.minor}::bigint, ${order.price.currency}, ${sql.json(snapshotOf(order))}::jsonb,
    ${sql.json(walletJson(wallet))}::jsonb, ${version}::int, ${state}, ${sql.json(plainJson(facts))}::jsonb, ${inMs(sql, commit.deadlineMs)}
  FROM machines m
  WHERE m.id = ${order.machineId} AND m.seq_floor < ${order.orderSeq}::bigint AND NOT m.suspended
    AND NOT EXISTS (SELECT FROM machine_statements s WHERE s.machine_id = m.id AND s.order_seq = ${order.orderSeq}::bigint)
  ON CONFLICT DO NOTHING RETURNING id, machine_id, operator_id),
written AS (
  INSERT INTO purchase_events (purchase_id, version, event, state, content, node)
  SELECT id, ${version}::int, 'confirmed', ${state}, ${sql.json(eventJson(commit.event))}::jsonb, ${writer.node} FROM born)
${plannedPart(sql, sql`born`, commit.effects, writer)}
SELECT id FROM born`;
}

function deadlinePart(sql: Sql, deadline: Commit['deadline']): Statement {
  if (deadline === 'keep') return sql``;
  return deadline === null ? sql`, deadline_at = NULL` : sql`, deadline_at = ${inMs(sql, deadline)}`;
}

function endPart(sql: Sql, state: State): Statement {
  if (!isEndedState(state)) return sql``;
  return state === 'declined' ? sql`, ended_at = now(), holds_order = false` : sql`, ended_at = now()`;
}

/** Withdraws an approval only if it was never sent, holding the purchase's row, so that a lost race leaves it. */
function unsentPart(sql: Sql, commit: Commit): Statement {
  if (commit.onlyIfUnsent === null) return sql``;
  const { id, version, state } = commit.before;
  return sql`locked AS MATERIALIZED (
  SELECT id FROM purchases WHERE id = ${id}::uuid AND version = ${version}::int AND state = ${state} FOR UPDATE),
unsent AS (
  DELETE FROM effects e USING locked l
  WHERE e.purchase_id = l.id AND e.key = ${commit.onlyIfUnsent}::uuid AND NOT e.may_sent RETURNING e.purchase_id),
`;
}

function movedPart(sql: Sql, commit: Commit): Statement {
  const { id, version, state } = commit.before;
  const after: Purchase = commit.after;
  const onlyUnsent = commit.onlyIfUnsent === null ? sql`` : sql` AND p.id IN (SELECT u.purchase_id FROM unsent u)`;
  return sql`moved AS (
  UPDATE purchases p SET version = ${after.version}::int, state = ${after.state}, facts = ${sql.json(plainJson(after.facts))}::jsonb
    ${deadlinePart(sql, commit.deadline)}${endPart(sql, after.state)}
  WHERE p.id = ${id}::uuid AND p.version = ${version}::int AND p.state = ${state}${onlyUnsent}
  RETURNING p.id, p.version, p.state, p.operator_id, p.machine_id, p.order_seq, p.currency, p.amount_minor)`;
}

function answeredPart(sql: Sql, commit: Commit): Statement {
  // What is planned again stays and is rewritten: one row cannot be deleted and inserted by one statement.
  const kept = new Set([...commit.planned.map((row) => row.key), commit.onlyIfUnsent]);
  const keys = commit.dropped.filter((key) => !kept.has(key));
  if (keys.length === 0) return sql``;
  return sql`, answered AS (
  DELETE FROM effects e USING moved m WHERE e.purchase_id = m.id AND e.key = ANY(${keys}::uuid[]))`;
}

/** What stays planned gets another due time, and is free for any node by then. */
function rescheduledPart(sql: Sql, commit: Commit): Statement {
  const touched = new Set([...commit.planned.map((row) => row.key), ...commit.dropped]);
  const [first, ...others] = commit.rescheduled.filter(({ key }) => !touched.has(key));
  if (first === undefined) return sql``;
  const values = (row: typeof first): Statement => sql`(${row.key}::uuid, ${inMs(sql, row.dueInMs)})`;
  return sql`, rescheduled AS (
  UPDATE effects e SET due_at = v.due_at, lease_owner = NULL
  FROM moved m, (VALUES ${values(first)}${also(sql, others, values)}) AS v (key, due_at)
  WHERE e.purchase_id = m.id AND e.key = v.key)`;
}

function statedPart(sql: Sql, statement: MachineStatement | null): Statement {
  if (statement === null) return sql``;
  return sql`, stated AS (
  INSERT INTO machine_statements (machine_id, order_seq, kind, purchase_id, content)
  SELECT ${statement.machineId}, ${statement.orderSeq}::bigint, ${statement.kind}, m.id, ${sql.json(plainJson(statement.content))}::jsonb FROM moved m)`;
}

function closedPart(sql: Sql, kinds: readonly Attention[]): Statement {
  if (kinds.length === 0) return sql``;
  return sql`, closed AS (
  UPDATE cases c SET closed_at = now() FROM moved m
  WHERE c.purchase_id = m.id AND c.kind = ANY(${[...kinds]}::text[]) AND c.closed_at IS NULL)`;
}

/** Sales figures of the day on which the purchase ended, by the operator's clock. No hot row: one machine sells one thing at a time. */
function countedPart(sql: Sql, state: State): Statement {
  if (!isEndedState(state)) return sql``;
  return sql`, counted AS (
  INSERT INTO machine_days AS d (machine_id, day, currency, operator_id, sold, sold_minor, reversed, reversed_minor, declined, last_sale_at)
  SELECT m.machine_id, (now() AT TIME ZONE coalesce(o.time_zone, 'UTC'))::date, m.currency, m.operator_id,
    (m.state = 'completed')::int, CASE m.state WHEN 'completed' THEN m.amount_minor ELSE 0 END,
    (m.state = 'reversed')::int, CASE m.state WHEN 'reversed' THEN m.amount_minor ELSE 0 END,
    (m.state = 'declined')::int, CASE m.state WHEN 'completed' THEN now() END
  FROM moved m LEFT JOIN operators o ON o.id = m.operator_id
  ON CONFLICT (machine_id, day, currency) DO UPDATE SET sold = d.sold + excluded.sold, sold_minor = d.sold_minor + excluded.sold_minor,
    reversed = d.reversed + excluded.reversed, reversed_minor = d.reversed_minor + excluded.reversed_minor,
    declined = d.declined + excluded.declined, last_sale_at = coalesce(excluded.last_sale_at, d.last_sale_at))`;
}

/** Every later commit: compare-and-set, event, effects, deadline, statement, cases and figures; no row when the race is lost. */
export function commitStatement(sql: Sql, commit: Commit, writer: Writer): Statement {
  const from = sql`moved`;
  return sql`WITH ${unsentPart(sql, commit)}${movedPart(sql, commit)},
written AS (
  INSERT INTO purchase_events (purchase_id, version, event, state, content, node)
  SELECT id, version, ${commit.event.type}, state, ${sql.json(eventJson(commit.event))}::jsonb, ${writer.node} FROM moved)
${answeredPart(sql, commit)}${plannedPart(sql, from, commit.planned, writer)}${rescheduledPart(sql, commit)}
${statedPart(sql, commit.statement)}${openedPart(sql, from, commit.opened)}${closedPart(sql, commit.closed)}${countedPart(sql, commit.after.state)}
${commit.isLazy ? sql`SELECT version, set_config('synchronous_commit', 'off', true) FROM moved` : sql`SELECT version FROM moved`}`;
}

/** A refund with its effect; no row when this number was recorded before. Its trigger keeps the sum within the price. */
export function refundStatement(sql: Sql, commit: RefundCommit, writer: Writer): Statement {
  return sql`WITH born AS (
  INSERT INTO refunds (purchase_id, n, amount_minor, requested_by, reason, key)
  VALUES (${commit.purchaseId}::uuid, ${commit.n}::int, ${commit.amountMinor}::bigint, ${commit.requestedBy}, ${commit.reason}, ${commit.effect.key}::uuid)
  ON CONFLICT (purchase_id, n) DO NOTHING RETURNING purchase_id),
source AS (
  SELECT b.purchase_id AS id, p.operator_id, p.machine_id FROM born b JOIN purchases_all p ON p.id = b.purchase_id)
${plannedPart(sql, sql`source`, [commit.effect], writer)}${openedPart(sql, sql`source`, commit.opened)}
SELECT purchase_id FROM born`;
}

/** A statement kept beside the path; cases are opened only when it is new. */
export function keptStatement(
  sql: Sql,
  statement: MachineStatement,
  purchaseId: string | null,
  opened: readonly Attention[],
): Statement {
  return sql`WITH kept AS (
  INSERT INTO machine_statements (machine_id, order_seq, kind, purchase_id, content)
  VALUES (${statement.machineId}, ${statement.orderSeq}::bigint, ${statement.kind}, ${purchaseId}::uuid, ${sql.json(plainJson(statement.content))}::jsonb)
  ON CONFLICT DO NOTHING RETURNING purchase_id),
source AS (
  SELECT k.purchase_id AS id, p.operator_id FROM kept k JOIN purchases_all p ON p.id = k.purchase_id)
${openedPart(sql, sql`source`, opened)}
SELECT 1 AS kept FROM kept`;
}

/** One effect of an ended purchase. Planned already, it is due by then, and its holder's fence is broken. */
export function planStatement(sql: Sql, id: string, row: EffectRow, writer: Writer): Statement {
  return sql`INSERT INTO effects AS e (purchase_id, key, kind, machine_id, payload, due_at, lease_owner, tries, may_sent)
SELECT p.id, v.key, v.kind, CASE WHEN v.at_machine THEN p.machine_id END, v.payload, v.due_at, v.lease_owner, v.tries, v.may_sent
FROM purchases_all p, (VALUES ${effectValues(sql, row, writer)}) AS v (key, kind, at_machine, payload, due_at, lease_owner, tries, may_sent)
WHERE p.id = ${id}::uuid
ON CONFLICT (purchase_id, key) DO UPDATE SET due_at = least(e.due_at, excluded.due_at), lease_owner = NULL, tries = e.tries + 1
RETURNING key`;
}

/** A case of a purchase, live or past. */
export function openCaseStatement(sql: Sql, id: string, attention: Attention): Statement {
  return sql`WITH source AS (SELECT id, operator_id FROM purchases_all WHERE id = ${id}::uuid)
${openedPart(sql, sql`source`, [attention])}
SELECT purchase_id FROM opened`;
}
