/**
 * The messages of `relais.vend.v1`: one shape a message, shared by both sides. See docs: automaton-link, section 4.
 *
 * Amounts are JSON integers on the wire and bigint minor units in memory. What comes in is read tolerantly (unknown
 * fields are dropped); what goes out is strict, so that no field without a place here, least of all one about the
 * payer, can reach a wire.
 */
import { z } from 'zod';

/** Subprotocol of the WebSocket. */
export const subprotocol = 'relais.vend.v1';

const largestSeq = 4_294_967_295;
const largestAmount = 999_999_999;

const seq = z.int().min(1).max(largestSeq);
const counter = z.int().min(0).max(largestSeq);
// A bigint cannot come out of JSON.parse: the second member is for what goes out.
const amt = z.union([
  z
    .int()
    .min(1)
    .max(largestAmount)
    .transform((minor) => BigInt(minor)),
  z.bigint().min(1n).max(BigInt(largestAmount)),
]);
const cur = z.string().regex(/^[A-Z]{3}$/);
const id = z.string().regex(/^[A-Za-z0-9_-]{1,36}$/);
const code = z.string().regex(/^[A-Za-z0-9_-]{1,24}$/);
const itemNumber = z.int().min(0).max(65_534).nullable();
const duration = z.int().min(0).max(604_800_000);
const at = z.string().max(32);
const ascii32 = z.string().regex(/^[\x20-\x7e]{0,32}$/);
const status = z.enum(['available', 'out_of_order']);
const codes = z.array(code).max(8);

/** State of an order in a machine's journal. `none`: covered by it, nothing kept; `unknown`: outside it. */
export const journalState = z.enum([
  'waiting',
  'approved',
  'delivering',
  'succeeded',
  'presumed',
  'failed',
  'closed',
  'none',
  'unknown',
]);
/** Why a machine rejects an approval; each but `unknown_order` closes the order in its journal first. */
export const rejectionReason = z.enum([
  'late',
  'canceled',
  'replaced',
  'already_closed',
  'unknown_order',
  'other_approval',
  'amount_mismatch',
  'vmc_not_ready',
  'out_of_order',
  'storage',
]);
/** How a machine ended an order that it did not deliver and never will. */
export const closedResult = z.enum(['expired', 'canceled', 'replaced', 'rebooted', 'rejected', 'unreachable', 'down']);
/** Why a delivery failed. */
export const failureCode = z.enum([
  'vmc_failure',
  'jam',
  'sold_out',
  'motor',
  'door_open',
  'vmc_refused',
  'not_started',
  'other',
]);
/** Why a success is presumed. */
export const presumedBasis = z.enum(['reboot', 'vmc_reset', 'no_result']);

/** Error codes of the link; any other one is treated like `internal`. */
export type ErrorCode =
  | 'bad_message'
  | 'not_supported'
  | 'unauthorized'
  | 'config_mismatch'
  | 'order_conflict'
  | 'stale_seq'
  | 'busy'
  | 'internal';

function machineCalls(object: typeof z.object) {
  const open = object({ orderSeq: seq, state: journalState, approvalId: id.optional() });
  const caps = object({
    hw: z.enum(['mdb', 'other']),
    mdbLevel: z.int().min(1).max(3).nullable(),
    alwaysIdle: z.boolean(),
    maxWaitMs: duration,
    deliveryMs: z.int().min(5_000).max(300_000),
    currency: cur,
    exp: z.int().min(0).max(3),
    cashSale: z.boolean(),
    display: z.boolean(),
  });
  return {
    hello: object({
      proto: z.literal(1),
      fw: z.string().max(32),
      bootId: id,
      firstSeq: seq,
      lastSeq: counter,
      unacked: z.int().min(0).max(256),
      open: z.array(open).max(16),
      caps,
      status,
      codes,
      lastReset: z.enum(['power', 'watchdog', 'update', 'other']),
    }),
    'vend.request': object({
      orderSeq: seq,
      item: itemNumber,
      amount: amt.nullable(),
      currency: cur,
      maxWaitMs: z.int().min(30_000).max(250_000),
      ageMs: z.int().min(0).max(250_000),
    }),
    'vend.cancel': object({ orderSeq: seq, reason: z.enum(['user', 'cash', 'vmc', 'power']) }),
    'vend.success': object({
      orderSeq: seq,
      approvalId: id,
      item: itemNumber,
      amount: amt,
      presumed: z.boolean(),
      basis: presumedBasis.nullable(),
      at: at.optional(),
    }),
    'vend.failure': object({ orderSeq: seq, approvalId: id, code: failureCode, at: at.optional() }),
    'vend.closed': object({ orderSeq: seq, result: closedResult, approvalSeen: id.nullable() }),
    status: object({ status, codes, sinceMs: duration }),
    heartbeat: object({}),
  };
}

function serverCalls(object: typeof z.object) {
  return {
    'vend.approve': object({
      orderSeq: seq,
      orderId: id,
      approvalId: id,
      amount: amt,
      currency: cur,
      item: itemNumber,
      validMs: z.int().min(1).max(250_000),
    }),
    'vend.deny': object({
      orderSeq: seq,
      reason: z.enum(['not_paid', 'insufficient', 'user_canceled', 'server_timeout', 'machine_suspended']),
      text: ascii32.optional(),
    }),
    'order.query': object({ orderSeqs: z.array(seq).max(16) }),
    sleep: object({ nextContactMs: z.int().min(60_000).max(604_800_000) }),
  };
}

function results(object: typeof z.object) {
  const waiting = object({
    status: z.literal('waiting'),
    orderId: id,
    amount: amt,
    currency: cur,
    payBeforeMs: duration,
    text: ascii32.optional(),
  });
  const denied = object({
    status: z.literal('denied'),
    reason: z.enum([
      'suspended',
      'price_mismatch',
      'amount_out_of_bounds',
      'wait_too_short',
      'closed',
      'payments_down',
    ]),
  });
  const approved = z.discriminatedUnion('status', [
    object({ status: z.literal('accepted') }),
    object({ status: z.literal('duplicate'), state: journalState }),
    object({ status: z.literal('rejected'), reason: rejectionReason }),
  ]);
  return {
    hello: object({
      serverTime: at,
      machineNumber: z.string().max(16),
      seqFloor: counter,
      suspended: z.boolean(),
      pingMs: duration,
      idlePingMs: duration,
      heartbeatMs: duration,
      cutoffMs: duration,
      configRev: z.int().min(0),
    }),
    'vend.request': z.discriminatedUnion('status', [waiting, denied]),
    'vend.cancel': object({ status: z.enum(['canceled', 'already_closed', 'approval_in_flight']) }),
    'vend.success': object({}),
    'vend.failure': object({}),
    'vend.closed': object({}),
    status: object({}),
    heartbeat: object({ serverTime: at }),
    'vend.approve': approved,
    'vend.deny': object({ status: z.enum(['closed', 'already_closed', 'ignored']) }),
    'order.query': object({
      orders: z.array(object({ orderSeq: seq, state: journalState, approvalId: id.nullable() })).max(16),
      waiting: seq.nullable(),
    }),
    sleep: object({}),
  };
}

// The two makers differ only in what they do with unknown fields; TypeScript sees two unrelated generics.
const strict = z.strictObject as unknown as typeof z.object;

/** Calls as read: unknown fields are dropped. */
export const incomingCalls = { ...machineCalls(z.object), ...serverCalls(z.object) };
/** Calls as written: an unknown field is a bug. */
export const outgoingCalls: typeof incomingCalls = { ...machineCalls(strict), ...serverCalls(strict) };
/** Results as read. */
export const incomingResults = results(z.object);
/** Results as written. */
export const outgoingResults: typeof incomingResults = results(strict);

/** Name of a call. */
export type Action = keyof typeof incomingCalls;
/** A call that a machine makes. */
export type MachineAction = keyof ReturnType<typeof machineCalls>;
/** A call that the server makes. */
export type ServerAction = keyof ReturnType<typeof serverCalls>;
/** Content of a call. */
export type CallOf<A extends Action> = z.output<(typeof incomingCalls)[A]>;
/** Content of its result. */
export type ResultOf<A extends Action> = z.output<(typeof incomingResults)[A]>;

/** State of an order in a machine's journal. */
export type JournalState = z.output<typeof journalState>;
/** Why a machine rejects an approval. */
export type MachineRejection = z.output<typeof rejectionReason>;
/** Why a delivery failed. */
export type VendFailureCode = z.output<typeof failureCode>;

const machineActions: ReadonlySet<string> = new Set(Object.keys(machineCalls(z.object)));
const serverActions: ReadonlySet<string> = new Set(Object.keys(serverCalls(z.object)));

/** True for the name of a call that a machine makes. */
export function isMachineAction(action: string): action is MachineAction {
  return machineActions.has(action);
}

/** True for the name of a call that the server makes. */
export function isServerAction(action: string): action is ServerAction {
  return serverActions.has(action);
}
