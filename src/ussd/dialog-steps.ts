/**
 * The steps of the dialog up to the payer's yes: finding the machine, claiming its order, quoting, leaving. Nothing here
 * has moved money, and every screen may say so.
 */
import { displayMoney } from '../money.ts';
import type { BoardOrder, Claimed } from '../purchase/order-board-port.ts';
import type { Check } from '../purchase/payment-port.ts';
import type { PurchaseView } from '../purchase/purchases-port.ts';
import type { RegisteredMachine } from '../purchase/store-port.ts';
import { pause } from '../time.ts';
import { readMachineNumber } from './dial-plan.ts';
import type { Quoted } from './dialog-record.ts';
import { agree, earlierYes, isAnswerOpen, nextOfPurchase, pay, refuse } from './paying.ts';
import type { Step } from './screens.ts';
import { askBoard, leftOf, type Next, show, type Turn } from './turn.ts';

/** How often a payer may have us look for his order again in one dialog. */
const looksMax = 5;
/** Answered unknown numbers in the window; the next one hears `slow_down`. */
const unknownNumbersMax = 4;
const unknownNumbersWindowMs = 60_000;
/** Kept of the reply's time for quoting, saving and sending after the wait for an order. */
const afterRendezvousMs = 2_500;

/** Each step of the table in `screens.ts`, carried out. */
export const steps: Readonly<Record<Step, (turn: Turn) => Promise<Next>>> = {
  enter_number: (turn) => openMachine(turn, turn.input),
  enter_wrong_number: (turn) => refuseNumber(turn, readMachineNumber(turn.input)),
  start: startOver,
  leave,
  pay,
  choose_other: async (turn) => {
    await dropClaim(turn);
    return show('no_order', machineOf(turn), { quoted: null });
  },
  look_again: lookAgain,
  take_up: (turn) => openMachine(turn, turn.record.machineNumber ?? '', { asksAgain: false }),
  start_over: startOver,
  buy_again: (turn) => openMachine(turn, turn.record.machineNumber ?? '', { asksAgain: false }),
  keep_paid: keepPaid,
  agree,
  refuse,
  leave_unvalidated: leaveUnvalidated,
  speak_french: (turn) => speak(turn, 'fr'),
  speak_english: (turn) => speak(turn, 'en'),
};

/**
 * From a machine's number to the price: look the machine up, wait for its order, claim it, ask the wallet's advice.
 *
 * @param options.asksAgain  false once the payer has said that he wants another one of what he has just paid
 */
export async function openMachine(turn: Turn, number: string, options = { asksAgain: true }): Promise<Next> {
  const { isConfirmed, machineNumber } = turn.record;
  if (!isConfirmed || machineNumber === number) return offer(turn, number, options);
  return offerAnew(turn, number, options);
}

/** A name that may have been confirmed is never used for another offer; the journal answers for it. */
async function offerAnew(turn: Turn, number: string, options: { readonly asksAgain: boolean }): Promise<Next> {
  const renamed = { purchaseId: turn.deps.newPurchaseId(), isConfirmed: false, reference: null, quoted: null };
  const next = await offer({ ...turn, record: { ...turn.record, ...renamed } }, number, options);
  return { ...next, changes: { ...renamed, ...next.changes } };
}

async function offer(turn: Turn, number: string, options: { readonly asksAgain: boolean }): Promise<Next> {
  const { directory, settings, orders } = turn.deps;
  const { isConfirmed, machineNumber, purchaseId, quoted } = turn.record;
  // Of an offer that he may have paid already the payer hears that first.
  const earlier = await earlierYes(turn, isConfirmed && machineNumber === number);
  if (earlier !== null) return earlier;
  const machine = await directory.machineByNumber(number);
  if (machine === null) return refuseNumber(turn, readMachineNumber(number));
  if (machine.isSuspended) return show('unavailable', { machine: number });

  const paid = options.asksAgain ? await paidJustNow(turn, number) : null;
  const claimed = await askBoard(() =>
    orders.claimWhenPlaced({
      machineId: machine.machineId,
      purchaseId,
      holdMs: settings.claimMs,
      minLeftMs: turn.deps.cutoffMs,
      waitMs: paid === null ? Math.min(settings.rendezvousMs, leftOf(turn, afterRendezvousMs)) : 0,
    }),
  );
  // Under a name that may have been confirmed an order was claimed that has taken the place of the one it was for.
  if (claimed.kind === 'claimed' && isConfirmed && quoted?.orderSeq !== claimed.orderSeq) {
    await askBoard(() => orders.release({ machineId: machine.machineId, purchaseId, fromPaying: false }));
    return offerAnew(turn, number, options);
  }
  if (paid !== null && isSameAgain(paid, claimed)) return askAgain(turn, paid, machine);
  return nextOfClaim(turn, machine, claimed);
}

async function nextOfClaim(turn: Turn, machine: RegisteredMachine, claimed: Claimed): Promise<Next> {
  const values = { machine: machine.number };
  const changes = { machineNumber: machine.number, quoted: null };
  switch (claimed.kind) {
    case 'claimed':
      return quote(turn, machine, claimed);
    case 'paying': {
      // Ours: an earlier yes took the order. The journal knows more; if not, the same yes may be given again.
      const view = await turn.deps.purchases.view(turn.record.purchaseId);
      return view === null ? quote(turn, machine, claimed) : nextOfPurchase(turn, view);
    }
    case 'taken':
      return show('busy', values, changes);
    case 'late':
      return show('too_late', {}, changes);
    case 'closed':
    case 'expired':
    case 'none':
      return show('no_order', values, changes);
  }
}

async function quote(
  turn: Turn,
  machine: RegisteredMachine,
  claimed: { readonly orderSeq: number; readonly order: BoardOrder },
): Promise<Next> {
  const { order, orderSeq } = claimed;
  const item = await turn.deps.directory.itemOf(machine.machineId, order.item);
  const productName = turn.deps.phrases.productName(turn.record.language, item?.productName ?? null, order.item);
  const quoted: Quoted = {
    orderSeq,
    orderId: order.orderId,
    item: order.item,
    amountMinor: order.amountMinor.toString(),
    currency: order.currency,
    deliveryMs: order.deliveryMs,
    productName,
  };
  const price = { minor: order.amountMinor, currency: order.currency };
  const values = { machine: machine.number, product: productName, price: displayMoney(price) };
  const advice = turn.record.isConfirmed ? null : await adviceOn(turn, price);
  const hindrance = advice === null ? null : hindranceOf(advice);
  if (hindrance !== null) {
    await release(turn, machine);
    return show(hindrance, values, { machineNumber: machine.number, quoted: null });
  }
  return show('quote', values, { machineNumber: machine.number, quoted });
}

/** ST10, beside the quote: null when the wallet has no advice in time. The payment itself asks again and decides. */
async function adviceOn(turn: Turn, price: { minor: bigint; currency: string }): Promise<Check | null> {
  const { clock, purchases, settings, log } = turn.deps;
  const stop = new AbortController();
  const asked = purchases.check(turn.msisdn, price).catch((error: unknown) => {
    // Advice only: without it the payer decides, and the wallet after him.
    log.warn('check_failed', { purchaseId: turn.record.purchaseId, error: String(error) });
    return null;
  });
  const late = pause(clock, Math.min(settings.checkWaitMs, leftOf(turn, 500)), stop.signal).then(() => null);
  const advice = await Promise.race([asked, late]);
  // With a reason of our own: the default one is an exception with a stack, made for each quote.
  stop.abort('answered');
  return advice;
}

/** What ends the dialog before the price is shown. Too little money does not: only the wallet's answer decides that. */
function hindranceOf(advice: Check): 'no_account' | 'account_blocked' | null {
  if (advice.account === 'unregistered') return 'no_account';
  return advice.account === 'unavailable' ? 'account_blocked' : null;
}

/** The number was none of ours: told so, at most four times a minute. */
export async function refuseNumber(
  turn: Turn,
  wrong:
    | { readonly kind: 'machine'; readonly number: string }
    | { readonly kind: 'wrong_number'; readonly shown: string },
): Promise<Next> {
  const isWithin = await turn.deps.dialogs.isWithinRate(
    'unknown_number',
    turn.payer,
    unknownNumbersMax,
    unknownNumbersWindowMs,
  );
  if (!isWithin) return show('slow_down');
  const shown = wrong.kind === 'machine' ? wrong.number : wrong.shown;
  return show('unknown_number', { machine: shown === '' ? '?' : shown }, { machineNumber: null, quoted: null });
}

async function lookAgain(turn: Turn): Promise<Next> {
  if (turn.record.looks >= looksMax) return show('lapsed', machineOf(turn));
  const next = await openMachine(turn, turn.record.machineNumber ?? '', { asksAgain: false });
  return { ...next, changes: { ...next.changes, looks: turn.record.looks + 1 } };
}

async function startOver(turn: Turn): Promise<Next> {
  await dropClaim(turn);
  // A name that may have been confirmed is never used for another offer; the journal answers for it.
  const renamed = turn.record.isConfirmed ? { purchaseId: turn.deps.newPurchaseId(), isConfirmed: false } : {};
  return show('ask_number', {}, { machineNumber: null, quoted: null, reference: null, looks: 0, ...renamed });
}

async function leave(turn: Turn): Promise<Next> {
  if (turn.record.isConfirmed) {
    // An earlier yes is unanswered: only the journal may say that nothing was debited.
    const view = await turn.deps.purchases.view(turn.record.purchaseId);
    return view === null ? show('not_known') : nextOfPurchase(turn, view);
  }
  await dropClaim(turn);
  return show('cancelled', {}, { quoted: null, machineNumber: null });
}

async function leaveUnvalidated(turn: Turn): Promise<Next> {
  const view = await turn.deps.purchases.view(turn.record.purchaseId);
  if (view === null) return show('not_known');
  if (view.state !== 'validating') return nextOfPurchase(turn, view);
  // Without the payer's answer nothing moves, and the wallet's request runs out by itself.
  return isAnswerOpen(turn, view) ? show('in_progress', { reference: view.reference }) : show('cancelled');
}

async function keepPaid(turn: Turn): Promise<Next> {
  await dropClaim(turn);
  const paid = await paidJustNow(turn, turn.record.machineNumber ?? '');
  return paid === null ? show('lapsed') : nextOfPurchase(turn, paid);
}

async function speak(turn: Turn, language: string): Promise<Next> {
  if (turn.deps.phrases.languages.includes(language)) {
    await turn.deps.subscribers.setLanguage(BigInt(turn.record.payerId), language);
  }
  return show('ask_number', {}, { language });
}

/** Gives the claim back, if one is held and nothing has been confirmed under it. */
export async function dropClaim(turn: Turn): Promise<void> {
  const { machineNumber, quoted, isConfirmed } = turn.record;
  if (machineNumber === null || quoted === null || isConfirmed) return;
  const machine = await turn.deps.directory.machineByNumber(machineNumber);
  if (machine !== null) await release(turn, machine);
}

async function release(turn: Turn, machine: RegisteredMachine): Promise<void> {
  if (turn.record.isConfirmed) return;
  const { machineId } = machine;
  const { purchaseId } = turn.record;
  await askBoard(() => turn.deps.orders.release({ machineId, purchaseId, fromPaying: false }));
}

/** The payer's purchase at this machine that was paid a moment ago, delivered or being settled. */
async function paidJustNow(turn: Turn, machineNumber: string): Promise<PurchaseView | null> {
  const { purchases, settings } = turn.deps;
  const views = turn.views ?? (await purchases.recentOf(BigInt(turn.record.payerId), settings.resumeMs));
  const isPaid = (view: PurchaseView): boolean =>
    view.machineNumber === machineNumber &&
    (view.state === 'completed' || view.state === 'settling') &&
    sincePaid(view) < settings.paidAgainMs;
  return views.find(isPaid) ?? null;
}

function sincePaid(view: PurchaseView): number {
  return view.sinceEndedMs ?? view.sinceConfirmedMs;
}

/** True when what could be bought now is what was just paid, or nothing: then the payer probably dialed twice. */
function isSameAgain(paid: PurchaseView, claimed: Claimed): boolean {
  switch (claimed.kind) {
    case 'claimed':
      return claimed.order.item === paid.item;
    case 'closed':
    case 'expired':
    case 'none':
      return true;
    case 'paying':
    case 'taken':
    case 'late':
      return false;
  }
}

async function askAgain(turn: Turn, paid: PurchaseView, machine: RegisteredMachine): Promise<Next> {
  await release(turn, machine);
  const seconds = Math.max(1, Math.round(sincePaid(paid) / 1000));
  const since = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  const values = { since, reference: paid.reference };
  return show('already_paid', values, { machineNumber: machine.number, quoted: null });
}

function machineOf(turn: Turn): { machine?: string } {
  return turn.record.machineNumber === null ? {} : { machine: turn.record.machineNumber };
}
