/**
 * What a person may do to a purchase: give the money back, confirm a delivery, accept a loss. Each act has a name and a
 * reason, is one event or one refund record, and happens once however often and by however many it is asked for.
 */
import type { UnixMs } from '../time.ts';
import type { Coordinator } from './coordinator.ts';
import type { KeyMaker } from './effect.ts';
import type { PurchaseEvent } from './event.ts';
import type { Purchase, PurchaseId, State } from './purchase.ts';
import type { Refusal } from './refusal.ts';
import type { JournalReader, PurchaseStore } from './store-port.ts';

/** Who acts, and why; kept with the act for ever. */
export type Act = { readonly by: string; readonly reason: string };

/** Money given back after the end, as the journal has it. */
export type RefundEntry = {
  readonly n: number;
  readonly amountMinor: bigint;
  readonly state: 'pending' | 'settled';
  readonly requestedBy: string;
  readonly reason: string;
  readonly at: UnixMs;
};

/** Why an act is refused; nothing was changed. */
export type ActRefusal =
  | 'no_purchase'
  /** The machine has the approval, or is about to, and may be delivering. */
  | 'still_delivering'
  | 'being_collected'
  | 'going_back'
  | 'already_back'
  | 'nothing_moved'
  /** A person accepted the operator's loss: the payer was not charged. */
  | 'nothing_collected'
  /** What has no end yet can go back in whole only. */
  | 'only_whole'
  | 'above_rest'
  /** The wallet can only undo a payment in whole. */
  | 'not_in_parts'
  | 'not_in_doubt'
  | 'nothing_to_accept'
  /** Another event came first, or keeps coming: look, and decide again. */
  | 'changed_meanwhile'
  | Extract<Refusal, 'not_overdue' | 'not_reversible' | 'hold_not_gone'>;

/** What became of an act. `done_before`: the same act, by whom and when; nothing is done twice. */
export type ActOutcome =
  | { readonly kind: 'done'; readonly purchase: Purchase; readonly amountMinor: bigint }
  | { readonly kind: 'done_before'; readonly by: string; readonly at: UnixMs; readonly amountMinor: bigint }
  | { readonly kind: 'refused'; readonly why: ActRefusal };

/** What the acts work with. */
export type PeopleDeps = {
  readonly coordinator: Coordinator;
  readonly store: Pick<PurchaseStore, 'refund'>;
  readonly reader: JournalReader;
  /** Refunds of a purchase, by number. */
  readonly refundsOf: (id: PurchaseId) => Promise<readonly RefundEntry[]>;
  /** True where the wallet gives back a part of the price. */
  readonly givesBackParts: (provider: string) => boolean;
  readonly keyOf: KeyMaker;
};

/** The acts. @throws Fault of the store; asking again is harmless. */
export interface People {
  /** `amountMinor`: minor units, or null for all that is left of the price. */
  refund(id: PurchaseId, act: Act, amountMinor: bigint | null): Promise<ActOutcome>;
  /** The good was delivered: the price goes to the operator. */
  confirm(id: PurchaseId, act: Act): Promise<ActOutcome>;
  /** The good was delivered and the hold is gone: the operator gets nothing. */
  acceptLoss(id: PurchaseId, act: Act): Promise<ActOutcome>;
}

type PersonsEvent = Extract<PurchaseEvent, { type: 'operator_refunded' | 'operator_confirmed' | 'loss_accepted' }>;
type Forbidden = Readonly<Record<State, ActRefusal | null>>;

/** `completed` is asked about apart: a refund of its own. */
const NO_REFUND: Forbidden = {
  authorizing: null,
  validating: null,
  approving: 'still_delivering',
  vending: 'still_delivering',
  in_doubt: null,
  settling: 'being_collected',
  completed: null,
  declined: 'nothing_moved',
  reversing: 'going_back',
  reversed: 'already_back',
};

/** Creates the acts. */
export function createPeople(deps: PeopleDeps): People {
  return {
    refund: (id, act, amountMinor) => refund(deps, id, { act, amountMinor }),
    confirm: (id, act) =>
      actInOne(deps, id, { event: { type: 'operator_confirmed', ...act }, in: 'in_doubt', else: 'not_in_doubt' }),
    acceptLoss: (id, act) =>
      actInOne(deps, id, { event: { type: 'loss_accepted', ...act }, in: 'settling', else: 'nothing_to_accept' }),
  };
}

type Asked = { readonly act: Act; readonly amountMinor: bigint | null };

async function refund(deps: PeopleDeps, id: PurchaseId, asked: Asked): Promise<ActOutcome> {
  const loaded = await deps.coordinator.reload(id);
  if (loaded === null) return refused('no_purchase');
  const { purchase } = loaded;
  if (purchase.state === 'completed') return refundSold(deps, purchase, asked);
  const before = await doneBefore(deps, purchase, 'operator_refunded');
  if (before !== null) return before;
  const why = NO_REFUND[purchase.state];
  if (why !== null) return refused(why);
  if (asked.amountMinor !== null && asked.amountMinor !== purchase.order.price.minor) return refused('only_whole');
  return apply(deps, purchase, { type: 'operator_refunded', ...asked.act });
}

/** After the end: a refund of its own, at most what is left of the price. */
async function refundSold(deps: PeopleDeps, purchase: Purchase, asked: Asked): Promise<ActOutcome> {
  if (purchase.facts.isUncollected) return refused('nothing_collected');
  const { act } = asked;
  const price = purchase.order.price.minor;
  const refunds = await deps.refundsOf(purchase.id);
  const restMinor = refunds.reduce((left, each) => left - each.amountMinor, price);
  const same = sameRefund(refunds, asked, restMinor);
  if (same !== undefined) return { kind: 'done_before', by: same.requestedBy, ...same };
  const amountMinor = asked.amountMinor ?? restMinor;
  if (amountMinor > restMinor) return refused('above_rest');
  if (amountMinor < price && !deps.givesBackParts(purchase.wallet.provider)) return refused('not_in_parts');
  const n = refunds.length + 1;
  const recorded = await deps.store.refund({
    purchaseId: purchase.id,
    n,
    amountMinor,
    requestedBy: act.by,
    reason: act.reason,
    effect: {
      // The wallet is not told a person's words.
      effect: { kind: 'refund', n, amountMinor, reason: 'refunded_by_operator' },
      key: deps.keyOf(purchase.id, 'refund', n),
      dueInMs: 0,
      isOwn: false,
    },
    opened: [],
  });
  if (recorded === 'recorded') return { kind: 'done', purchase, amountMinor };
  if (recorded === 'above_price') return refused('above_rest');
  const first = (await deps.refundsOf(purchase.id)).find((each) => each.n === n);
  if (first === undefined || !isSameAct(first, asked, amountMinor)) return refused('changed_meanwhile');
  return { kind: 'done_before', by: first.requestedBy, ...first };
}

/** Of two at once: the second's own only if it gave back as much, for his reason or as all that was left. */
function isSameAct(first: RefundEntry, { act, amountMinor }: Asked, meantMinor: bigint): boolean {
  return first.amountMinor === meantMinor && (amountMinor === null || first.reason === act.reason);
}

/** Pressed twice, or by two: the whole rest is gone already, or this amount went back for this reason. */
function sameRefund(refunds: readonly RefundEntry[], asked: Asked, restMinor: bigint): RefundEntry | undefined {
  if (asked.amountMinor === null) return restMinor === 0n ? refunds.at(-1) : undefined;
  return refunds.find((each) => each.amountMinor === asked.amountMinor && each.reason === asked.act.reason);
}

type OneState = { readonly event: PersonsEvent; readonly in: State; readonly else: ActRefusal };

async function actInOne(deps: PeopleDeps, id: PurchaseId, asked: OneState): Promise<ActOutcome> {
  const loaded = await deps.coordinator.reload(id);
  if (loaded === null) return refused('no_purchase');
  const { purchase } = loaded;
  const before = await doneBefore(deps, purchase, asked.event.type);
  if (before !== null) return before;
  return purchase.state === asked.in ? apply(deps, purchase, asked.event) : refused(asked.else);
}

async function apply(deps: PeopleDeps, purchase: Purchase, event: PersonsEvent): Promise<ActOutcome> {
  const applied = await deps.coordinator.apply(purchase.id, event);
  if (applied.kind === 'committed') {
    return { kind: 'done', purchase: applied.loaded.purchase, amountMinor: purchase.order.price.minor };
  }
  // Two at once: the second hears of the first.
  const before = await doneBefore(deps, purchase, event.type);
  if (before !== null) return before;
  return refused(
    applied.kind === 'refused' ? (KNOWN_REFUSALS[applied.refusal] ?? 'changed_meanwhile') : 'changed_meanwhile',
  );
}

const KNOWN_REFUSALS: Readonly<Partial<Record<Refusal, ActRefusal>>> = {
  not_overdue: 'not_overdue',
  not_reversible: 'not_reversible',
  hold_not_gone: 'hold_not_gone',
};

/** Who did it, and when, from the journal's own line. */
async function doneBefore(
  deps: PeopleDeps,
  purchase: Purchase,
  type: PersonsEvent['type'],
): Promise<ActOutcome | null> {
  const timeline = await deps.reader.timeline(purchase.id);
  const line = timeline.find(({ event }) => event === type);
  if (line === undefined) return null;
  return { kind: 'done_before', by: String(line.content['by']), at: line.at, amountMinor: purchase.order.price.minor };
}

function refused(why: ActRefusal): ActOutcome {
  return { kind: 'refused', why };
}
