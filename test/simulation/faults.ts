/**
 * Every kind of fault and of trouble that a simulation may bring about. Each is counted; a long run must reach each.
 */

/** Names of the faults, grouped by whom they hit. */
export const faultKinds = [
  // The network of the phones: a request or a screen of ours.
  'pdu_lost',
  'pdu_late',
  'pdu_doubled',
  'pdu_reordered',
  'pdu_at_two_nodes',
  'screen_lost',
  'screen_unanswered',
  'sms_refused',
  // Payers.
  'payer_hangs_up',
  'payer_redials',
  'payer_confirms_twice',
  'payer_slow',
  'wrong_number',
  'wrong_pin',
  'poor_payer',
  'two_payers',
  'dialed_before_order',
  // The machine's customer and hardware.
  'order_canceled',
  'order_replaced',
  'jam',
  'sensor_silent',
  'controller_reset',
  'slow_delivery',
  // The machine and its link.
  'power_cut',
  'power_cut_at_write',
  'disk_failed',
  'journal_replaced',
  'link_cut',
  'link_stalled',
  'link_slow',
  // The nodes.
  'node_killed',
  'node_stalled',
  // The wallet.
  'wallet_away',
  'wallet_slow',
  'wallet_request_lost',
  'wallet_answer_lost',
  'wallet_answers_late',
  'wallet_doubled',
  'wallet_lies_duplicate',
  'wallet_status_error',
  // Redis and PostgreSQL.
  'board_wiped',
  'board_away',
  'board_answer_lost',
  'journal_away',
  'journal_request_lost',
  'journal_answer_lost',
  'journal_late',
  // Clocks.
  'wall_jump',
  'journal_clock_jump',
  'board_clock_jump',
  // People at the desk.
  'person_refunds',
  'person_confirms',
] as const;

/** A kind of fault. */
export type FaultKind = (typeof faultKinds)[number];

/** Who counts, and decides whether a kind is switched on. */
export interface FaultPlan {
  /** True, and counted, when this kind is on, the time of faults is not over, and chance says so with this probability. */
  strikes(kind: FaultKind, probability: number): boolean;
  /** Counts what happened by itself. */
  note(kind: FaultKind): void;
}
