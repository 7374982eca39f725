/**
 * The tables of the store in memory.
 */
import type { EffectKey, LeasedEffect } from '../../src/purchase/effect.ts';
import type { MachineId, Purchase, PurchaseId } from '../../src/purchase/purchase.ts';
import type { JournalEntry, MachineStatement } from '../../src/purchase/store-port.ts';

/** A purchase as kept. Times are those of the clock handed in. */
export type KeptPurchase = {
  readonly purchase: Purchase;
  readonly deadlineAt: number | null;
  readonly confirmedAt: number;
  readonly endedAt: number | null;
};
/** An effect as kept. */
export type KeptEffect = Omit<LeasedEffect, 'leaseLeftMs' | 'maySentBefore'> & {
  readonly dueAt: number;
  readonly leaseOwner: string | null;
  readonly machineId: MachineId | null;
};
/** A case: open or closed. */
export type KeptCase = { readonly purchaseId: PurchaseId; readonly kind: string; readonly isOpen: boolean };
/** A refund. */
export type KeptRefund = {
  readonly purchaseId: PurchaseId;
  readonly n: number;
  readonly amountMinor: bigint;
  readonly key: EffectKey;
  readonly state: 'pending' | 'settled';
};
/** Sales of one machine. */
export type KeptFigures = {
  sold: number;
  soldMinor: bigint;
  reversed: number;
  reversedMinor: bigint;
  declined: number;
};

/** The tables; one journal, however many nodes. */
export class MemoryTables {
  readonly machines = new Map<MachineId, { isSuspended: boolean; seqFloor: number }>();
  readonly purchases = new Map<PurchaseId, KeptPurchase>();
  readonly past = new Map<PurchaseId, KeptPurchase>();
  readonly effects = new Map<string, KeptEffect>();
  readonly events = new Map<PurchaseId, JournalEntry[]>();
  readonly statements = new Map<string, MachineStatement>();
  readonly cases = new Map<string, KeptCase>();
  readonly refunds = new Map<string, KeptRefund>();
  readonly figures = new Map<MachineId, KeptFigures>();

  find(id: PurchaseId): KeptPurchase | undefined {
    return this.purchases.get(id) ?? this.past.get(id);
  }
}
