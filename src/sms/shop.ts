/**
 * What a text brings about, and what is answered: the rules of buying by SMS, without the wire.
 */
import { displayMoney } from '../money.ts';
import type { BoardOrder, DialogBoard, OrderBoard } from '../purchase/order-board-port.ts';
import type { Msisdn, PayerId, PurchaseId, State } from '../purchase/purchase.ts';
import type { ConfirmRefusal, Purchases, PurchaseView } from '../purchase/purchases-port.ts';
import type { Directory, RegisteredMachine, Subscribers } from '../purchase/store-port.ts';
import { assertNever } from '../result.ts';
import type { SmppLog, SmppMetrics } from '../smpp/bind.ts';
import type { Clock, DurationMs } from '../time.ts';
import type { SmsCommand } from './command.ts';
import { type Conversations, createConversations, type SmsQuote, watchTurns } from './conversation.ts';
import type { SmsSettings } from './sms-settings.ts';
import { type SmsPhrases, type SmsTextKey, sayState } from './templates.ts';

/** How long a conversation is remembered: longer than a quote, so that a late code still finds its machine. */
const conversationMs: DurationMs = 300_000;
/** Answered unknown numbers in the window, as in the dialog. */
const unknownNumbersMax = 4;
const unknownNumbersWindowMs: DurationMs = 60_000;
const hourMs: DurationMs = 3_600_000;
/** After so long without an outcome the payer is told not to pay again. */
const slowAfterMs: DurationMs = 10_000;

/** What the SMS side needs of the other rooms. */
export interface ShopDeps {
  readonly settings: SmsSettings;
  /** `payment.cutoffMs`. */
  readonly cutoffMs: number;
  readonly phrases: SmsPhrases;
  readonly dialogs: DialogBoard;
  readonly orders: OrderBoard;
  readonly directory: Directory;
  readonly subscribers: Subscribers;
  readonly purchases: Purchases;
  /** A new UUIDv7. */
  readonly newPurchaseId: () => PurchaseId;
  /** Three digits that nobody can foretell. */
  readonly newCode: () => string;
  readonly clock: Clock;
  readonly log: SmppLog;
  readonly metrics: SmppMetrics;
}

/** Who wrote. The number can be forged. */
export type Sender = {
  readonly account: string;
  readonly msisdn: Msisdn;
  readonly payer: string;
  readonly payerId: PayerId;
  readonly language: string | null;
};

/** The rules of buying by SMS. */
export interface Shop {
  /** Does what the text asks for; the answer, or null for none. What it did is durable when this resolves. */
  serve(sender: Sender, command: SmsCommand): Promise<Served | null>;
  /** The answer where `serve` failed: says no more about the money than is known. */
  sayFailed(sender: Sender, command: SmsCommand): string;
  /** After a confirmation: "in progress" if nothing can be told after 10 s, otherwise null: the notices tell it. */
  sayIfSlow(sender: Sender): Promise<string | null>;
  /** Changes whenever a quote of this sender is used up. */
  turnOf(sender: Sender): Promise<number>;
  /** True once this sender has had another order or confirmation answered, by any node: the answer is out of date. */
  isOvertaken(sender: Sender, served: Served): Promise<boolean>;
}

/** An answer. `turn`: of the sender's conversation, as the answer found or left it; null where it does not depend on one. */
export type Served = { readonly text: string; readonly turn: number | null };

/** True while the payer cannot buy again at that machine. */
const UNDER_WAY: Readonly<Record<State, boolean>> = {
  authorizing: true,
  validating: true,
  approving: true,
  vending: true,
  settling: false,
  completed: false,
  declined: false,
  reversing: false,
  reversed: false,
  in_doubt: false,
};

const REFUSED: Readonly<Record<ConfirmRefusal, SmsTextKey>> = {
  too_late: 'too_late',
  order_changed: 'sms_order_changed',
  order_gone: 'sms_order_changed',
  taken: 'sms_busy',
  machine_suspended: 'unavailable',
  service_down: 'service_down',
};

/** Makes the rules. */
export function createShop(deps: ShopDeps): Shop {
  const talks = createConversations(deps.dialogs, deps.clock, conversationMs);
  return {
    serve: async (sender, command) => {
      let lastTurn: number | null = null;
      const watched = watchTurns(talks, (turn) => {
        lastTurn = turn;
      });
      const text = await serve({ deps, talks: watched }, sender, command);
      return text === null ? null : { text, turn: lastTurn };
    },
    sayFailed: (sender, command) =>
      deps.phrases.say(sender.language, command.kind === 'confirm' ? 'not_known' : 'try_later', {}),
    sayIfSlow: async (sender) => {
      const [last] = await deps.purchases.recentOf(sender.payerId, slowAfterMs);
      if (last === undefined || last.channel !== 'sms' || last.state !== 'authorizing') return null;
      const view = await deps.purchases.outcome(last.id, slowAfterMs);
      return view?.state === 'authorizing' ? sayState(deps.phrases, sender.language, view) : null;
    },
    turnOf: async (sender) => {
      const { turn, claim } = await talks.readClaim(sender.account, sender.payer);
      return claim?.isOpen === true ? 0 : turn;
    },
    isOvertaken: async (sender, { turn }) =>
      turn !== null && (await talks.readClaim(sender.account, sender.payer)).turn !== turn,
  };
}

type Helps = { readonly deps: ShopDeps; readonly talks: Conversations };

async function serve(helps: Helps, sender: Sender, command: SmsCommand): Promise<string | null> {
  const { phrases, dialogs, settings, subscribers, log } = helps.deps;
  switch (command.kind) {
    case 'order':
      return order(helps, sender, command.machineNumber);
    case 'confirm':
      return confirm(helps, sender, command.code);
    case 'cancel':
      return cancel(helps, sender);
    case 'language': {
      if (!phrases.languages.includes(command.language)) return phrases.say(sender.language, 'sms_help', {});
      await subscribers.setLanguage(sender.payerId, command.language);
      return phrases.say(command.language, 'sms_help', {});
    }
    case 'help':
      return phrases.say(sender.language, 'sms_help', {});
    case 'stop':
    case 'start':
      // Kept for a person until there is a place for the wish: an answer to STOP would be one text too many.
      log.warn('sms_opt_out_not_kept', { payer: sender.payer, wish: command.kind });
      return null;
    case 'unclear': {
      const isWithin = await dialogs.isWithinRate('sms_help', sender.payer, 1, settings.helpEveryMs);
      return isWithin ? phrases.say(sender.language, 'sms_help', {}) : null;
    }
    default:
      return assertNever(command);
  }
}

/** An order that got no quote may be sent again at once: its claim's name is closed, and with it its mark as a copy. */
async function order(helps: Helps, sender: Sender, machineNumber: string): Promise<string> {
  const { deps, talks } = helps;
  const answer = await answerOrder(helps, sender, machineNumber);
  if (answer.hasQuote) return answer.text;
  const { claim } = await talks.readClaim(sender.account, sender.payer);
  const isElsewhere = claim?.isOpen === true && claim.machineNumber !== machineNumber;
  if (isElsewhere) return answer.text;
  const purchaseId = claim?.purchaseId ?? deps.newPurchaseId();
  await talks.keepClaim(sender.account, sender.payer, { purchaseId, machineNumber, isOpen: false });
  return answer.text;
}

type OrderAnswer = { readonly text: string; readonly hasQuote: boolean };

async function answerOrder(helps: Helps, sender: Sender, machineNumber: string): Promise<OrderAnswer> {
  const { deps } = helps;
  const { phrases, settings } = deps;
  const machine = await deps.directory.machineByNumber(machineNumber);
  const language = sender.language ?? machine?.language ?? null;
  const without = (text: string): OrderAnswer => ({ text, hasQuote: false });
  const say = (key: SmsTextKey): OrderAnswer => without(phrases.say(language, key, { machine: machineNumber }));
  if (machine === null) {
    const { dialogs } = deps;
    const isWithin = await dialogs.isWithinRate(
      'unknown_number',
      sender.payer,
      unknownNumbersMax,
      unknownNumbersWindowMs,
    );
    return say(isWithin ? 'sms_unknown_number' : 'slow_down');
  }
  const views = await deps.purchases.recentOf(sender.payerId, settings.lookBackMs);
  const here = views.filter((view) => view.machineNumber === machineNumber);
  const underWay = here.find(({ state }) => UNDER_WAY[state] || (machine.isSuspended && !isOver(state)));
  if (underWay !== undefined) return without(sayState(phrases, language, underWay));
  if (machine.isSuspended) return say('unavailable');
  if (await isUnanswered(helps, sender)) return say('not_known');

  const purchaseId = await nameClaim(helps, sender, machineNumber);
  const claimed = await deps.orders.claimWhenPlaced({
    machineId: machine.machineId,
    purchaseId,
    holdMs: settings.quoteMs,
    minLeftMs: deps.cutoffMs,
    waitMs: settings.rendezvousMs,
  });
  switch (claimed.kind) {
    case 'claimed':
      return quote(helps, sender, { machine, purchaseId, language, ...claimed });
    case 'paying': {
      const view = await deps.purchases.view(purchaseId);
      return view === null ? say('not_known') : without(sayState(phrases, language, view));
    }
    case 'taken':
      return say('sms_busy');
    case 'late':
      return say('too_late');
    case 'closed':
    case 'expired':
    case 'none':
      return say('sms_no_order');
  }
}

/**
 * The name under which this sender claims here: a new one, since a yes to the offer before may be on its way in another
 * node. The claim under his open one is released, so that he never finds himself in his own way.
 */
async function nameClaim(helps: Helps, sender: Sender, machineNumber: string): Promise<PurchaseId> {
  const { deps, talks } = helps;
  const { claim } = await talks.readClaim(sender.account, sender.payer);
  if (claim?.isOpen === true) await release(helps, claim);
  const purchaseId = deps.newPurchaseId();
  await talks.keepClaim(sender.account, sender.payer, { purchaseId, machineNumber, isOpen: true });
  return purchaseId;
}

async function quote(
  helps: Helps,
  sender: Sender,
  offer: {
    readonly machine: RegisteredMachine;
    readonly purchaseId: PurchaseId;
    readonly language: string | null;
    readonly orderSeq: number;
    readonly order: BoardOrder;
    readonly leftMs: DurationMs;
  },
): Promise<OrderAnswer> {
  const { deps, talks } = helps;
  const { machine, language, order } = offer;
  const { settings, phrases } = deps;
  const machineNumber = machine.number;
  if (!(await deps.dialogs.isWithinRate('sms_quote', sender.payer, settings.quotesPerHour, hourMs))) {
    await dropClaim(helps, sender, { purchaseId: offer.purchaseId, machineNumber });
    return { text: phrases.say(language, 'sms_too_many', {}), hasQuote: false };
  }
  const item = await deps.directory.itemOf(machine.machineId, order.item);
  const productName = phrases.productName(language, item?.productName ?? null, order.item);
  const code = deps.newCode();
  const kept: SmsQuote = {
    code,
    purchaseId: offer.purchaseId,
    machineNumber,
    orderSeq: offer.orderSeq,
    orderId: order.orderId,
    item: order.item,
    amountMinor: order.amountMinor.toString(),
    currency: order.currency,
    deliveryMs: order.deliveryMs,
    productName,
  };
  // No longer than the machine still waits with enough time to pay: the text promises what the board will keep.
  const quoteMs = Math.max(1, Math.min(settings.quoteMs, offer.leftMs - deps.cutoffMs));
  await talks.keepQuote(sender.account, sender.payer, kept, quoteMs);
  const text = phrases.say(language, 'sms_quote', {
    machine: machineNumber,
    product: productName,
    price: displayMoney({ minor: order.amountMinor, currency: order.currency }),
    code,
    minutes: String(Math.max(1, Math.floor(quoteMs / 60_000))),
  });
  return { text, hasQuote: true };
}

async function confirm(helps: Helps, sender: Sender, code: string): Promise<string | null> {
  const { deps, talks } = helps;
  const { phrases, directory, purchases } = deps;
  const quoted = await talks.takeQuote(sender.account, sender.payer);
  if (quoted === null) return sayWithoutQuote(helps, sender);
  const { machineNumber, purchaseId } = quoted;
  const machine = await directory.machineByNumber(machineNumber);
  const language = sender.language ?? machine?.language ?? null;
  const say = (key: SmsTextKey): string => phrases.say(language, key, { machine: machineNumber });
  if (quoted.code !== code || machine === null) {
    await dropClaim(helps, sender, { purchaseId, machineNumber });
    return say(machine === null ? 'unavailable' : 'sms_wrong_code');
  }
  // Before the coordinator hears of it: whatever dies now, the next order gets a new name.
  const closed = { purchaseId, machineNumber, isOpen: false };
  await talks.keepClaim(sender.account, sender.payer, { ...closed, unansweredId: purchaseId });
  const outcome = await purchases.confirm({
    purchaseId,
    machine,
    orderSeq: quoted.orderSeq,
    order: orderOf(quoted),
    productName: quoted.productName,
    payerId: sender.payerId,
    channel: 'sms',
  });
  switch (outcome.kind) {
    case 'begun':
      return null;
    case 'exists':
      return sayState(phrases, language, outcome.view);
    case 'refused':
      await talks.keepClaim(sender.account, sender.payer, { ...closed, unansweredId: null });
      await release(helps, { purchaseId, machineNumber });
      return say(REFUSED[outcome.reason]);
    case 'unknown':
      return phrases.say(language, 'in_progress', { reference: outcome.reference });
  }
}

/** A code without a quote: late, or the same text again. Only the journal may say that nothing was debited. */
async function sayWithoutQuote(helps: Helps, sender: Sender): Promise<string> {
  const { deps, talks } = helps;
  const last = await lastPurchase(deps, sender);
  if (last !== null) return sayState(deps.phrases, sender.language, last);
  const { claim } = await talks.readClaim(sender.account, sender.payer);
  if (claim === null) return deps.phrases.say(sender.language, 'sms_help', {});
  if (await isUnanswered(helps, sender)) return deps.phrases.say(sender.language, 'not_known', {});
  if (claim.isOpen) await dropClaim(helps, sender, claim);
  return deps.phrases.say(sender.language, 'sms_expired', { machine: claim.machineNumber });
}

async function cancel(helps: Helps, sender: Sender): Promise<string> {
  const { deps, talks } = helps;
  const quoted = await talks.takeQuote(sender.account, sender.payer);
  if (quoted !== null) await dropClaim(helps, sender, quoted);
  const last = quoted === null ? await lastPurchase(deps, sender) : null;
  if (last !== null) return sayState(deps.phrases, sender.language, last);
  const isUnknown = await isUnanswered(helps, sender);
  return deps.phrases.say(sender.language, isUnknown ? 'not_known' : 'cancelled', {});
}

/** True while a confirmation of this sender is being committed, or has no answer, and the journal does not know it. */
async function isUnanswered({ deps, talks }: Helps, sender: Sender): Promise<boolean> {
  const { claim } = await talks.readClaim(sender.account, sender.payer);
  const id = claim?.unansweredId ?? null;
  return id !== null && (await deps.purchases.view(id)) === null;
}

function isOver(state: State): boolean {
  return state === 'completed' || state === 'declined' || state === 'reversed';
}

async function lastPurchase(deps: ShopDeps, sender: Sender): Promise<PurchaseView | null> {
  const [last] = await deps.purchases.recentOf(sender.payerId, deps.settings.lookBackMs);
  return last ?? null;
}

/** Gives the claim back; its name is not used again. */
async function dropClaim(
  helps: Helps,
  sender: Sender,
  claim: { readonly purchaseId: PurchaseId; readonly machineNumber: string },
): Promise<void> {
  const { purchaseId, machineNumber } = claim;
  await helps.talks.keepClaim(sender.account, sender.payer, { purchaseId, machineNumber, isOpen: false });
  await release(helps, claim);
}

async function release(
  helps: Helps,
  claim: { readonly purchaseId: PurchaseId; readonly machineNumber: string },
): Promise<void> {
  const machine = await helps.deps.directory.machineByNumber(claim.machineNumber);
  if (machine === null) return;
  const { machineId } = machine;
  await helps.deps.orders.release({ machineId, purchaseId: claim.purchaseId, fromPaying: false });
}

function orderOf(quoted: SmsQuote): BoardOrder {
  const { orderId, item, currency, deliveryMs } = quoted;
  return { orderId, item, amountMinor: BigInt(quoted.amountMinor), currency, deliveryMs };
}
