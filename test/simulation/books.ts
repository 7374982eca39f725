/**
 * The books of a simulation: everything that was noted, held against the invariants of docs/purchase.md. Nothing here
 * asks a node what it thinks; only what journal, wallet, hardware and phones show counts.
 */
import { brokenInvariants } from '../../src/purchase/invariant.ts';
import type { Msisdn, State } from '../../src/purchase/purchase.ts';
import type { Rules } from '../../src/purchase/rules.ts';
import { createEdgeCount, type EdgeCount } from './edges.ts';
import { createJournalRules } from './journal-rules.ts';
import { createMachineRules } from './machine-rules.ts';
import { createMoneyRules } from './money-rules.ts';
import type { Ledger, Notes } from './notes.ts';
import { createOfferRules } from './offer-rules.ts';
import { createPages, evidenceOf, keptMinor, keyIn, type Page, type Pages } from './pages.ts';
import { createPhoneRules } from './phone-rules.ts';
import type { TextReader } from './said-text.ts';

/** What the books stand on. */
export type BooksDeps = {
  /** Those of the nodes. */
  readonly rules: Rules;
  readonly ledger: Ledger;
  readonly reader: TextReader;
  /** Keyed hash of a number, as the boards name its owner (`Subscribers.pseudonymOf`). */
  readonly pseudonymOf: (payer: Msisdn) => string;
};

/** What still has to come to rest. */
export type Unrest = { readonly purchases: number; readonly effects: number; readonly statements: number };

/** The books. */
export interface Books extends Notes {
  /** Rules broken since the last call, as sentences; to be asked after each step. Cheap when nothing was noted. */
  broken(): readonly string[];
  /** To be asked once, when faults have stopped and nothing moves any more. */
  brokenAtRest(): readonly string[];
  /** Nothing left of any of these: at rest. Purchases in doubt, and those whose hold is gone, count as at rest. */
  unrest(): Unrest;
  /** Purchases that have begun. */
  readonly begunCount: number;
  readonly edges: Readonly<Record<number, number>>;
  readonly states: Readonly<Record<State, number>>;
}

/** True for a live purchase that may stay where it is: a person is called, or its deadline comes. */
function mayStay({ purchase, hasDeadline, openCases }: Page): boolean {
  if (!hasDeadline) return false;
  if (purchase.state === 'in_doubt') return openCases.has('in_doubt');
  return purchase.state === 'settling' && purchase.facts.isHoldGone && openCases.has('settlement_overdue');
}

/** A declined purchase that turned out to be paid is owed a refund, which is looked at in the end. */
function brokenOf(page: Page): readonly string[] {
  const evidence = evidenceOf(page);
  const isOwed = page.purchase.state === 'declined' && keptMinor(page) > 0n;
  return brokenInvariants(page.purchase, isOwed ? { ...evidence, refundedMinor: evidence.securedMinor } : evidence);
}

/** What the machine said last must be what was done, or a person must be told that it was not. */
function checkMachineWords(pages: Pages, page: Page): void {
  if (page.machineWords.length === 0 || page.openCases.has('contradicting_result')) return;
  const { state } = page.purchase;
  const isPaid = state === 'settling' || state === 'completed';
  const ours = keyIn(page, 'approve', 1);
  for (const { kind, isProof, approvalId } of page.machineWords) {
    if (approvalId !== null && approvalId !== ours) {
      pages.complain(page, `the journal keeps a ${kind} under another approval, and no case is open`);
      continue;
    }
    const isContradicted = kind === 'success' ? isProof && !isPaid : state === 'completed';
    if (isContradicted) pages.complain(page, `the journal keeps the machine's ${kind}, and no case is open`);
  }
}

function checkRest(pages: Pages): void {
  for (const page of pages.all.values()) {
    checkMachineWords(pages, page);
    const isLive = pages.live.has(page);
    if (isLive && !mayStay(page)) pages.complain(page, 'never came to rest');
    if (isLive) continue;
    for (const effect of page.effects.values()) pages.complain(page, `the effect ${effect.kind} is still planned`);
    const isBought = page.delivered > 0 || page.purchase.facts.presumed !== null || page.isConfirmedByPerson;
    if (page.purchase.state === 'completed' && !isBought) pages.complain(page, 'paid, and nothing was delivered');
    for (const broken of brokenInvariants(page.purchase, evidenceOf(page))) pages.complain(page, broken);
  }
}

/** Empty books. */
export function createBooks({ rules, ledger, reader, pseudonymOf }: BooksDeps): Books {
  const pages = createPages();
  const statements = new Set<string>();
  const journal = createJournalRules(pages, rules, statements);
  const money = createMoneyRules(pages, ledger);
  const machines = createMachineRules(pages, statements);
  const count: EdgeCount = createEdgeCount(pages, statements);
  const offers = createOfferRules(pages);
  const phones = createPhoneRules({ pages, reader, offers, pseudonymOf, onText: (key) => count.text(key) });

  return {
    ...journal,
    ...money,
    ...machines,
    ...phones,
    begun: (node, commit, answer) => {
      count.begun(node, commit, answer);
      journal.begun(node, commit, answer);
      if (answer.kind === 'begun') offers.begun(commit.purchase.id);
    },
    committed: (node, commit, answer) => {
      count.committed(commit, answer);
      journal.committed(node, commit, answer);
    },
    statementKept: (node, statement, purchaseId, opened) => {
      count.statementKept(statement, opened);
      journal.statementKept(node, statement, purchaseId, opened);
    },
    queryPlanned: (node, id, row) => {
      count.queryPlanned();
      journal.queryPlanned(node, id, row);
    },
    refundRecorded: (node, commit, answer) => {
      count.refundRecorded(commit, answer);
      journal.refundRecorded(node, commit, answer);
    },
    caseOpened: (node, id, attention) => {
      count.caseOpened(attention);
      journal.caseOpened(node, id, attention);
    },
    payerMet: (payerId, payer) => pages.meet(payerId, payer),
    hungUp: (payer) => count.hungUp(payer),
    nodeKilled: (node) => count.nodeKilled(node),
    boardWiped: () => count.boardWiped(),
    reached: (edge) => count.reached(edge),
    broken: () => {
      for (const page of pages.takeTouched()) for (const rule of brokenOf(page)) pages.complain(page, rule);
      money.check();
      return pages.takeComplaints();
    },
    brokenAtRest: () => {
      checkRest(pages);
      money.checkAtRest();
      machines.checkAtRest();
      phones.checkAtRest();
      return pages.takeComplaints();
    },
    unrest: () => {
      let purchases = 0;
      let allowed = 0;
      for (const page of pages.live) {
        if (!mayStay(page)) purchases += 1;
        else allowed += page.effects.size;
      }
      return { purchases, effects: pages.plannedEffects() - allowed, statements: machines.owed() };
    },
    get begunCount() {
      return pages.all.size;
    },
    edges: count.edges,
    states: count.states,
  };
}
