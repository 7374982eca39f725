/**
 * What the journal's tests are made of: a registry, purchases, and the commits that move them.
 */
import { v5, v7 } from 'uuid';
import { type Effect, type EffectKey, keyPartsOf } from '../../src/purchase/effect.ts';
import type { PurchaseEvent } from '../../src/purchase/event.ts';
import {
  type Facts,
  type LivePurchase,
  type LiveState,
  noFacts,
  type Order,
  type Purchase,
  type PurchaseId,
  type State,
} from '../../src/purchase/purchase.ts';
import type { BeginCommit, Commit, EffectRow, MachineStatement, RefundCommit } from '../../src/purchase/store-port.ts';
import type { Registry, RegistryMachine } from '../../src/store/registry.ts';
import type { StoreSecrets } from '../../src/store/store.ts';

const NAMESPACE = '6f6d2f5e-4f0c-4b1f-9a55-0d7d1f3d1c11';

/** Secrets that are none. */
export const testSecrets: StoreSecrets = {
  msisdnMacKey: Buffer.alloc(32, 1),
  masterKeys: [
    { id: 'new', key: Buffer.alloc(32, 2) },
    { id: 'old', key: Buffer.alloc(32, 3) },
  ],
  machineSecret: Buffer.alloc(32, 4),
};

/** A machine of operator 1, with a drink on selection 3. */
export function aRegistryMachine(id: string, number: string, changes: Partial<RegistryMachine> = {}): RegistryMachine {
  return {
    id,
    number,
    operatorId: 1,
    name: `Distributeur ${number}`,
    place: 'Gare de Dakar',
    currency: 'XOF',
    priceMode: 'machine',
    minMinor: 1n,
    maxMinor: 100_000n,
    isSuspended: false,
    key: `key of ${id}`,
    items: [{ item: 3, productName: 'Coca 33 cl', priceMinor: null }],
    ...changes,
  };
}

/** An operator in Dakar with one drink and these machines. */
export function aRegistry(machines: readonly RegistryMachine[] = [aRegistryMachine('M-4567', '4567')]): Registry {
  return {
    operators: [
      { id: 1, name: 'Teranga', account: 'teranga', timeZone: 'Africa/Dakar', currency: 'XOF', language: 'fr' },
    ],
    products: [{ operatorId: 1, name: 'Coca 33 cl', priceMinor: 500n }],
    machines,
  };
}

/** What may differ from one built purchase to the next. */
export type PurchaseChanges = {
  readonly id?: PurchaseId;
  readonly machineId?: string;
  readonly orderSeq?: number;
  readonly payerId?: bigint;
  readonly priceMinor?: bigint;
};

/** A drink for 500 F CFA, just confirmed. */
export function aPurchase(changes: PurchaseChanges = {}): LivePurchase {
  const { id = v7(), machineId = 'M-4567', orderSeq = 1, payerId = 7n, priceMinor = 500n } = changes;
  const order: Order = {
    machineId,
    machineNumber: '4567',
    operatorId: 1,
    operatorAccount: 'teranga',
    orderSeq,
    orderId: `o-${orderSeq}`,
    item: 3,
    productName: 'Coca 33 cl',
    price: { minor: priceMinor, currency: 'XOF' },
    deliveryMs: 30_000,
  };
  return {
    id,
    reference: 'K7M2QX',
    version: 1,
    state: 'authorizing',
    order,
    payerId,
    channel: 'ussd',
    plan: 'hold_capture',
    wallet: { provider: 'centre', resendsByKey: true, reversesByKey: true, maxPendingMs: 120_000 },
    facts: noFacts,
  };
}

/** Key of an effect, as the coordinator's key maker would make it. */
export function keyOf(id: PurchaseId, effect: Effect): EffectKey {
  const { operation, n } = keyPartsOf(effect);
  return v5(`${id}/${operation}/${n}`, NAMESPACE);
}

/** An effect to be planned: due at once, and for any node. */
export function effectRow(id: PurchaseId, effect: Effect, changes: Partial<EffectRow> = {}): EffectRow {
  return { key: keyOf(id, effect), effect, dueInMs: 0, isOwn: false, ...changes };
}

/** The first effect of every purchase. */
export const authorize = { kind: 'authorize', expiresInMs: 60_000, holdMs: 90_000, isResend: false } as const;

/** Commit 1 of a purchase: its own node asks the wallet, the order has a minute left. */
export function beginOf(purchase: LivePurchase, changes: Partial<BeginCommit> = {}): BeginCommit {
  const { id, reference, order, payerId, channel, plan, wallet } = purchase;
  return {
    purchase,
    event: {
      type: 'confirmed',
      id,
      reference,
      order,
      payerId,
      channel,
      plan,
      wallet,
      holdMs: 90_000,
      leftMs: 60_000,
    },
    effects: [effectRow(id, authorize, { isOwn: true })],
    deadlineMs: 60_000,
    ...changes,
  };
}

/** The purchase one version on. */
export function moved(purchase: Purchase, state: State, facts: Partial<Facts> = {}): Purchase {
  const common = { ...purchase, version: purchase.version + 1, facts: { ...purchase.facts, ...facts } };
  return state === 'completed' || state === 'declined' || state === 'reversed'
    ? { ...common, state }
    : { ...common, state: state as LiveState };
}

/** A commit that moves a purchase to a state by an event, and does nothing else. */
export function commitOf(
  purchase: Purchase,
  state: State,
  event: PurchaseEvent,
  changes: Partial<Commit> = {},
): Commit {
  const after = changes.after ?? moved(purchase, state);
  const isEnd = state === 'completed' || state === 'declined' || state === 'reversed';
  return {
    before: { id: purchase.id, version: purchase.version, state: purchase.state },
    after,
    event,
    deadline: isEnd ? null : 'keep',
    planned: [],
    dropped: [],
    rescheduled: [],
    onlyIfUnsent: null,
    statement: null,
    opened: [],
    closed: [],
    isLazy: false,
    ...changes,
  };
}

/** `authorized`: the price is held, the approval is planned. */
export function authorizedOf(purchase: Purchase, changes: Partial<Commit> = {}): Commit {
  const event: PurchaseEvent = { type: 'authorized', ref: 'W-1', holdExpiresInMs: 90_000, leftMs: 50_000 };
  return commitOf(purchase, 'approving', event, {
    after: moved(purchase, 'approving', { walletRef: 'W-1', inDoubtMs: 60_000 }),
    planned: [effectRow(purchase.id, { kind: 'approve' })],
    dropped: [keyOf(purchase.id, authorize)],
    ...changes,
  });
}

/** A machine's word about a purchase's order. */
export function statementOf(purchase: Purchase, kind: MachineStatement['kind'] = 'success'): MachineStatement {
  const { machineId, orderSeq } = purchase.order;
  return { machineId, orderSeq, kind, content: { orderSeq, amount: '500', presumed: null } };
}

/** `vend_succeeded`, by the machine's statement. */
export function succeededOf(purchase: Purchase, changes: Partial<Commit> = {}): Commit {
  return commitOf(
    purchase,
    'settling',
    { type: 'vend_succeeded', basis: null },
    {
      deadline: 86_400_000,
      planned: [
        effectRow(purchase.id, { kind: 'settle', n: 1 }, { isOwn: true }),
        effectRow(purchase.id, { kind: 'notify', template: 'receipt' }),
      ],
      dropped: [keyOf(purchase.id, { kind: 'approve' })],
      statement: statementOf(purchase),
      ...changes,
    },
  );
}

/** A refund of a part of the price. */
export function refundOf(id: PurchaseId, n: number, amountMinor: bigint): RefundCommit {
  return {
    purchaseId: id,
    n,
    amountMinor,
    requestedBy: 'awa',
    reason: 'wrong product',
    effect: effectRow(id, { kind: 'refund', n, amountMinor, reason: 'wrong product' }),
    opened: ['paid_after_close'],
  };
}
