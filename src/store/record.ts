/**
 * A purchase, its effects and events as rows, both ways. The only parser of what the journal holds: it trusts rows that
 * this house wrote, and asserts where a row of another version could be misread.
 */
import type { JSONValue, Row } from 'postgres';
import type { Effect, LeasedEffect, NoticeTemplate } from '../purchase/effect.ts';
import type { Confirmed, PurchaseEvent } from '../purchase/event.ts';
import {
  type Channel,
  type EndedState,
  type Facts,
  type LiveState,
  noFacts,
  type Order,
  type Plan,
  type Purchase,
  type ReversalReason,
  type State,
  type WalletTraits,
} from '../purchase/purchase.ts';
import type { Loaded } from '../purchase/store-port.ts';
import { assert, Bug } from '../result.ts';

const STATES: Readonly<Record<State, 'live' | 'ended'>> = {
  authorizing: 'live',
  validating: 'live',
  approving: 'live',
  vending: 'live',
  settling: 'live',
  reversing: 'live',
  in_doubt: 'live',
  completed: 'ended',
  declined: 'ended',
  reversed: 'ended',
};

/** A state's name, checked. @throws Bug for another word. */
export function stateOf(text: unknown): State {
  assert(typeof text === 'string' && Object.hasOwn(STATES, text), 'the journal holds a state that this version knows');
  return text as State;
}

/** True for the states that no edge leaves. */
export function isEndedState(state: State): state is EndedState {
  return STATES[state] === 'ended';
}

/** A value as JSON can carry it: bigints become decimal strings, absent fields are left out. */
export function plainJson(value: unknown): JSONValue {
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    assert(Number.isFinite(value), 'numbers of the journal are finite');
    return value;
  }
  if (Array.isArray(value)) return value.map(plainJson);
  assert(typeof value === 'object', 'the journal holds plain values');
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, plainJson(field)]));
}

/** What `order_snapshot` holds: the order but for what has columns of its own. */
export function snapshotOf(order: Order): JSONValue {
  const { machineNumber, operatorAccount, orderId, item, productName, deliveryMs } = order;
  return { machineNumber, operatorAccount, orderId, item, productName, deliveryMs };
}

/** What `wallet` holds: the traits but for the provider's label. */
export function walletJson(wallet: WalletTraits): JSONValue {
  const { resendsByKey, reversesByKey, maxPendingMs } = wallet;
  return { resendsByKey, reversesByKey, maxPendingMs };
}

/** What `purchase_events.content` holds: the event but for what its row says already. */
export function eventJson(event: Confirmed | PurchaseEvent): JSONValue {
  if (event.type !== 'confirmed') {
    const { type: _type, ...content } = event;
    return plainJson(content);
  }
  const { type: _type, id: _id, ...content } = event;
  return plainJson(content);
}

/** What `effects.payload` holds: the effect but for its kind. */
export function payloadOf(effect: Effect): JSONValue {
  const { kind: _kind, ...payload } = effect;
  return plainJson(payload);
}

type Payload = {
  readonly expiresInMs: number;
  readonly holdMs: number | null;
  readonly isResend: boolean;
  readonly n: number;
  readonly reason: string;
  readonly amountMinor: string;
  readonly template: NoticeTemplate;
};

function effectOf(kind: Effect['kind'], payload: Payload): Effect {
  switch (kind) {
    case 'authorize':
      return { kind, expiresInMs: payload.expiresInMs, holdMs: payload.holdMs, isResend: payload.isResend };
    case 'query_payment':
    case 'approve':
    case 'query_order':
      return { kind };
    case 'settle':
      return { kind, n: payload.n };
    case 'reverse':
      return { kind, n: payload.n, reason: payload.reason as ReversalReason };
    case 'refund':
      return { kind, n: payload.n, amountMinor: BigInt(payload.amountMinor), reason: payload.reason };
    case 'notify':
      return { kind, template: payload.template };
    default:
      throw new Bug('the journal holds an effect that this version does not know');
  }
}

/** An effect read with the columns of `effectColumns`. */
export function effectOfRow(row: Row): LeasedEffect {
  return {
    purchaseId: row['purchase_id'] as string,
    key: row['key'] as string,
    effect: effectOf(row['kind'] as Effect['kind'], row['payload'] as Payload),
    tries: row['tries'] as number,
    maySent: row['may_sent'] as boolean,
    maySentBefore: row['may_sent_before'] as boolean,
    leaseLeftMs: row['lease_left_ms'] as number,
  };
}

function orderOf(row: Row): Order {
  const snapshot = row['order_snapshot'] as Pick<
    Order,
    'machineNumber' | 'operatorAccount' | 'orderId' | 'item' | 'productName' | 'deliveryMs'
  >;
  return {
    machineId: row['machine_id'] as string,
    machineNumber: snapshot.machineNumber,
    operatorId: row['operator_id'] as number,
    operatorAccount: snapshot.operatorAccount,
    orderSeq: Number(row['order_seq'] as bigint),
    orderId: snapshot.orderId,
    item: snapshot.item,
    productName: snapshot.productName,
    price: { minor: row['amount_minor'] as bigint, currency: row['currency'] as string },
    deliveryMs: snapshot.deliveryMs,
  };
}

function purchaseOf(row: Row): Purchase {
  const state = stateOf(row['state']);
  const common = {
    id: row['id'] as string,
    reference: row['reference'] as string,
    version: row['version'] as number,
    order: orderOf(row),
    payerId: row['payer_id'] as bigint,
    channel: row['channel'] as Channel,
    plan: row['plan'] as Plan,
    wallet: { provider: row['provider'] as string, ...(row['wallet'] as Omit<WalletTraits, 'provider'>) },
    // A fact that an older version did not know yet is one of which nothing is known.
    facts: { ...noFacts, ...(row['facts'] as Facts) },
  };
  return isEndedState(state) ? { ...common, state } : { ...common, state: state as LiveState };
}

/** A purchase read with the columns of `purchaseColumns`. */
export function loadedOfRow(row: Row): Loaded {
  return {
    purchase: purchaseOf(row),
    leftMs: row['left_ms'] as number | null,
    sinceConfirmedMs: row['since_confirmed_ms'] as number,
    sinceEndedMs: row['since_ended_ms'] as number | null,
  };
}
