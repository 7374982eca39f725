/**
 * Where a dial leads: to the state of a purchase that is under way, to an offer that was left open, or to a machine. A
 * redial never pays.
 */
import { displayMoney } from '../money.ts';
import type { State } from '../purchase/purchase.ts';
import type { PurchaseView } from '../purchase/purchases-port.ts';
import type { Dial } from './dial-plan.ts';
import { dropClaim, openMachine, refuseNumber } from './dialog-steps.ts';
import { nextOfPurchase } from './paying.ts';
import { type Next, show, type Turn } from './turn.ts';

/** True while the payer must hear of the purchase before anything else; a paid one is asked about by `already_paid`. */
const TOLD_FIRST: Readonly<Record<State, boolean>> = {
  authorizing: true,
  validating: true,
  approving: true,
  vending: true,
  in_doubt: true,
  reversing: true,
  settling: false,
  completed: false,
  declined: false,
  reversed: false,
};

/** The first screen of a dial. `turn.views` are the payer's purchases of the last minutes, by the journal. */
export async function openDialog(turn: Turn, dial: Dial): Promise<Next> {
  if (dial.kind === 'settings') return show('language');
  const underWay = turn.views?.find((view) => TOLD_FIRST[view.state] && isMeant(dial, view.machineNumber));
  if (underWay !== undefined) return nextOfPurchase(turn, underWay);
  const leftOpen = await takeUp(turn, dial);
  if (leftOpen !== null) return leftOpen;

  switch (dial.kind) {
    case 'ask_number':
      return show('ask_number');
    case 'machine':
      return openMachine(turn, dial.number);
    case 'wrong_number':
      return refuseNumber(turn, dial);
  }
}

/** The offer that an earlier dialog left open, or null when there is none or another machine was dialed. */
async function takeUp(turn: Turn, dial: Dial): Promise<Next | null> {
  const { quoted, machineNumber, isConfirmed, purchaseId, reference } = turn.record;
  if (quoted === null || machineNumber === null) return null;
  if (!isMeant(dial, machineNumber)) {
    await dropClaim(turn);
    return null;
  }
  if (isConfirmed) {
    const view: PurchaseView | null = await turn.deps.purchases.view(purchaseId);
    if (view !== null) return nextOfPurchase(turn, view);
    // The commit has no answer: an absent row proves nothing while the statement may still be running.
    if (reference !== null) return show('in_progress', { reference });
  }
  const price = displayMoney({ minor: BigInt(quoted.amountMinor), currency: quoted.currency });
  return show('resume', { machine: machineNumber, price });
}

function isMeant(dial: Dial, machineNumber: string): boolean {
  return dial.kind === 'ask_number' || (dial.kind === 'machine' && dial.number === machineNumber);
}
