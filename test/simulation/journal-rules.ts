/**
 * What must hold of every commit: versions without a gap, events as `transition` allows, effects that the state calls
 * for, deadlines.
 */
import type { Effect, EffectKind } from '../../src/purchase/effect.ts';
import { moneyOf } from '../../src/purchase/invariant.ts';
import { isEnded, type Purchase, type State } from '../../src/purchase/purchase.ts';
import type { Rules } from '../../src/purchase/rules.ts';
import type { Step } from '../../src/purchase/step.ts';
import type {
  BeginCommit,
  Begun,
  Commit,
  Committed,
  EffectRow,
  MachineStatement,
} from '../../src/purchase/store-port.ts';
import { begin, transition } from '../../src/purchase/transition.ts';
import type { JournalNotes } from './notes.ts';
import { isGivenUp, keptMinor, keyIn, keyOfEffect, orderName, type Page, type Pages, type Word } from './pages.ts';

/** Kinds of effects that may be planned in a state. The first line's are needed there; see `neededIn`. */
const MAY_BE_PLANNED: Readonly<Record<State, readonly EffectKind[]>> = {
  authorizing: ['authorize', 'query_payment'],
  validating: ['query_payment', 'notify'],
  approving: ['approve', 'notify'],
  vending: ['notify'],
  in_doubt: ['query_order', 'notify'],
  settling: ['settle', 'notify'],
  reversing: ['reverse', 'notify'],
  completed: ['notify', 'refund'],
  declined: ['notify', 'query_payment', 'refund'],
  reversed: ['notify'],
};

/** The effect without which a state would never be left; null where a deadline or a machine's word does it. */
function neededIn({ state, facts }: Purchase): Effect['kind'] | null {
  switch (state) {
    case 'authorizing':
      return facts.isQuerying ? 'query_payment' : 'authorize';
    case 'validating':
      return 'query_payment';
    case 'approving':
      return 'approve';
    case 'in_doubt':
      return 'query_order';
    case 'settling':
      return facts.isHoldGone ? null : 'settle';
    case 'reversing':
      return 'reverse';
    case 'vending':
    case 'completed':
    case 'declined':
    case 'reversed':
      return null;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (!isRecord(one) || !isRecord(other)) return false;
  let members = 0;
  for (const name in one) {
    if (!Object.hasOwn(other, name) || !isSame(one[name], other[name])) return false;
    members += 1;
  }
  for (const _ in other) members -= 1;
  return members === 0;
}

/** Values whose order says nothing. */
function listed(values: readonly string[]): string {
  return values.length < 2 ? (values[0] ?? '') : [...values].sort().join(' ');
}

/** What a statement says, and under which approval. */
function wordOf({ kind, content }: MachineStatement): Word {
  const { approvalId, basis } = content;
  return { kind, isProof: basis !== 'no_result', approvalId: typeof approvalId === 'string' ? approvalId : null };
}

/** Name of a statement. */
export function statementName({ machineId, orderSeq, kind }: Omit<MachineStatement, 'content'>): string {
  return `${orderName(machineId, orderSeq)}/${kind}`;
}

/** The rules of the journal, as notes. `statements` is filled. */
export function createJournalRules(pages: Pages, rules: Rules, statements: Set<string>): JournalNotes {
  /** The page, or a complaint that the journal speaks of a purchase which it never began. */
  function pageOf(id: string, what: string): Page | undefined {
    const page = pages.find(id);
    if (page === undefined) pages.complain(null, `${what} for ${id}, which never began`);
    return page;
  }

  function plan(page: Page, rows: readonly EffectRow[]): void {
    for (const { key, effect } of rows) {
      if (key !== keyOfEffect(page, effect)) pages.complain(page, `${effect.kind} has a key of its own`);
      pages.plan(page, key, effect);
    }
  }

  function checkEffects(page: Page): void {
    const { state, facts } = page.purchase;
    const needed = neededIn(page.purchase);
    let isThere = needed === null;
    for (const effect of page.effects.values()) {
      if (!MAY_BE_PLANNED[state].includes(effect.kind)) {
        pages.complain(page, `the effect ${effect.kind} is planned, which ${state} does not call for`);
      }
      const attempt =
        effect.kind === 'settle' ? facts.settleAttempt : effect.kind === 'reverse' ? facts.reverseAttempt : null;
      if (attempt !== null && 'n' in effect && effect.n !== attempt) {
        pages.complain(page, `${effect.kind} is planned for attempt ${effect.n} of ${attempt}`);
      }
      if (effect.kind === needed) isThere = true;
    }
    if (!isThere) pages.complain(page, `no effect ${needed} is planned: nothing goes on`);
  }

  function checkMoney(page: Page): void {
    const { state, order, facts } = page.purchase;
    const kept = keptMinor(page);
    if (moneyOf[state] === 'secured' && kept !== order.price.minor && !page.isHoldLapsed) {
      pages.complain(page, `is ${state} with ${kept} of ${order.price.minor} secured`);
    }
    if (state === 'declined' && kept !== 0n) pages.complain(page, `declined with ${kept} secured`);
    if (state === 'reversing' && page.delivered > 0 && !isGivenUp(page)) {
      pages.complain(page, `gives back (${facts.reversalReason}) what was delivered`);
    }
  }

  function checkStep(page: Page, commit: Commit): void {
    const { before, after, event } = commit;
    const was = page.purchase;
    if (before.version !== was.version || before.state !== was.state) {
      pages.complain(
        page,
        `version ${before.version} (${before.state}) was moved, the journal had ${was.version} (${was.state})`,
      );
    }
    if (after.version !== was.version + 1) pages.complain(page, `version ${after.version} follows ${was.version}`);
    const decision = transition(was, event, rules);
    if (decision.kind !== 'step') {
      pages.complain(page, `${event.type} was committed, which ${was.state} answers with ${decision.kind}`);
      return;
    }
    const wrong = deviationOf(page, decision.step, commit);
    if (wrong !== null) pages.complain(page, `${event.type} in ${was.state}: ${wrong}`);
  }

  /** What holds whatever the rules of the purchase say, since these would be broken with them. */
  function checkWord(page: Page, { after, event, planned }: Commit): void {
    const { isLate, isOrderGone } = after.facts;
    if (planned.some(({ effect }) => effect.kind === 'approve')) {
      const isShort = 'leftMs' in event && event.leftMs < rules.dispatchMarginMs;
      if (isLate || isShort) pages.complain(page, 'an approval is planned, and it is too late for one');
      if (isOrderGone) pages.complain(page, 'an approval is planned, and the machine has closed the order');
    }
    if (event.type === 'settle_refused' && page.collectedMinor > 0n) {
      pages.complain(page, 'settle_refused was committed, and the operator has been credited');
    }
    if (event.type === 'reverse_refused' && page.reversals > 0) {
      pages.complain(page, 'reverse_refused was committed, and the money is back');
    }
  }

  function begun(node: string, commit: BeginCommit, answer: Begun): void {
    if (answer.kind !== 'begun') return;
    const { purchase, event, effects, deadlineMs } = commit;
    const { machineId, orderSeq } = purchase.order;
    if (pages.find(purchase.id) !== undefined) return pages.complain(null, `${purchase.id} began twice`);
    const holder = pages.holderOf(machineId, orderSeq);
    const page = pages.open(purchase, node);
    if (holder !== undefined) pages.complain(page, `began for an order that ${holder.purchase.reference} holds`);
    const rule = begin(event, rules);
    if (!rule.ok) pages.complain(page, `began, although ${rule.refusal}`);
    else if (!isSame(rule.value.purchase, purchase) || rule.value.deadlineMs !== deadlineMs) {
      pages.complain(page, `began otherwise than the rules say: ${differenceOf(rule.value.purchase, purchase)}`);
    }
    plan(page, effects);
    checkEffects(page);
  }

  function committed(node: string, commit: Commit, answer: Committed): void {
    if (answer.kind !== 'committed') return;
    const page = pageOf(commit.before.id, `${commit.event.type} was committed`);
    if (page === undefined) return;
    checkStep(page, commit);
    checkWord(page, commit);
    const { after, event, statement } = commit;
    if (commit.deadline !== 'keep') page.hasDeadline = commit.deadline !== null;
    if (page.hasDeadline === isEnded(after))
      pages.complain(page, `${after.state} with${page.hasDeadline ? '' : 'out'} a deadline`);
    pages.turn(page, after, node);
    const again = new Set(commit.planned.map(({ key }) => key));
    for (const key of commit.dropped) if (!again.has(key)) pages.drop(page, key);
    if (commit.onlyIfUnsent !== null) pages.drop(page, commit.onlyIfUnsent);
    for (const { key } of commit.rescheduled) {
      if (!page.effects.has(key)) pages.complain(page, `${event.type} put off an effect that is not planned`);
    }
    plan(page, commit.planned);
    if (event.type === 'operator_confirmed') page.isConfirmedByPerson = true;
    if (event.type === 'validation_given') {
      const key = keyIn(page, 'validate', after.facts.validateAttempts);
      page.intentions.set(key, (page.intentions.get(key) ?? 0) + 1);
    }
    for (const attention of commit.opened) page.openCases.add(attention);
    for (const attention of commit.closed) page.openCases.delete(attention);
    if (statement !== null) keep(statement, page);
    checkEffects(page);
    checkMoney(page);
    if (event.type === 'vend_succeeded' && event.basis === null && page.delivered === 0) {
      pages.complain(page, 'the machine says that it delivered, and nothing dropped');
    }
  }

  /** False for one that the journal has. */
  function keep(statement: MachineStatement, page: Page | undefined): boolean {
    const name = statementName(statement);
    if (statements.has(name)) return false;
    statements.add(name);
    page?.machineWords.push(wordOf(statement));
    return true;
  }

  return {
    begun,
    committed,
    statementKept: (_node, statement, purchaseId, opened) => {
      const page = purchaseId === null ? undefined : pages.find(purchaseId);
      if (!keep(statement, page)) return;
      for (const attention of opened) page?.openCases.add(attention);
    },
    queryPlanned: (_node, id, row) => {
      const page = pageOf(id, 'a query was planned');
      // One that is planned already stays, or becomes due; an intention like any other.
      if (page !== undefined && row.effect.kind === 'query_payment') pages.plan(page, row.key, row.effect);
    },
    refundRecorded: (_node, commit, answer) => {
      const page = pageOf(commit.purchaseId, 'a refund was recorded');
      if (page === undefined || answer !== 'recorded') return;
      if (!isEnded(page.purchase)) pages.complain(page, 'a refund before the end');
      plan(page, [commit.effect]);
      for (const attention of commit.opened) page.openCases.add(attention);
    },
    refundSettled: (_node, id, n) => {
      const page = pageOf(id, 'a refund was settled');
      if (page !== undefined) pages.drop(page, keyIn(page, 'refund', n));
    },
    caseOpened: (_node, id, attention) => {
      pages.find(id)?.openCases.add(attention);
    },
    effectFinished: (_node, id, key) => {
      const page = pages.find(id);
      if (page === undefined) return;
      const kind = page.effects.get(key)?.kind;
      pages.drop(page, key);
      const isFree = kind === 'notify' || kind === undefined || (kind === 'query_payment' && isEnded(page.purchase));
      if (!isFree) pages.complain(page, `the effect ${kind} ended without an event`);
    },
  };
}

/** In what a commit differs from the step that the rules make of its event; null when in nothing. */
function deviationOf(page: Page, step: Step, commit: Commit): string | null {
  const keys = (names: readonly { readonly kind: Effect['kind']; readonly n?: number }[]): string =>
    listed(names.map(({ kind, n }) => keyIn(page, kind, n ?? 1)));
  const keysOf = (rows: readonly { readonly key: string }[]): string => listed(rows.map(({ key }) => key));
  if (!isSame(step.after, commit.after)) return `other than the rules say: ${differenceOf(step.after, commit.after)}`;
  if (step.deadline !== commit.deadline) return `deadline ${commit.deadline}, the rules say ${step.deadline}`;
  const planned = listed(step.planned.map(({ effect }) => keyOfEffect(page, effect)));
  if (planned !== keysOf(commit.planned)) return 'other effects than the rules plan';
  if (keys(step.dropped) !== listed(commit.dropped)) return 'other effects dropped than the rules drop';
  if (keys(step.rescheduled.map(({ effect }) => effect)) !== keysOf(commit.rescheduled)) return 'other effects put off';
  if (step.onlyIfUnsent !== (commit.onlyIfUnsent !== null)) return 'whether the approval was sent was not looked at';
  const isSameCases = listed(step.opened) === listed(commit.opened) && listed(step.closed) === listed(commit.closed);
  return isSameCases ? null : 'other cases opened or closed';
}

/** Which members differ, for a person. */
function differenceOf(one: Purchase, other: Purchase): string {
  const [left, right] = [
    Object.entries({ ...one, ...one.facts }),
    new Map<string, unknown>(Object.entries({ ...other, ...other.facts })),
  ];
  return left.flatMap(([name, value]) => (isSame(value, right.get(name)) || name === 'facts' ? [] : [name])).join(', ');
}
