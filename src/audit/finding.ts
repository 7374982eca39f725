/**
 * What does not agree, as a line for a person: what it is about, what was expected, what was found, and what to do.
 */

/** What was checked. */
export type CheckName =
  /** The lines of a purchase's history: complete, possible, and leading to where its row is. */
  | 'history'
  /** The row's state beside its deadline, its end and its order. */
  | 'state'
  | 'effects'
  /** Due for a long time, and nobody comes. */
  | 'stuck'
  | 'order'
  | 'floor'
  /** The payer's money beside the purchase's state. */
  | 'money'
  /** Amount, currency, payer and operator beside the wallet's. */
  | 'terms'
  | 'refund'
  /** The machine's word beside the purchase's state. */
  | 'delivery'
  | 'attention'
  | 'unknown_money'
  | 'unknown_purchase'
  | 'figures'
  | 'orphan'
  | 'ledger'
  | 'log';

/** One disagreement. `subject`: what it is about where that is no single purchase. */
export type Finding = {
  readonly check: CheckName;
  readonly purchaseId: string | null;
  readonly reference: string | null;
  readonly subject: string | null;
  readonly expected: string;
  readonly found: string;
  readonly todo: string;
};

/** A finding but for the advice. */
export type Found = Omit<Finding, 'todo'>;

const LOOK = (id: string): string => `Look at it: relais purchases show ${id}.`;

// `id` is the purchase's, or a word in its place.
const ADVICE: Readonly<Record<CheckName, (id: string) => string>> = {
  history: (id) => `The journal was changed by hand or restored in part: compare with a backup. ${LOOK(id)}`,
  state: (id) => `The row was changed by hand: restore it from the last line of its history. ${LOOK(id)}`,
  effects: (id) =>
    `What the state calls for will not be asked: restore the effect from a backup, or let a person end it. ${LOOK(id)}`,
  stuck: (id) => `Is a node running, and does its log say why it fails? Start one: relais serve. ${LOOK(id)}`,
  order: (id) =>
    `One order was paid twice: give the later one back: relais purchases refund ${id} --reason "paid twice".`,
  floor: () => 'An old order of this machine could be bought again: raise machines.seq_floor to the expected number.',
  money: (id) =>
    `Compare with the wallet's own records. Where the payer paid for nothing: relais purchases refund ${id} --reason "found by the audit"; where the state refuses that, give it back at the wallet. ${LOOK(id)}`,
  terms: (id) =>
    `Ask the wallet which is right, and settle the difference with the payer or the operator there. ${LOOK(id)}`,
  refund: (id) => `Compare refunds with the wallet's reversals; what was promised is owed. ${LOOK(id)}`,
  delivery: (id) => `Ask the machine's operator what came out, then decide whose the money is. ${LOOK(id)}`,
  attention: (id) => `No person would see it: open its case again from its history. ${LOOK(id)}`,
  unknown_money: () =>
    'Ask the wallet for this payment and give it back there; if a backup was restored, restore what came after it.',
  unknown_purchase: () => 'Its row is lost: restore it from a backup, by the history that is left.',
  figures: () => 'Sales figures are off: write the counted ones into machine_days.',
  orphan: () => 'Its purchase is lost: restore it from a backup before this is carried out.',
  ledger: () => "The payment centre's ledger does not add up: stop paying out, and compare it with a backup.",
  log: () => 'The record of who did what was changed: compare audit_log with a backup.',
};

/** With what to do. */
export function advised(found: Found): Finding {
  return { ...found, todo: ADVICE[found.check](found.purchaseId ?? 'ID') };
}

/** The line that is printed. */
export function lineOf(finding: Finding): string {
  const { check, reference, purchaseId, subject, expected, found, todo } = finding;
  const about = [reference, purchaseId, subject].filter((word) => word !== null).join(' ');
  return `${check}: ${about}: expected ${expected}; found ${found}. ${todo}`;
}
