/**
 * A decision in one line, as the table of edges in the tests writes it: what is not named does not happen.
 */
import { keyPartsOf } from '../../src/purchase/effect.ts';
import type { Facts, Purchase } from '../../src/purchase/purchase.ts';
import type { Decision, EffectName, EndedDecision, Step } from '../../src/purchase/step.ts';

function nameOf(name: EffectName): string {
  return 'n' in name ? `${name.kind}/${name.n}` : name.kind;
}

function spanOf(ms: number): string {
  return ms === 0 ? 'now' : `in ${ms}`;
}

function factsOf(before: Facts, after: Facts): readonly string[] {
  const { attention: _before, ...old } = before;
  const { attention: _after, ...learned } = after;
  const changed = Object.entries(learned).filter(
    ([name, value]) =>
      JSON.stringify(value) !== JSON.stringify(Object.entries(old).find(([each]) => each === name)?.[1]),
  );
  return changed.map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
}

function partsOf(before: Purchase, step: Step): readonly string[] {
  const { after, deadline } = step;
  const planned = step.planned.map(({ effect, dueInMs }) => {
    const { operation, n } = keyPartsOf(effect);
    const terms =
      effect.kind === 'authorize' ? ` expires ${effect.expiresInMs}${effect.isResend ? ' resend' : ''}` : '';
    const reason = effect.kind === 'reverse' ? ` ${effect.reason}` : '';
    return `+${operation}${n === 1 && effect.kind !== 'settle' && effect.kind !== 'reverse' ? '' : `/${n}`}${terms}${reason} ${spanOf(dueInMs)}`;
  });
  const isEnd = after.state === 'completed' || after.state === 'declined' || after.state === 'reversed';
  const until = deadline === 'keep' ? [] : [deadline === null ? 'no deadline' : `deadline ${deadline}`];
  return [
    after.state === before.state ? 'stays' : `to ${after.state}`,
    ...planned,
    ...step.dropped.map((name) => `-${nameOf(name)}`),
    ...step.rescheduled.map(({ effect, dueInMs }) => `~${nameOf(effect)} ${spanOf(dueInMs)}`),
    ...(isEnd && deadline === null ? [] : until),
    ...step.opened.map((each) => `open ${each}`),
    ...step.closed.map((each) => `close ${each}`),
    ...(step.onlyIfUnsent ? ['only if unsent'] : []),
    ...(step.isLazy ? ['lazy'] : []),
    ...factsOf(before.facts, after.facts),
  ];
}

/** The decision as a line: `to approving; +approve now; -authorize; walletRef=W-2`, or `already`, `noted …`, `refused …`. */
export function textOfDecision(before: Purchase, decision: Decision | EndedDecision): string {
  switch (decision.kind) {
    case 'step':
      return partsOf(before, decision.step).join('; ');
    case 'already':
      return 'already';
    case 'noted':
      return `noted ${decision.attention}`;
    case 'refused':
      return `refused ${decision.refusal}`;
    case 'refund_due':
      return `refund due ${decision.reason}`;
  }
}
