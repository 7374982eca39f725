/**
 * One move of a purchase as a value: the next purchase with all that is committed together with it.
 */
import type { DurationMs } from '../time.ts';
import type { PlannedEffect } from './effect.ts';
import type { Attention, Facts, LivePurchase, LiveState, Purchase, State } from './purchase.ts';
import type { Refusal } from './refusal.ts';

/** What names an effect within its purchase; enough to drop or reschedule it. */
export type EffectName =
  | { readonly kind: 'authorize' | 'query_payment' | 'approve' | 'query_order' }
  | { readonly kind: 'settle' | 'reverse'; readonly n: number };

/** A move. `dropped`: what this event answers, and what only the state left behind called for. */
export type Step = {
  readonly after: Purchase;
  /** `keep`: as it was; a number: from now on; null: the purchase has ended. */
  readonly deadline: 'keep' | DurationMs | null;
  readonly planned: readonly PlannedEffect[];
  readonly dropped: readonly EffectName[];
  readonly rescheduled: readonly { readonly effect: EffectName; readonly dueInMs: DurationMs }[];
  readonly opened: readonly Attention[];
  readonly closed: readonly Attention[];
  /** Committed only if the approval was provably never sent. */
  readonly onlyIfUnsent: boolean;
  /** Not flushed before the answer: it plans nothing, and both answers can be asked again. */
  readonly isLazy: boolean;
};

/** What an event means for a live purchase. */
export type Decision =
  | { readonly kind: 'step'; readonly step: Step }
  /** Applied before, or it says nothing new: a success without effect. */
  | { readonly kind: 'already' }
  /** It contradicts what is known: kept for a person, and never moves money by itself. */
  | { readonly kind: 'noted'; readonly attention: Attention }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** What an event means for a purchase that is over: never a step. */
export type EndedDecision =
  | Exclude<Decision, { kind: 'step' }>
  /** The money turned out to be secured all the same: one refund of the whole price. */
  | { readonly kind: 'refund_due'; readonly reason: 'paid_after_close' };

/** A success without effect. */
export const already = { kind: 'already' } as const;
/** There is no such edge. */
export const noSuchEdge = { kind: 'refused', refusal: 'no_such_edge' } as const;

/** Kept for a person. */
export function noted(attention: Attention): { readonly kind: 'noted'; readonly attention: Attention } {
  return { kind: 'noted', attention };
}

/** A live state, and those of its facts that tell which effects it calls for. */
export type Calling = {
  readonly state: LiveState;
  readonly facts: Pick<Facts, 'isQuerying' | 'isHoldGone' | 'settleAttempt' | 'reverseAttempt'>;
};

/** The effects that a state calls for: dropped when it is left. */
export function calledForBy(purchase: Calling): readonly EffectName[] {
  switch (purchase.state) {
    case 'authorizing':
      // Either the call is still to be answered, or it went unanswered and is asked about.
      return [{ kind: purchase.facts.isQuerying ? 'query_payment' : 'authorize' }];
    case 'validating':
      return [{ kind: 'query_payment' }];
    case 'approving':
      return [{ kind: 'approve' }];
    case 'vending':
      return [];
    case 'in_doubt':
      return [{ kind: 'query_order' }];
    case 'settling':
      return purchase.facts.isHoldGone ? [] : [{ kind: 'settle', n: purchase.facts.settleAttempt }];
    case 'reversing':
      return [{ kind: 'reverse', n: purchase.facts.reverseAttempt }];
  }
}

/** What a rule asks for; all that is absent stays as it was. */
export type Change = {
  readonly to?: State;
  readonly facts?: Partial<Facts>;
  readonly deadlineMs?: DurationMs;
  readonly planned?: readonly PlannedEffect[];
  readonly dropped?: readonly EffectName[];
  readonly rescheduled?: readonly { readonly effect: EffectName; readonly dueInMs: DurationMs }[];
  readonly opened?: readonly Attention[];
  readonly closed?: readonly Attention[];
  readonly onlyIfUnsent?: boolean;
  readonly isLazy?: boolean;
};

/** The move that a change makes: one version on, effects of a state that is left dropped, attention remembered. */
export function move(before: LivePurchase, change: Change): { readonly kind: 'step'; readonly step: Step } {
  const state = change.to ?? before.state;
  const isLeaving = state !== before.state;
  const opened = (change.opened ?? []).filter((each) => !before.facts.attention.includes(each));
  const closed = (change.closed ?? []).filter((each) => before.facts.attention.includes(each));
  const attention = [...before.facts.attention.filter((each) => !closed.includes(each)), ...opened];
  const facts: Facts = { ...before.facts, ...(isLeaving ? { isQuerying: false } : {}), ...change.facts, attention };
  const hasEnded = state === 'completed' || state === 'declined' || state === 'reversed';
  const rescheduled = change.rescheduled ?? [];
  const isKept = (name: EffectName): boolean => rescheduled.some((each) => each.effect.kind === name.kind);
  const left = isLeaving ? calledForBy(before).filter((name) => !isKept(name)) : [];
  return {
    kind: 'step',
    step: {
      after: { ...before, state, version: before.version + 1, facts },
      deadline: hasEnded ? null : (change.deadlineMs ?? 'keep'),
      planned: change.planned ?? [],
      dropped: [...left, ...(change.dropped ?? [])],
      rescheduled,
      opened,
      closed,
      onlyIfUnsent: change.onlyIfUnsent ?? false,
      isLazy: change.isLazy ?? false,
    },
  };
}
