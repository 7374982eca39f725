/**
 * The order at the machine: what may still be delivered. Pure; the one place that decides on an approval.
 */
import type { DurationMs, UnixMs } from '../../time.ts';
import type { CallOf, JournalState, MachineRejection } from '../messages.ts';
import type { Closing, OrderRecord } from './journal.ts';

/** Least time that must be left right before the go-ahead. */
const goAheadMarginMs = 500;
/** How far the wall clock may run ahead of the monotonic one before a suspension of the host is assumed. */
const maxDriftMs = 5_000;

/** What is known of the order in the customer's hands beside its record. Times by the clocks of this boot. */
export type LiveOrder = {
  readonly seq: number;
  /** The hardware's name of it. */
  readonly selection: number;
  readonly selectedAtMs: DurationMs;
  readonly selectedWallMs: UnixMs;
  readonly maxWaitMs: DurationMs;
  /** The price that holds: the machine's own, or the one the server told; null while it is not known. */
  readonly amount: bigint | null;
};

/** An approval with all that decides on it. */
export type Trial = {
  readonly approval: CallOf<'vend.approve'>;
  readonly receivedAtMs: DurationMs;
  readonly record: OrderRecord | null;
  readonly firstSeq: number;
  readonly highWater: number;
  /** The order in the customer's hands. */
  readonly live: LiveOrder | null;
  readonly isOutOfOrder: boolean;
  /** The controller waits in the request of exactly this selection. */
  readonly isRequested: boolean;
  readonly nowMs: DurationMs;
  readonly wallMs: UnixMs;
  readonly vmcMarginMs: DurationMs;
};

/** The verdict. `closes`: to be on disk, and the controller free, before the rejection is written. */
export type Verdict =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'duplicate'; readonly state: JournalState }
  | {
      readonly kind: 'rejected';
      readonly reason: MachineRejection;
      readonly closes: 'expired' | 'rejected' | null;
      /** A number that will never be minted, to be on disk first. */
      readonly raisesTo: number | null;
    };

const closedReasons: Record<Closing, MachineRejection> = {
  expired: 'late',
  rebooted: 'late',
  unreachable: 'late',
  canceled: 'canceled',
  replaced: 'replaced',
  rejected: 'already_closed',
  down: 'already_closed',
  denied: 'already_closed',
  stale: 'already_closed',
};

function rejected(reason: MachineRejection): Verdict {
  return { kind: 'rejected', reason, closes: null, raisesTo: null };
}

function rejectedAndClosed(reason: MachineRejection): Verdict {
  return { kind: 'rejected', reason, closes: reason === 'late' ? 'expired' : 'rejected', raisesTo: null };
}

function judgeUnknown(trial: Trial): Verdict {
  const { orderSeq } = trial.approval;
  if (orderSeq > trial.highWater) return { ...rejectedUnknown, raisesTo: orderSeq };
  return orderSeq < trial.firstSeq ? rejectedUnknown : rejected('already_closed');
}

const rejectedUnknown = { kind: 'rejected', reason: 'unknown_order', closes: null, raisesTo: null } as const;

function isLate(trial: Trial, live: LiveOrder): boolean {
  const deadlineMs = live.selectedAtMs + live.maxWaitMs - trial.vmcMarginMs;
  if (trial.nowMs >= deadlineMs) return true;
  if (trial.nowMs - trial.receivedAtMs >= trial.approval.validMs) return true;
  // A host that slept stops the monotonic clock on some systems; the customer has waited all the same.
  const driftMs = trial.wallMs - live.selectedWallMs - (trial.nowMs - live.selectedAtMs);
  return driftMs > maxDriftMs;
}

function isMismatch(trial: Trial, record: OrderRecord, live: LiveOrder): boolean {
  const { currency, item, amount } = trial.approval;
  return currency !== record.currency || item !== record.item || (live.amount !== null && amount !== live.amount);
}

/** The acceptance test of the contract's section 5, in its order. */
export function judgeApproval(trial: Trial): Verdict {
  const { record, live, approval } = trial;
  if (record === null) return judgeUnknown(trial);
  if (record.approval !== null) {
    if (record.approval.id !== approval.approvalId) return rejected('other_approval');
    return { kind: 'duplicate', state: record.state };
  }
  if (record.closed !== null) return rejected(closedReasons[record.closed.result]);
  if (trial.isOutOfOrder) return rejectedAndClosed('out_of_order');
  if (live === null || live.seq !== record.seq || !trial.isRequested) return rejectedAndClosed('vmc_not_ready');
  if (isMismatch(trial, record, live)) return rejectedAndClosed('amount_mismatch');
  if (isLate(trial, live)) return rejectedAndClosed('late');
  return { kind: 'accepted' };
}

/** True when so little is left that the go-ahead is not given any more. */
export function isTooLateToGo(live: LiveOrder, nowMs: DurationMs): boolean {
  return live.selectedAtMs + live.maxWaitMs - nowMs < goAheadMarginMs;
}
