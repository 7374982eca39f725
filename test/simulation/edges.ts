/**
 * Which rows of the table of edges (docs/purchase.md) a run has reached.
 */
import type { PurchaseEvent } from '../../src/purchase/event.ts';
import type { Attention, Msisdn, Purchase, State } from '../../src/purchase/purchase.ts';
import type {
  BeginCommit,
  Begun,
  Commit,
  Committed,
  MachineStatement,
  RefundCommit,
} from '../../src/purchase/store-port.ts';
import type { TextKey } from '../../src/ussd/phrases.ts';
import { statementName } from './journal-rules.ts';
import type { Pages } from './pages.ts';

/** Number of the last row. */
export const lastEdge = 30;

/** Every row in short, for people. */
export const edgeNames: Readonly<Record<number, string>> = {
  1: 'unknown machine number',
  2: 'no order on the machine yet',
  3: 'two callers, one order',
  4: 'order changed before the yes',
  5: 'the yes comes too late',
  6: 'the wallet declines',
  7: 'the wallet wants a validation',
  8: 'the wallet is silent',
  9: 'secured after the deadline',
  10: 'the wallet never saw the key',
  11: 'machine never reached',
  12: 'the machine rejects',
  13: 'approval sent, no acceptance',
  14: 'accepted, no result in time',
  15: 'the delivery fails',
  16: 'reset between approval and result',
  17: 'a result twice, or first',
  18: 'a contradicting result',
  19: 'the reversal is overdue',
  20: 'the settlement fails',
  21: 'the payer hangs up after the yes',
  22: 'the yes twice',
  23: 'a node killed, another goes on',
  24: 'Redis wiped under purchases',
  25: 'PostgreSQL away',
  26: 'secured after the end',
  27: 'a person refunds',
  28: 'order closed before secured',
  29: 'commit 1 without an answer',
  30: 'a key delivered again',
};

/** Texts that say by themselves which row was reached. */
const OF_TEXT: Readonly<Partial<Record<TextKey, number>>> = {
  unknown_number: 1,
  sms_unknown_number: 1,
  no_order: 2,
  sms_no_order: 2,
  busy: 3,
  sms_busy: 3,
  order_changed: 4,
  sms_order_changed: 4,
  too_late: 5,
  service_down: 25,
};

const OF_CASE: Readonly<Partial<Record<Attention, number>>> = {
  contradicting_result: 18,
  reversal_overdue: 19,
  settlement_overdue: 20,
};

/** Rows that an event reaches in the state where it is applied. */
function edgesOf(before: Purchase, event: PurchaseEvent, after: Purchase): readonly number[] {
  const isEarly = before.state === 'approving';
  switch (event.type) {
    case 'authorize_declined':
      return after.state === 'declined' ? [6] : [];
    case 'validation_required':
      return [7];
    case 'payment_unknown':
      return [8];
    case 'payment_not_found':
      return [10];
    case 'authorized':
    case 'validated':
      if (after.facts.reversalReason === 'secured_late') return [9];
      return after.facts.reversalReason === 'order_gone' ? [28] : [];
    case 'approval_unreachable':
      return [11];
    case 'approval_rejected':
      return [12];
    case 'deadline_passed':
      if (isEarly) return [13];
      return before.state === 'vending' ? [14] : [];
    case 'vend_failed':
      return isEarly ? [15, 17] : [15];
    case 'vend_succeeded':
      return [...(event.basis === null ? [] : [16]), ...(isEarly ? [17] : [])];
    case 'settle_refused':
      return [20];
    case 'operator_refunded':
      return [27];
    default:
      return [];
  }
}

/** Counts rows and states. */
export interface EdgeCount {
  readonly edges: Readonly<Record<number, number>>;
  readonly states: Readonly<Record<State, number>>;
  reached(edge: number): void;
  text(key: TextKey): void;
  begun(node: string, commit: BeginCommit, answer: Begun): void;
  /** Before the page is turned. */
  committed(commit: Commit, answer: Committed): void;
  /** Before it is kept. */
  statementKept(statement: MachineStatement, opened: readonly Attention[]): void;
  queryPlanned(): void;
  refundRecorded(commit: RefundCommit, answer: string): void;
  caseOpened(attention: Attention): void;
  hungUp(payer: Msisdn): void;
  nodeKilled(node: string): void;
  boardWiped(): void;
}

/** All at 0. `statements`: what the journal has, by name. */
export function createEdgeCount(pages: Pages, statements: ReadonlySet<string>): EdgeCount {
  const edges: Record<number, number> = {};
  for (let edge = 1; edge <= lastEdge; edge += 1) edges[edge] = 0;
  const states: Record<State, number> = {
    authorizing: 0,
    validating: 0,
    approving: 0,
    vending: 0,
    in_doubt: 0,
    settling: 0,
    reversing: 0,
    completed: 0,
    declined: 0,
    reversed: 0,
  };
  const killed = new Set<string>();
  const reached = (edge: number): void => {
    edges[edge] = (edges[edge] ?? 0) + 1;
  };
  const opened = (cases: readonly Attention[]): void => {
    for (const attention of cases) {
      const edge = OF_CASE[attention];
      if (edge !== undefined) reached(edge);
    }
  };

  return {
    edges,
    states,
    reached,
    text: (key) => {
      const edge = OF_TEXT[key];
      if (edge !== undefined) reached(edge);
    },
    begun: (_node, { purchase }, answer) => {
      if (answer.kind === 'begun') states.authorizing += 1;
      // The same reference: the very statement again, whose first answer was lost. Another one: another yes.
      else if (answer.kind === 'exists') reached(answer.loaded.purchase.reference === purchase.reference ? 29 : 22);
    },
    committed: (commit, answer) => {
      const page = pages.find(commit.before.id);
      if (answer.kind === 'statement_known') reached(17);
      if (answer.kind !== 'committed' || page === undefined) return;
      const { after, event } = commit;
      if (after.state !== page.purchase.state) states[after.state] += 1;
      for (const edge of edgesOf(page.purchase, event, after)) reached(edge);
      opened(commit.opened);
      if (killed.has(page.lastNode)) reached(23);
    },
    statementKept: (statement, cases) => {
      if (statements.has(statementName(statement))) reached(17);
      opened(cases);
    },
    queryPlanned: () => reached(26),
    refundRecorded: (commit, answer) => {
      if (answer === 'recorded') reached(commit.reason === 'paid_after_close' ? 26 : 27);
    },
    caseOpened: (attention) => opened([attention]),
    hungUp: (payer) => {
      if (pages.ofPayer(payer).some((page) => pages.live.has(page))) reached(21);
    },
    nodeKilled: (node) => {
      killed.add(node);
    },
    boardWiped: () => {
      if (pages.live.size > 0) reached(24);
    },
  };
}
