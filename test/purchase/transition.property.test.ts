import { expect } from 'chai';
import fc from 'fast-check';
import { keyPartsOf } from '../../src/purchase/effect.ts';
import type { Confirmed, PurchaseEvent } from '../../src/purchase/event.ts';
import { isEnded, type Purchase } from '../../src/purchase/purchase.ts';
import type { EffectName, Step } from '../../src/purchase/step.ts';
import { begin, transition } from '../../src/purchase/transition.ts';
import { aConfirmation, rules } from '../support/purchase-builders.ts';

const leftMs = fc.constantFrom(-1, 0, 2999, 3000, 19_999, 20_001, 50_000, 3_000_000);
const holdExpiresInMs = fc.constantFrom(null, 1000, 170_000, 400_000, 90_000_000);
const code = fc.constantFrom('insufficient_funds', 'wrong_pin', 'hold_gone', 'wallet_refused');
const ref = fc.constantFrom('W-1', 'W-2');
const by = fc.constant('awa');
const reason = fc.constant('payer called');

/** Every event, its terms drawn from the edges of their ranges. */
const anyEvent: fc.Arbitrary<PurchaseEvent> = fc.oneof(
  fc.record({ type: fc.constantFrom('authorized', 'validated'), ref, holdExpiresInMs, leftMs }),
  fc.record({ type: fc.constant('authorize_declined'), code, leftMs }),
  fc.record({
    type: fc.constant('validation_required'),
    ref,
    by: fc.constantFrom('pin', 'confirm', 'push'),
    triesLeft: fc.constantFrom(null, 3, 2),
    expiresInMs: fc.constant(45_000),
  }),
  fc.record({ type: fc.constant('validation_given'), leftMs }),
  fc.record({ type: fc.constant('payment_unknown'), ref: fc.option(ref) }),
  fc.record({
    type: fc.constant('payment_not_found'),
    leftMs,
    sinceConfirmedMs: fc.constantFrom(10_000, 400_000),
  }),
  fc.record({
    type: fc.constant('approval_rejected'),
    reason: fc.constantFrom('late', 'unknown_order', 'replaced'),
    wasSentBefore: fc.boolean(),
  }),
  fc.record({ type: fc.constant('vend_succeeded'), basis: fc.constantFrom(null, 'reboot', 'no_result') }),
  fc.record({ type: fc.constant('vend_failed'), code: fc.constantFrom('jam', 'sold_out') }),
  fc.record({ type: fc.constant('vend_closed'), result: fc.constant('expired') }),
  fc.record({ type: fc.constantFrom('settle_refused', 'reverse_refused'), code }),
  fc.record({ type: fc.constantFrom('loss_accepted', 'operator_refunded', 'operator_confirmed'), by, reason }),
  fc.constantFrom<PurchaseEvent>(
    { type: 'approval_accepted' },
    { type: 'approval_unreachable' },
    { type: 'settled' },
    { type: 'reversed' },
    { type: 'deadline_passed' },
  ),
);

const anyConfirmation: fc.Arbitrary<Confirmed> = fc
  .record({
    channel: fc.constantFrom('ussd', 'sms'),
    plan: fc.constantFrom('hold_capture', 'debit_refund'),
    resendsByKey: fc.boolean(),
    reversesByKey: fc.boolean(),
  })
  .map(({ channel, plan, ...traits }) =>
    aConfirmation({ channel, plan, wallet: { provider: 'centre', maxPendingMs: 120_000, ...traits } }),
  );

/** Events weighted so that a sequence goes deep: the ones that lead on come more often. */
const anyStory = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: anyEvent },
    {
      weight: 2,
      arbitrary: fc.constantFrom<PurchaseEvent>(
        { type: 'payment_unknown', ref: null },
        { type: 'authorized', ref: 'W-1', holdExpiresInMs: 90_000_000, leftMs: 50_000 },
        { type: 'approval_accepted' },
        { type: 'vend_succeeded', basis: null },
        { type: 'deadline_passed' },
      ),
    },
  ),
  { maxLength: 30 },
);

function keyOf(name: EffectName): string {
  return `${name.kind}/${'n' in name ? name.n : 1}`;
}

/** What one purchase has been through. */
type Told = {
  purchase: Purchase;
  hasDeadline: boolean;
  approvals: number;
  readonly planned: Set<string>;
  readonly wrong: string[];
};

function isWithin(told: Told, step: Step, holds: boolean, what: string): void {
  if (!holds) told.wrong.push(`${what}: ${told.purchase.state} to ${step.after.state}`);
}

function follow(told: Told, step: Step): void {
  const { after, deadline } = step;
  const check = (holds: boolean, what: string): void => isWithin(told, step, holds, what);
  check(!isEnded(told.purchase), 'nothing leaves an end');
  check(after.version === told.purchase.version + 1, 'the version rises by one');
  check(isEnded(after) ? deadline === null : deadline !== null, 'live has a deadline, ended has none');
  check(deadline !== 'keep' || told.hasDeadline, 'a deadline is kept only where there is one');
  for (const name of step.dropped) check(told.planned.delete(keyOf(name)), `${keyOf(name)} was planned when dropped`);
  for (const { effect } of step.rescheduled) {
    check(told.planned.has(keyOf(effect)), `${keyOf(effect)} was planned when rescheduled`);
  }
  for (const { effect } of step.planned) {
    const { operation, n } = keyPartsOf(effect);
    const key = `${operation}/${n}`;
    check(!told.planned.has(key), `${key} was not planned yet`);
    check(!step.dropped.some((name) => keyOf(name) === key), `${key} is not answered and planned in one commit`);
    told.planned.add(key);
    if (effect.kind === 'approve') {
      told.approvals += 1;
      check(!told.purchase.facts.isLate && !told.purchase.facts.isOrderGone, 'no approval once late or gone');
    }
  }
  check(told.approvals <= 1, 'one approval at most');
  check(new Set(after.facts.attention).size === after.facts.attention.length, 'a case is open once');
  if (isEnded(after)) {
    const open = [...told.planned].filter((key) => !key.startsWith('notify') && key !== 'query_payment/1');
    check(open.length === 0, `nothing but texts and a last look is left: ${open.join()}`);
  }
  told.purchase = after;
  told.hasDeadline = deadline === 'keep' ? told.hasDeadline : deadline !== null;
}

/** Facts that once learned are never unlearned. */
function isRemembered(before: Purchase, after: Purchase): boolean {
  const { facts: old } = before;
  const { facts: now } = after;
  const flags: readonly (readonly [boolean, boolean])[] = [
    [old.isLate, now.isLate],
    [old.isOrderGone, now.isOrderGone],
    [old.isHoldGone, now.isHoldGone],
    [old.reversalReason !== null, now.reversalReason === old.reversalReason],
    [old.walletRef !== null, now.walletRef !== null],
  ];
  return (
    flags.every(([was, is]) => !was || is) &&
    now.settleAttempt >= old.settleAttempt &&
    now.reverseAttempt >= old.reverseAttempt
  );
}

function tell(confirmation: Confirmed, events: readonly PurchaseEvent[]): Told {
  const begun = begin(confirmation, rules);
  if (!begun.ok) throw new Error('the story begins with a refusal');
  const { purchase } = begun.value;
  const told: Told = { purchase, hasDeadline: true, approvals: 0, planned: new Set(['authorize/1']), wrong: [] };
  for (const event of events) {
    const before = told.purchase;
    const decision = transition(before, event, rules);
    if (decision.kind === 'step') follow(told, decision.step);
    if (!isRemembered(before, told.purchase)) told.wrong.push(`unlearned by ${event.type} in ${before.state}`);
  }
  return told;
}

describe('any events in any order', () => {
  it('keep every rule of a move', () => {
    fc.assert(
      fc.property(anyConfirmation, anyStory, (confirmation, events) => {
        expect(tell(confirmation, events).wrong).to.deep.equal([]);
      }),
      { numRuns: 4000 },
    );
  });

  it('lead to every state', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyConfirmation, anyStory, (confirmation, events) => {
        seen.add(tell(confirmation, events).purchase.state);
      }),
      { numRuns: 2000, seed: 7 },
    );
    expect(seen.size).to.equal(10);
  });

  it('mean the same when told again: an event applied twice moves the purchase once, or asks for a next attempt', () => {
    fc.assert(
      fc.property(anyConfirmation, anyStory, anyEvent, (confirmation, events, event) => {
        const once = tell(confirmation, [...events, event]);
        const twice = tell(confirmation, [...events, event, event]);
        const isStill = once.purchase.state === twice.purchase.state || once.purchase.state === 'in_doubt';
        const goesOn = event.type === 'payment_not_found' || once.purchase.facts.isLate;
        expect(isStill || goesOn, `${event.type}: ${once.purchase.state}, ${twice.purchase.state}`).to.equal(true);
      }),
    );
  });
});
