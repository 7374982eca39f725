/**
 * The steps from the payer's yes on: the confirmation, his PIN or agreement, and how the outcome is told. From here on
 * only the journal may say that nothing was debited.
 */

import type { BoardOrder } from '../purchase/order-board-port.ts';
import { Secret } from '../purchase/payment-port.ts';
import type { ConfirmRefusal, PurchaseView } from '../purchase/purchases-port.ts';
import type { RegisteredMachine } from '../purchase/store-port.ts';
import { assert, Fault } from '../result.ts';
import type { Quoted } from './dialog-record.ts';
import { type Screen, tellingOf } from './screens.ts';
import { leftOf, type Next, show, type Turn } from './turn.ts';

/** Kept of the reply's time for saving and sending the answer. */
const afterOutcomeMs = 500;
/** PINs passed on for one purchase; the wallet has its own count. */
const pinsMax = 3;
const pinsWindowMs = 900_000;

/** A PIN as payers have them: 4 to 8 digits. */
export function isPin(input: string): boolean {
  return /^\d{4,8}$/.test(input);
}

/** Key 1 on the quote: the purchase begins, under the name that was fixed with the claim, at the price that was read. */
export async function pay(turn: Turn): Promise<Next> {
  const { machineNumber, quoted, purchaseId } = turn.record;
  assert(machineNumber !== null && quoted !== null, 'a quote without an offer');
  const machine = await machineAt(turn, machineNumber);
  if (machine === 'away') return refused(turn, 'service_down');
  if (machine === null) return refused(turn, 'machine_suspended');
  const outcome = await turn.deps.purchases.confirm({
    purchaseId,
    machine,
    orderSeq: quoted.orderSeq,
    order: orderOf(quoted),
    productName: quoted.productName,
    payerId: BigInt(turn.record.payerId),
    channel: 'ussd',
  });
  switch (outcome.kind) {
    case 'begun':
    case 'exists':
      return awaitOutcome(turn);
    case 'refused':
      return refused(turn, outcome.reason);
    case 'unknown':
      return show('in_progress', { reference: outcome.reference }, { reference: outcome.reference });
  }
}

/** Key 1 on the wallet's question. */
export function agree(turn: Turn): Promise<Next> {
  return passOn(turn, new Secret('yes'));
}

/** Key 0 on the wallet's question. */
export function refuse(turn: Turn): Promise<Next> {
  return passOn(turn, new Secret('no'));
}

/** The payer's PIN: passed on at once, kept nowhere. */
export async function passPinOn(turn: Turn, pin: Secret): Promise<Next> {
  const isWithin = await turn.deps.dialogs.isWithinRate('pin', turn.record.purchaseId, pinsMax, pinsWindowMs);
  if (isWithin) return passOn(turn, pin);
  const view = await turn.deps.purchases.view(turn.record.purchaseId);
  if (view === null) return show('not_known');
  if (view.state !== 'validating') return nextOfPurchase(turn, view);
  return show(isAnswerOpen(turn, view) ? 'in_progress' : 'declined', { reference: view.reference });
}

/** True while an answer passed on earlier may have moved money: the wallet has not just said that it was wrong. */
export function isAnswerOpen(turn: Turn, view: PurchaseView): boolean {
  return view.isAnswered === true && turn.record.screen !== 'wrong_pin';
}

async function passOn(turn: Turn, answer: Secret): Promise<Next> {
  const given = await turn.deps.purchases.giveValidation(turn.record.purchaseId, answer);
  switch (given.kind) {
    case 'passed_on':
      return given.view.state === 'validating' ? nextOfPurchase(turn, given.view, true) : awaitOutcome(turn);
    case 'unanswered':
      return show('in_progress', { reference: given.view.reference });
    case 'not_passed_on':
      if (given.view.state !== 'validating') return nextOfPurchase(turn, given.view);
      return isAnswerOpen(turn, given.view)
        ? show('in_progress', { reference: given.view.reference })
        : show('too_late');
    case 'service_down':
      return show('not_known');
  }
}

/** Waits for what can be told of the purchase, as long as the reply may take. */
async function awaitOutcome(turn: Turn): Promise<Next> {
  const view = await turn.deps.purchases.outcome(turn.record.purchaseId, leftOf(turn, afterOutcomeMs));
  return view === null ? show('not_known') : nextOfPurchase(turn, view);
}

/**
 * The screen that tells a purchase's state, and a record from which the journal alone answers for it.
 *
 * @param isAnswered see `tellingOf`
 */
export function nextOfPurchase(turn: Turn, view: PurchaseView, isAnswered = false): Next {
  const { phrases } = turn.deps;
  const { language } = turn.record;
  const telling = tellingOf(view, isAnswered);
  const text =
    telling.screen === 'declined'
      ? phrases.sayDeclined(language, view)
      : phrases.say(language, telling.key, telling.values);
  return {
    screen: telling.screen,
    values: telling.values,
    text,
    changes: {
      purchaseId: view.id,
      isConfirmed: true,
      reference: null,
      machineNumber: view.machineNumber,
      quoted: null,
    },
    ...(telling.template === null ? {} : { tells: { id: view.id, template: telling.template } }),
  };
}

const REFUSED: Readonly<Record<ConfirmRefusal, Screen>> = {
  too_late: 'too_late',
  order_changed: 'order_changed',
  order_gone: 'no_order',
  taken: 'busy',
  machine_suspended: 'unavailable',
  service_down: 'service_down',
};

/**
 * What an earlier yes under the same name has come to; null when none was given, or the journal has never heard of it. A
 * journal that is away throws, and the payer hears that the result is not known.
 */
export async function earlierYes(turn: Turn, wasConfirmed: boolean): Promise<Next | null> {
  if (!wasConfirmed) return null;
  const { purchaseId, reference } = turn.record;
  const view = await turn.deps.purchases.view(purchaseId);
  if (view !== null) return nextOfPurchase(turn, view);
  return reference === null ? null : show('in_progress', { reference });
}

/** Nothing began: the payer may try again, under a new name, so that one name never stands for two offers. */
async function refused(turn: Turn, reason: ConfirmRefusal): Promise<Next> {
  const earlier = await earlierYes(turn, turn.wasConfirmed);
  if (earlier !== null) return earlier;
  const machine = turn.record.machineNumber ?? '';
  return show(
    REFUSED[reason],
    { machine },
    {
      purchaseId: turn.deps.newPurchaseId(),
      isConfirmed: false,
      reference: null,
      quoted: null,
    },
  );
}

/** `away`: the directory cannot be asked, and the wallet has not been. */
async function machineAt(turn: Turn, number: string): Promise<RegisteredMachine | null | 'away'> {
  try {
    return await turn.deps.directory.machineByNumber(number);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    turn.deps.log.warn('directory_away', { purchaseId: turn.record.purchaseId, code: error.code });
    return 'away';
  }
}

function orderOf(quoted: Quoted): BoardOrder {
  const { orderId, item, currency, deliveryMs } = quoted;
  return { orderId, item, amountMinor: BigInt(quoted.amountMinor), currency, deliveryMs };
}
