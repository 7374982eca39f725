/**
 * What each effect asks of the world, and how its answer becomes an event. No rule lives here: outcomes are read by
 * `purchase/outcome.ts`, events are judged by `transition`.
 */

import { type Applied, type Coordinator, type EventSource, leftMsOf } from '../purchase/coordinator.ts';
import type { Effect, EffectKey, HeldEffect, KeyMaker } from '../purchase/effect.ts';
import type { MachinePort } from '../purchase/machine-port.ts';
import { eventOfAuthorize, eventOfQuery } from '../purchase/outcome.ts';
import type { Outcome, PaymentPort, Terms } from '../purchase/payment-port.ts';
import { isEnded, type PurchaseId } from '../purchase/purchase.ts';
import { termsOf } from '../purchase/purchases.ts';
import type { NoticePort } from '../purchase/purchases-port.ts';
import { arrivesWithinMs, type Rules } from '../purchase/rules.ts';
import type { Loaded, PurchaseStore, Subscribers } from '../purchase/store-port.ts';
import { viewOf } from '../purchase/view.ts';
import { assert } from '../result.ts';
import type { Clock, DurationMs } from '../time.ts';
import type { CarryOut } from './effect-worker.ts';
import { createLease, type Lease } from './lease.ts';
import { createNeverSeen, type NeverSeen } from './never-seen.ts';

/** The longest that calls to a wallet take: `authorize`, and each of the others. As configured for its connector. */
export type WalletBudgets = { readonly authorizeMs: DurationMs; readonly otherMs: DurationMs };

/** What the effects need of the world. */
export type CarryOutDeps = {
  readonly store: Pick<PurchaseStore, 'openCase' | 'reschedule' | 'keepLease' | 'finish' | 'refund' | 'refundSettled'>;
  readonly coordinator: Coordinator;
  readonly walletOf: (provider: string) => PaymentPort;
  readonly machines: MachinePort;
  readonly notices: NoticePort;
  readonly subscribers: Subscribers;
  readonly languageOf: (loaded: Loaded) => Promise<string | null>;
  readonly keyOf: KeyMaker;
  readonly clock: Clock;
  readonly leaseMs: DurationMs;
  /** No call starts with less than its budget left of the lease, so that none outlives it. */
  readonly budgets: WalletBudgets;
  readonly rules: Rules;
  readonly onTrouble: (what: string, id: PurchaseId, error: unknown) => void;
};

/** One effect at work. */
type Job = {
  readonly loaded: Loaded;
  readonly leased: HeldEffect;
  readonly lease: Lease;
  /** What is left of the purchase's deadline now. */
  readonly leftMs: () => DurationMs;
};
type Of<Kind extends Effect['kind']> = Job & { readonly effect: Extract<Effect, { kind: Kind }> };

/** What a notice or a question to a machine may take. */
const SEND_BUDGET_MS: DurationMs = 10_000;
/** The machine's answer to an approval is waited for so long. */
const APPROVE_BUDGET_MS: DurationMs = 3000;
const LONGEST_QUERY_MS: DurationMs = 60_000;
const LONGEST_RETRY_MS: DurationMs = 15 * 60_000;
/** A machine in doubt is asked at each contact anyhow; this is for the one that stays connected. */
const ASK_MACHINE_AGAIN_MS: DurationMs = 60_000;

/** 1 s doubling with each try, up to a limit. */
function backoffMs(tries: number, longestMs: DurationMs): DurationMs {
  return Math.min(longestMs, 1000 * 2 ** Math.min(tries - 1, 20));
}

/** Creates the function that carries out any effect. */
export function createCarryOut(deps: CarryOutDeps): CarryOut {
  const neverSeen = createNeverSeen();
  return async (loaded, leased) => {
    const { effect } = leased;
    const readAtMs = deps.clock.now();
    const job: Job = {
      loaded,
      leased,
      lease: createLease(deps, leased),
      leftMs: () => leftMsOf(loaded) - (deps.clock.now() - readAtMs),
    };
    switch (effect.kind) {
      case 'authorize':
        return authorize(deps, { ...job, effect });
      case 'query_payment':
        return queryPayment(deps, job, neverSeen);
      case 'approve':
        return approve(deps, job);
      case 'query_order':
        return queryOrder(deps, job);
      case 'settle':
        return settle(deps, { ...job, effect });
      case 'reverse':
        return reverse(deps, { ...job, effect });
      case 'refund':
        return refund(deps, { ...job, effect });
      case 'notify':
        return notify(deps, { ...job, effect });
    }
  };
}

async function callTerms(deps: CarryOutDeps, loaded: Loaded): Promise<{ wallet: PaymentPort; terms: Terms }> {
  const payer = await deps.subscribers.msisdnOf(loaded.purchase.payerId);
  return { wallet: deps.walletOf(loaded.purchase.wallet.provider), terms: termsOf(loaded.purchase, payer) };
}

/** Offers an event; a race lost too often leaves the lease to lapse, and the effect comes again. */
async function offer(deps: CarryOutDeps, id: PurchaseId, source: EventSource): Promise<Applied> {
  const applied = await deps.coordinator.apply(id, source);
  if (applied.kind === 'noted') await deps.store.openCase(id, applied.attention);
  return applied;
}

async function authorize(deps: CarryOutDeps, job: Of<'authorize'>): Promise<void> {
  const { loaded, leased, effect, lease, leftMs } = job;
  const { purchase } = loaded;
  if (purchase.state !== 'authorizing') return;
  // Somebody took this effect before and may have called: the wallet is asked what became of it, and never called blindly.
  if (leased.tries > 1) {
    await offer(deps, purchase.id, { type: 'payment_unknown', ref: null });
    return;
  }
  const { wallet, terms } = await callTerms(deps, loaded);
  if (!lease.covers(deps.budgets.authorizeMs)) return;
  const outcome = await wallet.authorize({
    key: leased.key,
    terms,
    expiresInMs: Math.max(1000, Math.min(effect.expiresInMs, leftMs() - deps.rules.dispatchMarginMs)),
    holdMs: effect.holdMs,
    channel: purchase.channel,
    text: `${purchase.order.machineNumber} ${purchase.reference}`,
  });
  const applied = await offer(deps, purchase.id, (now) =>
    eventOfAuthorize(outcome, { isFirst: !effect.isResend, leftMs: leftMsOf(now) }),
  );
  if (applied.kind === 'refund_due') await refundAfterClose(deps, loaded);
}

async function queryPayment(deps: CarryOutDeps, { loaded, leased, lease }: Job, neverSeen: NeverSeen): Promise<void> {
  const { purchase } = loaded;
  const { wallet, terms } = await callTerms(deps, loaded);
  if (!lease.covers(deps.budgets.otherMs)) return;
  const key = deps.keyOf(purchase.id, 'authorize', 1);
  const askedAtMs = deps.clock.now();
  const outcome = await wallet.query({ of: 'authorize', key, terms, ref: purchase.facts.walletRef });
  const unseenMs = outcome.kind === 'not_found' ? neverSeen.heard(purchase.id, askedAtMs) : 0;
  if (outcome.kind !== 'not_found') neverSeen.forget(purchase.id);
  const applied = await offer(deps, purchase.id, (now) =>
    eventOfQuery(outcome, {
      purchase: now.purchase,
      leftMs: leftMsOf(now),
      // "Never seen" speaks of the moment of the question, however long its answer lay here. Two clocks must agree.
      sinceConfirmedMs: Math.min(unseenMs, now.sinceConfirmedMs - (deps.clock.now() - askedAtMs)),
    }),
  );
  if (applied.kind === 'refund_due') return refundAfterClose(deps, loaded);
  if (applied.kind === 'committed') return;
  const isOpen = outcome.kind === 'pending' || outcome.kind === 'unknown' || outcome.kind === 'needs_validation';
  const provenInMs = arrivesWithinMs(purchase.wallet) - unseenMs;
  // The journal's clock has said that a day is over: this process waits until a call can no longer arrive.
  if (purchase.state === 'declined' && outcome.kind === 'not_found' && provenInMs > 0) {
    return void (await deps.store.reschedule(leased, Math.min(provenInMs, LONGEST_RETRY_MS), outcome.kind));
  }
  // Fenced: a later taker may be hearing of money that has moved since.
  if (isEnded(purchase) && !isOpen) return deps.store.finish(purchase.id, leased.key, leased.tries);
  const waitMs = outcome.kind === 'pending' ? outcome.pollAfterMs : backoffMs(leased.tries, LONGEST_QUERY_MS);
  const expiresInMs = outcome.kind === 'needs_validation' && outcome.by !== 'push' ? outcome.expiresInMs : waitMs;
  await deps.store.reschedule(leased, Math.max(waitMs, Math.min(expiresInMs, LONGEST_QUERY_MS)), outcome.kind);
}

/** Edge 26: the whole price goes back, once, as a refund of its own. */
async function refundAfterClose(deps: CarryOutDeps, loaded: Loaded): Promise<void> {
  const { purchase } = loaded;
  const amountMinor = purchase.order.price.minor;
  const effect: Effect = { kind: 'refund', n: 1, amountMinor, reason: 'paid_after_close' };
  const key = deps.keyOf(purchase.id, 'refund', 1);
  await deps.store.refund({
    purchaseId: purchase.id,
    n: 1,
    amountMinor,
    requestedBy: 'relais',
    reason: 'paid_after_close',
    effect: { effect, key, dueInMs: 0, isOwn: false },
    opened: ['paid_after_close'],
  });
  await deps.store.finish(purchase.id, deps.keyOf(purchase.id, 'query_payment', 1));
}

async function approve(deps: CarryOutDeps, { loaded, leased, lease, leftMs }: Job): Promise<void> {
  const { purchase } = loaded;
  if (purchase.state !== 'approving') return;
  if (deps.coordinator.isAccepted(purchase.id)) {
    // Its commit, planned for a second after the acceptance, has not come through.
    await offer(deps, purchase.id, { type: 'approval_accepted' });
    return;
  }
  // Too late to begin: the deadline decides, by whether it may have been sent.
  const validMs = leftMs();
  if (validMs < deps.rules.dispatchMarginMs || !lease.covers(APPROVE_BUDGET_MS)) return;
  const answer = await deps.machines.approve({ order: purchase.order, approvalId: leased.key, validMs });
  switch (answer.kind) {
    case 'accepted':
    case 'duplicate':
      deps.coordinator.accepted(purchase.id);
      return;
    case 'rejected': {
      const { reason } = answer;
      await offer(deps, purchase.id, { type: 'approval_rejected', reason, wasSentBefore: leased.maySentBefore });
      return;
    }
    case 'unknown':
      // The same approval again, here or where the machine's socket is by then.
      await deps.store.reschedule(leased, 0, answer.kind);
      return;
    case 'not_here':
      // Nothing was written: a machine that stays away leaves no doubt, and its payer gets the money at the deadline.
      await deps.store.reschedule(leased, 0, answer.kind, 'provably_not');
  }
}

async function queryOrder(deps: CarryOutDeps, { loaded, leased, lease }: Job): Promise<void> {
  if (!lease.covers(SEND_BUDGET_MS)) return;
  const { machineId, orderSeq } = loaded.purchase.order;
  const isAsked = await deps.machines.queryOrder(machineId, orderSeq);
  await deps.store.reschedule(leased, ASK_MACHINE_AGAIN_MS, isAsked ? 'asked' : 'not_here');
}

async function settle(deps: CarryOutDeps, { loaded, leased, lease, effect }: Of<'settle'>): Promise<void> {
  const { purchase } = loaded;
  if (purchase.state !== 'settling') return;
  const { wallet, terms } = await callTerms(deps, loaded);
  const { key } = leased;
  const ref = purchase.facts.walletRef;
  assert(ref !== null, 'what is settled was secured under a reference');
  if (!lease.covers(deps.budgets.otherMs)) return;
  const called = await wallet.settle({ key, terms, ref });
  const outcome = await confirmed(deps, lease, called, () => wallet.query({ of: 'settle', key, terms, ref }));
  if (outcome === null) return;
  if (outcome.kind === 'done') await offer(deps, purchase.id, { type: 'settled' });
  else if (outcome.kind === 'declined') {
    // A refusal speaks of its own attempt: another node may have gone on to the next one, which is open.
    const { code } = outcome;
    await offer(deps, purchase.id, (now) =>
      now.purchase.facts.settleAttempt === effect.n ? { type: 'settle_refused', code } : null,
    );
  } else await retry(deps, leased, outcome);
}

async function reverse(deps: CarryOutDeps, { loaded, leased, lease, effect }: Of<'reverse'>): Promise<void> {
  const { purchase } = loaded;
  if (purchase.state !== 'reversing') return;
  const { wallet, terms } = await callTerms(deps, loaded);
  if (!lease.covers(deps.budgets.otherMs)) return;
  const ref = purchase.facts.walletRef;
  const ask = (key: EffectKey): Promise<Outcome> => wallet.query({ of: 'reverse', key, terms, ref });
  // Before a next attempt every earlier one is asked again: one that went through after all ends it.
  for (let n = 1; n < effect.n; n += 1) {
    if (!(await lease.lastsFor(deps.budgets.otherMs))) return;
    const earlier = await ask(deps.keyOf(purchase.id, 'reverse', n));
    if (earlier.kind === 'done') return void (await offer(deps, purchase.id, { type: 'reversed' }));
    if (earlier.kind !== 'declined' && earlier.kind !== 'not_found') return retry(deps, leased, earlier);
  }
  if (!(await lease.lastsFor(deps.budgets.otherMs))) return;
  const called = await wallet.reverse({
    key: leased.key,
    terms,
    ref,
    authorizeKey: deps.keyOf(purchase.id, 'authorize', 1),
    amount: null,
    reason: effect.reason,
  });
  const outcome = await confirmed(deps, lease, called, () => ask(leased.key));
  if (outcome === null) return;
  if (outcome.kind === 'done') await offer(deps, purchase.id, { type: 'reversed' });
  else if (outcome.kind === 'declined') {
    // As with a settlement: of this attempt, and of no later one.
    const { code } = outcome;
    await offer(deps, purchase.id, (now) =>
      now.purchase.facts.reverseAttempt === effect.n ? { type: 'reverse_refused', code } : null,
    );
  } else await retry(deps, leased, outcome);
}

async function refund(deps: CarryOutDeps, { loaded, leased, lease, effect }: Of<'refund'>): Promise<void> {
  const { purchase } = loaded;
  const { wallet, terms } = await callTerms(deps, loaded);
  if (!lease.covers(deps.budgets.otherMs)) return;
  const isWhole = effect.amountMinor === purchase.order.price.minor;
  const authorizeKey = deps.keyOf(purchase.id, 'authorize', 1);
  // A declined purchase never learned the reference of the money that was found; not every wallet undoes by key.
  const found =
    purchase.facts.walletRef === null
      ? await wallet.query({ of: 'authorize', key: authorizeKey, terms, ref: null })
      : null;
  const ref = found?.kind === 'done' ? found.ref : purchase.facts.walletRef;
  const ask = (): Promise<Outcome> => wallet.query({ of: 'reverse', key: leased.key, terms, ref });
  // Where a second call under the same key gives back a second time, what became of the first is asked before it.
  if (leased.tries > 1 && wallet.capabilities.replay === 'none') {
    if (!(await lease.lastsFor(deps.budgets.otherMs))) return;
    const before = await ask();
    if (before.kind === 'done') return deps.store.refundSettled(purchase.id, effect.n);
    if (before.kind !== 'declined' && before.kind !== 'not_found') return retry(deps, leased, before);
  }
  if (!(await lease.lastsFor(deps.budgets.otherMs))) return;
  const called = await wallet.reverse({
    key: leased.key,
    terms,
    ref,
    authorizeKey,
    amount: isWhole ? null : { minor: effect.amountMinor, currency: purchase.order.price.currency },
    reason: effect.reason,
  });
  // A refusal changes nothing here, so it needs no confirmation: the next try has the same key.
  const outcome = called.kind === 'declined' ? called : await confirmed(deps, lease, called, ask);
  if (outcome === null) return;
  if (outcome.kind === 'done') return deps.store.refundSettled(purchase.id, effect.n);
  // Asked on under the same key, and a person is told: this money is owed.
  if (outcome.kind === 'declined') await deps.store.openCase(purchase.id, 'reversal_overdue');
  await retry(deps, leased, outcome);
}

/**
 * A refusal counts only once a query confirms it, and so does a status that proves nothing, with which a wallet may turn
 * away a key that it has seen; what the query leaves open stays open. Null: the effect is another's by now, who asks.
 */
async function confirmed(
  { budgets }: CarryOutDeps,
  lease: Lease,
  outcome: Outcome,
  ask: () => Promise<Outcome>,
): Promise<Outcome | null> {
  const isProofless = outcome.kind === 'unknown' && outcome.cause === 'status';
  if (outcome.kind !== 'declined' && !isProofless) return outcome;
  return (await lease.lastsFor(budgets.otherMs)) ? ask() : null;
}

/** Open, or never arrived: the same call under the same key, later. */
async function retry(deps: CarryOutDeps, leased: HeldEffect, outcome: Outcome): Promise<void> {
  await deps.store.reschedule(leased, backoffMs(leased.tries, LONGEST_RETRY_MS), outcome.kind);
}

async function notify(deps: CarryOutDeps, { loaded, leased, lease, effect }: Of<'notify'>): Promise<void> {
  const { purchase } = loaded;
  // Nobody is asked to approve what is over.
  if (effect.template === 'sms_validate' && purchase.state !== 'validating') {
    return deps.store.finish(purchase.id, leased.key);
  }
  const payer = await deps.subscribers.msisdnOf(purchase.payerId);
  const language = await deps.languageOf(loaded);
  if (!lease.covers(SEND_BUDGET_MS)) return;
  const sent = await deps.notices.send({
    template: effect.template,
    payer,
    language,
    view: viewOf(loaded, deps.coordinator.isAccepted(purchase.id)),
    key: leased.key,
    tries: leased.tries,
  });
  if (sent.kind === 'later') return void (await deps.store.reschedule(leased, sent.inMs, sent.why));
  if (sent.kind === 'given_up') deps.onTrouble('notice_given_up', purchase.id, sent.why);
  await deps.store.finish(purchase.id, leased.key);
}
