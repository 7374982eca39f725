/**
 * Purchases as the machine link sees them: what it says is kept for the test to look at, what it asks is answered from
 * what the test has put there.
 */
import type { Purchases, PurchaseView } from '../../../src/purchase/purchases-port.ts';
import { Bug, Fault } from '../../../src/result.ts';

type Recorded = Parameters<Purchases['recordStatement']>[0];
type Accepted = { readonly machineId: string; readonly orderSeq: number; readonly approvalId: string };

/** A purchase for a test; `state` as given, everything else plausible. */
export function aPurchase(over: Partial<PurchaseView> = {}): PurchaseView {
  return {
    id: 'purchase-1',
    reference: 'AB23CD',
    state: 'approving',
    isAccepted: false,
    machineId: 'machine-1',
    machineNumber: '4567',
    orderSeq: 1,
    item: 7,
    productName: 'Water',
    price: { minor: 500n, currency: 'XOF' },
    channel: 'ussd',
    validation: null,
    declineCode: null,
    reversalReason: null,
    sinceConfirmedMs: 0,
    sinceEndedMs: null,
    ...over,
  };
}

/** Purchases that a test sets up and looks at. */
export class FakePurchases implements Purchases {
  /** Statements as recorded, in order, repetitions included. */
  readonly recorded: Recorded[] = [];
  readonly accepted: Accepted[] = [];
  /** Purchases that exist. */
  readonly views: PurchaseView[] = [];
  /** PostgreSQL is away. */
  isAway = false;
  /** Statements are answered `busy`. */
  isBusy = false;
  /** Statements are never answered. */
  isHanging = false;
  seqFloor = 0;

  kinds(): string[] {
    return this.recorded.map(({ statement }) => statement.kind);
  }

  approvalIdOf(id: string): string {
    return `approval-${id}`;
  }

  ofOrder(machineId: string, orderSeq: number): Promise<PurchaseView | null> {
    if (this.isAway) return Promise.reject(new Fault('journal_unreachable', 'no'));
    return Promise.resolve(
      this.views.find((view) => view.machineId === machineId && view.orderSeq === orderSeq) ?? null,
    );
  }

  liveOfMachine(machineId: string): Promise<readonly PurchaseView[]> {
    if (this.isAway) return Promise.reject(new Fault('journal_unreachable', 'no'));
    return Promise.resolve(this.views.filter((view) => view.machineId === machineId));
  }

  seqFloorOf(_machineId: string): Promise<number> {
    if (this.isAway) return Promise.reject(new Fault('journal_unreachable', 'no'));
    return Promise.resolve(this.seqFloor);
  }

  recordStatement(
    statement: Recorded,
  ): Promise<{ readonly kind: 'recorded'; readonly hasLivePurchase: boolean } | { readonly kind: 'busy' }> {
    if (this.isHanging) return new Promise(() => undefined);
    if (this.isAway || this.isBusy) return Promise.resolve({ kind: 'busy' });
    this.recorded.push(statement);
    const { machineId, orderSeq } = statement.statement;
    const isLive = this.views.some((view) => view.machineId === machineId && view.orderSeq === orderSeq);
    return Promise.resolve({ kind: 'recorded', hasLivePurchase: isLive });
  }

  noteAccepted(machineId: string, orderSeq: number, approvalId: string): Promise<void> {
    this.accepted.push({ machineId, orderSeq, approvalId });
    return Promise.resolve();
  }

  check(): never {
    throw new Bug('not asked by machines');
  }
  confirm(): never {
    throw new Bug('not asked by machines');
  }
  giveValidation(): never {
    throw new Bug('not asked by machines');
  }
  outcome(): never {
    throw new Bug('not asked by machines');
  }
  view(): never {
    throw new Bug('not asked by machines');
  }
  recentOf(): never {
    throw new Bug('not asked by machines');
  }
  told(): never {
    throw new Bug('not asked by machines');
  }
}
