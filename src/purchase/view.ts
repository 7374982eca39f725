/**
 * A purchase as a phone may show it.
 */
import type { PurchaseView } from './purchases-port.ts';
import type { Loaded } from './store-port.ts';

/** The view of a purchase; `isAccepted` is what this node has heard from the machine. */
export function viewOf(loaded: Loaded, isAccepted: boolean): PurchaseView {
  const { id, reference, state, order, channel, facts } = loaded.purchase;
  return {
    id,
    reference,
    state,
    isAccepted: isAccepted || state === 'vending' || state === 'settling' || state === 'completed',
    machineId: order.machineId,
    machineNumber: order.machineNumber,
    orderSeq: order.orderSeq,
    item: order.item,
    productName: order.productName,
    price: order.price,
    channel,
    validation: facts.validation,
    ...(facts.validateAttempts > 0 ? { isAnswered: true } : {}),
    declineCode: facts.declineCode,
    reversalReason: facts.reversalReason,
    sinceConfirmedMs: loaded.sinceConfirmedMs,
    sinceEndedMs: loaded.sinceEndedMs,
  };
}

/** True when the payer can be told something: an outcome, or that an answer of his is wanted. */
export function isTellable(view: PurchaseView): boolean {
  switch (view.state) {
    case 'authorizing':
    case 'reversing':
      return false;
    case 'approving':
      return view.isAccepted;
    case 'validating':
    case 'vending':
    case 'settling':
    case 'completed':
    case 'declined':
    case 'reversed':
    case 'in_doubt':
      return true;
  }
}
