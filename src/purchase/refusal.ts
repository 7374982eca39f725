/**
 * Why a rule said no: values, never exceptions. Closed set; every table over it is total.
 */

/** A refusal of `transition` or of `begin`. */
export type Refusal =
  /** Less than the cut-off is left of the machine's waiting time, or the purchase is late: nothing is asked of the wallet. */
  | 'too_late'
  /** The state has no edge for this event. */
  | 'no_such_edge'
  /** A person may step in only once the purchase is overdue. */
  | 'not_overdue'
  /** The wallet cannot undo by key, so nobody can know that the money stays with the payer. */
  | 'not_reversible'
  /** A loss can be accepted only when the hold is gone for good. */
  | 'hold_not_gone'
  /** The payer's validation is the wallet's own affair (push), or not awaited. */
  | 'no_answer_wanted';
