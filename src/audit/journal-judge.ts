/**
 * What the journal says of one purchase, held against itself: history, row, effects, cases, and the machine's word.
 */
import { firstImpossible } from '../purchase/edges.ts';
import type { Facts, LiveState, State } from '../purchase/purchase.ts';
import { calledForBy } from '../purchase/step.ts';
import type { AuditedPurchase, AuditedRow } from '../store/journal-audit.ts';
import type { DurationMs } from '../time.ts';
import type { CheckName, Found } from './finding.ts';

/** Later than any lease, poll or retry by much: nobody is working. */
const STUCK_MS: DurationMs = 15 * 60_000;

type Verdict = { readonly lines: number; readonly lastState: string; readonly impossible: string | null };

const MOST_VERDICTS = 10_000;

/** Judges histories; there are few different ones among millions. */
export function createHistoryJudge(): (history: string) => Verdict {
  const known = new Map<string, Verdict>();
  return (history) => {
    const before = known.get(history);
    if (before !== undefined) return before;
    const verdict = verdictOf(history);
    if (known.size < MOST_VERDICTS) known.set(history, verdict);
    return verdict;
  };
}

function verdictOf(history: string): Verdict {
  const lines = history === '' ? [] : history.split(' ');
  const lived = lines.map((line) => {
    const [event = '', state = ''] = line.split(':');
    return { event, state };
  });
  const at = firstImpossible(lived);
  const before = at === null || at === 0 ? 'nothing' : lived[at - 1]?.state;
  return {
    lines: lines.length,
    lastState: lived.at(-1)?.state ?? 'nothing',
    impossible: at === null ? null : `${lived[at]?.event} led from ${before} to ${lived[at]?.state}`,
  };
}

/** All that the journal says against itself about a purchase; empty when it agrees. */
export function judgeJournal(purchase: AuditedPurchase, historyOf: (history: string) => Verdict): readonly Found[] {
  const { id, row } = purchase;
  const verdict = historyOf(purchase.history);
  if (row === null) {
    const found = `${verdict.lines} lines of history, the last one ${verdict.lastState}, and no row`;
    return [{ ...about(id, null), check: 'unknown_purchase', expected: 'a purchase', found }];
  }
  const found: Found[] = [];
  const say = (check: CheckName, expected: string, what: string): void => {
    found.push({ ...about(id, row.reference), check, expected, found: what });
  };
  judgeHistory(purchase, row, verdict, say);
  judgeRow(row, say);
  judgeEffects(purchase, row, say);
  judgeCases(purchase, row, say);
  judgeDelivery(purchase, row, say);
  judgePromises(purchase, row, say);
  return found;
}

type Say = (check: CheckName, expected: string, found: string) => void;

/** The fields that name a purchase. */
export function about(
  purchaseId: string | null,
  reference: string | null,
): Pick<Found, 'purchaseId' | 'reference' | 'subject'> {
  return { purchaseId, reference, subject: null };
}

function judgeHistory(purchase: AuditedPurchase, row: AuditedRow, verdict: Verdict, say: Say): void {
  const { firstVersion, lastVersion } = purchase;
  const isComplete = firstVersion === 1 && lastVersion === row.version && verdict.lines === row.version;
  if (!isComplete) {
    say('history', `versions 1 to ${row.version}`, `${verdict.lines} versions, from ${firstVersion} to ${lastVersion}`);
    return;
  }
  if (verdict.impossible !== null) say('history', 'events that the rules allow', verdict.impossible);
  else if (verdict.lastState !== row.state)
    say('history', `state ${verdict.lastState} as its last event says`, `state ${row.state}`);
}

const ENDED: ReadonlySet<string> = new Set(['completed', 'declined', 'reversed'] satisfies readonly State[]);

function judgeRow(row: AuditedRow, say: Say): void {
  const isEnded = ENDED.has(row.state);
  if (row.hasEnded !== isEnded)
    say('state', isEnded ? 'the time of its end' : 'no end', `${row.state}, ${row.hasEnded ? 'ended' : 'not ended'}`);
  if ((row.overdueMs === null) !== isEnded) {
    say(
      'state',
      isEnded ? 'no deadline' : 'a deadline',
      `${row.state} ${row.overdueMs === null ? 'without one' : 'with one'}`,
    );
  }
  if (row.holdsOrder === (row.state === 'declined')) {
    say(
      'state',
      'the order held, unless declined',
      `${row.state}, ${row.holdsOrder ? 'holding' : 'not holding'} its order`,
    );
  }
  if (row.overdueMs !== null && row.overdueMs > STUCK_MS) {
    say('stuck', 'its deadline decided', `${row.state}, ${minutes(row.overdueMs)} past its deadline`);
  }
}

function minutes(ms: DurationMs): string {
  return `${Math.floor(ms / 60_000)} min`;
}

function judgeEffects({ effects, effectOverdueMs, refunds }: AuditedPurchase, row: AuditedRow, say: Say): void {
  const called = effectsCalledFor(row.state, row.facts);
  const owed = refunds.filter((each) => !each.isSettled).map((each) => `refund/${each.n}`);
  const late = ENDED.has(row.state) ? ['query_payment'] : [];
  for (const name of [...called, ...owed]) {
    if (!effects.includes(name)) say('effects', `${name} planned while ${row.state}`, 'no such effect');
  }
  const allowed = new Set([...called, ...owed, ...late, 'notify']);
  for (const name of effects.filter((each) => !allowed.has(each))) {
    say('effects', `only what ${row.state} calls for`, `${name} planned`);
  }
  if (effectOverdueMs !== null && effectOverdueMs > STUCK_MS) {
    say('stuck', 'its effects carried out', `${effects.join(', ')} due for ${minutes(effectOverdueMs)}`);
  }
}

/** Effects that a state calls for, as the journal names them. */
function effectsCalledFor(state: State, facts: Facts): readonly string[] {
  if (!isLive(state)) return [];
  return calledForBy({ state, facts }).map((each) => ('n' in each ? `${each.kind}/${each.n}` : each.kind));
}

function isLive(state: State): state is LiveState {
  return !ENDED.has(state);
}

function judgeCases({ cases, openCases }: AuditedPurchase, row: AuditedRow, say: Say): void {
  if (row.state === 'in_doubt' && !openCases.includes('in_doubt'))
    say('attention', 'an open case while in doubt', 'none');
  for (const attention of row.facts.attention.filter((each) => !cases.includes(each))) {
    say('attention', `a case ${attention}, as the purchase says`, 'none');
  }
}

function judgePromises({ refunds }: AuditedPurchase, { amountMinor }: AuditedRow, say: Say): void {
  const promised = refunds.reduce((total, each) => total + each.amountMinor, 0n);
  if (promised > amountMinor) say('refund', `refunds of ${amountMinor} at most`, `${promised} promised`);
}

/** A contradiction that has a case is before a person already. */
function judgeDelivery({ statements, cases }: AuditedPurchase, { state }: AuditedRow, say: Say): void {
  if (cases.includes('contradicting_result')) return;
  const isSold = state === 'settling' || state === 'completed';
  if (statements.includes('success') && !isSold) {
    say('delivery', 'settling or completed, as the machine says that it delivered', state);
  }
  if (isSold && (statements.includes('failure') || statements.includes('closed'))) {
    say('delivery', 'money back, as the machine says that nothing came out', state);
  }
}
