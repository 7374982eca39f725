/**
 * The order in the customer's hands, from selection to result: each step on disk before anybody hears of it.
 */
import { Fault } from '../../result.ts';
import type { CancelTimer, Clock, DurationMs } from '../../time.ts';
import type { CallOf, JournalState, MachineRejection, ResultOf } from '../messages.ts';
import type { AgentConfig, AgentLog } from './agent-config.ts';
import { type Closing, type Journal, maxUnacked, type OrderRecord, type VendOutcome } from './journal.ts';
import { isTooLateToGo, judgeApproval, type LiveOrder, type Verdict } from './order.ts';
import type { HardwareEvent, VendingHardware } from './vending-hardware.ts';

/** Largest price that the link carries. */
const largestAmount = 999_999_999n;

/** Why no order can be paid over the link at the moment. */
export type OutOfOrder = 'storage' | 'hardware' | 'config' | 'journal_full';

/** What the desk needs. */
export type DeskDeps = {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly hardware: VendingHardware;
  readonly log: AgentLog;
  readonly bootId: string;
  /** The request of this order has been written to a socket, so that the server may have it. */
  readonly isRequestWritten: (orderSeq: number) => boolean;
  /** An order began: connect, and say it. */
  readonly onBegun: () => void;
  /** Somebody at the machine ended an order that the server may have. */
  readonly onCanceled: (orderSeq: number, reason: CallOf<'vend.cancel'>['reason']) => void;
  /** The order has ended; there may be something to say. */
  readonly onEnded: () => void;
  readonly onStatus: () => void;
};

/** An order with its timers. */
type Live = LiveOrder & { stopTimers: CancelTimer };

/** The desk. It holds at most one order; what came before is in the journal. */
export class OrderDesk {
  readonly #deps: DeskDeps;
  #live: Live | null = null;
  #isHardwareDown = false;
  #isMisfit = false;

  constructor(deps: DeskDeps) {
    this.#deps = deps;
  }

  /** The order in hand, waiting or delivering. */
  get live(): LiveOrder | null {
    return this.#live;
  }

  /** The order that waits for its payer, or null. */
  get waiting(): LiveOrder | null {
    return this.#waitingLive();
  }

  /** Why a selection would be denied. */
  get outOfOrder(): OutOfOrder | null {
    if (this.#deps.journal.isBroken) return 'storage';
    if (this.#isMisfit) return 'config';
    if (this.#isHardwareDown) return 'hardware';
    return this.#deps.journal.owed().length >= maxUnacked ? 'journal_full' : null;
  }

  /** What a power cut left: nothing waits across a boot; what was not begun is not delivered; what was may have been. */
  applyBootRules(): void {
    const { journal } = this.#deps;
    for (const { seq, state } of journal.unfinished()) {
      if (state === 'waiting') journal.close(seq, { result: 'rebooted', approvalSeen: null, isSilent: false });
      else if (state === 'approved') journal.finish(seq, { state: 'failed', code: 'not_started' });
      else journal.finish(seq, { state: 'presumed', basis: 'reboot' });
    }
  }

  /** Timers off; the order stays as the journal has it. */
  end(): void {
    this.#live?.stopTimers();
  }

  // -- the customer and the controller ---------------------------------------------------------------------------------

  /** Takes what happens at the hardware. */
  take(event: HardwareEvent): void {
    switch (event.kind) {
      case 'ready':
        this.#isHardwareDown = false;
        this.#deps.onStatus();
        return;
      case 'down':
        this.#isHardwareDown = true;
        this.close('down');
        this.#finish({ state: 'presumed', basis: 'no_result' });
        this.#deps.onStatus();
        return;
      case 'selected':
        this.#select(event);
        return;
      case 'withdrawn':
        if (this.#live?.selection === event.selection) this.close('canceled', { cancel: event.cause });
        return;
      case 'delivered':
        if (this.#live?.selection === event.selection) this.#finish({ state: 'succeeded' });
        return;
      case 'failed':
        if (this.#live?.selection === event.selection) this.#finish({ state: 'failed', code: event.code });
        return;
      case 'lost':
        if (this.#live?.selection === event.selection) this.#finish({ state: 'presumed', basis: event.basis });
        return;
    }
  }

  /** ST3, ST4: journaled, then sent. */
  #select(event: Extract<HardwareEvent, { kind: 'selected' }>): void {
    const { clock, config, journal } = this.#deps;
    this.close('replaced', { isFollowed: true });
    this.#finish({ state: 'presumed', basis: 'no_result' });
    const { item, amount, selection } = event;
    const cause = this.outOfOrder ?? (isSellable(amount) ? null : 'amount');
    const seq = journal.highWater + 1;
    const { maxWaitMs } = config;
    if (cause !== null || !this.#isWaitWritten({ seq, item, amount })) {
      this.#deps.log.alarm('selection_denied', { cause: cause ?? 'storage' });
      this.#free(selection, 'Not available');
      this.#deps.onEnded();
      return;
    }
    const stopWait = clock.after(maxWaitMs, () => this.close('expired'));
    const stopConnect = clock.after(config.connectMs, () => {
      if (this.#live !== null && !this.#deps.isRequestWritten(this.#live.seq)) this.close('unreachable');
    });
    this.#live = {
      seq,
      selection,
      selectedAtMs: clock.now(),
      selectedWallMs: clock.wall(),
      maxWaitMs,
      amount,
      stopTimers: () => {
        stopWait();
        stopConnect();
      },
    };
    this.#show('Please wait');
    this.#deps.onBegun();
  }

  #isWaitWritten(order: Pick<OrderRecord, 'seq' | 'item' | 'amount'>): boolean {
    const { currency, maxWaitMs } = this.#deps.config;
    return this.#isWritten((journal) => journal.wait({ ...order, currency, maxWaitMs, bootId: this.#deps.bootId }));
  }

  /** ST51: the waiting order ends undelivered, on disk first; then the controller is free. Harmless without one. */
  close(
    result: Closing,
    how: {
      readonly cancel?: CallOf<'vend.cancel'>['reason'];
      readonly approvalSeen?: string;
      readonly text?: string;
      /** Another order begins in the same step, and is said first. */
      readonly isFollowed?: boolean;
    } = {},
  ): boolean {
    const live = this.#waitingLive();
    if (live === null) return true;
    // A request that was never written made no order at the server: there is nobody to tell.
    const isSilent = result === 'denied' || !this.#deps.isRequestWritten(live.seq);
    const closed = { result, approvalSeen: how.approvalSeen ?? null, isSilent };
    const isWritten = this.#isWritten((journal) => journal.close(live.seq, closed));
    this.#endLive();
    if (how.cancel !== undefined && !isSilent) this.#deps.onCanceled(live.seq, how.cancel);
    this.#free(live.selection, how.text ?? '');
    if (how.isFollowed !== true) this.#deps.onEnded();
    return isWritten;
  }

  /** What came of the delivery, on disk first; then it is said until it is answered. */
  #finish(outcome: VendOutcome): void {
    const live = this.#live;
    if (live === null) return;
    const record = this.#deps.journal.find(live.seq);
    if (record === null || record.approval === null || record.outcome !== null) return;
    this.#isWritten((journal) => journal.finish(live.seq, outcome));
    this.#endLive();
    if (outcome.state === 'presumed') this.#free(live.selection, '');
    else this.#show('');
    this.#deps.onEnded();
  }

  // -- the server's word -----------------------------------------------------------------------------------------------

  /** ST15: the acceptance test and what follows from it, in one uninterrupted step. `answer` writes to the socket. */
  takeApproval(
    approval: CallOf<'vend.approve'>,
    receivedAtMs: DurationMs,
    answer: (result: ResultOf<'vend.approve'>) => void,
  ): void {
    const { journal, clock, config } = this.#deps;
    const live = this.#live;
    const verdict = judgeApproval({
      approval,
      receivedAtMs,
      record: journal.find(approval.orderSeq),
      firstSeq: journal.firstSeq,
      highWater: journal.highWater,
      live,
      isOutOfOrder: this.#isHardwareDown || this.#isMisfit || journal.isBroken,
      isRequested: live !== null,
      nowMs: clock.now(),
      wallMs: clock.wall(),
      vmcMarginMs: config.vmcMarginMs,
    });
    switch (verdict.kind) {
      case 'duplicate':
        answer({ status: 'duplicate', state: verdict.state });
        return;
      case 'rejected':
        answer({ status: 'rejected', reason: this.#reject(approval, verdict) });
        return;
      case 'accepted':
        if (live !== null) this.#deliver(live, approval, answer);
        return;
    }
  }

  /** What a rejection promises is on disk before it is written. */
  #reject(approval: CallOf<'vend.approve'>, verdict: Extract<Verdict, { kind: 'rejected' }>): MachineRejection {
    const { raisesTo, closes } = verdict;
    let isWritten = true;
    if (raisesTo !== null) isWritten = this.#isWritten((journal) => journal.raise(raisesTo));
    if (closes !== null) isWritten = this.#closeRejected(approval, closes);
    return isWritten ? verdict.reason : 'storage';
  }

  #closeRejected(approval: CallOf<'vend.approve'>, result: 'expired' | 'rejected'): boolean {
    const approvalSeen = approval.approvalId;
    if (this.#waitingLive()?.seq === approval.orderSeq) return this.close(result, { approvalSeen });
    return this.#isWritten((journal) => journal.close(approval.orderSeq, { result, approvalSeen, isSilent: false }));
  }

  #deliver(live: Live, approval: CallOf<'vend.approve'>, answer: (result: ResultOf<'vend.approve'>) => void): void {
    const { clock, config, hardware } = this.#deps;
    const { orderSeq, approvalId, amount } = approval;
    if (!this.#isWritten((journal) => journal.approve(orderSeq, approvalId, amount))) {
      // What of it is on disk is undone by the boot rule: the controller never got the go-ahead.
      this.#endLive();
      this.#free(live.selection, 'Not available');
      answer({ status: 'rejected', reason: 'storage' });
      return;
    }
    live.stopTimers();
    answer({ status: 'accepted' });
    if (!this.#isWritten((journal) => journal.deliver(orderSeq))) {
      // `D` may be on disk all the same: only this word keeps the boot rule from presuming a delivery.
      this.#finish({ state: 'failed', code: 'not_started' });
      this.#endLive();
      this.#free(live.selection, 'Not available');
      return;
    }
    // A disk can stall: the controller's own waiting time may be over by now.
    if (isTooLateToGo(live, clock.now())) {
      this.#finish({ state: 'failed', code: 'not_started' });
      this.#free(live.selection, '');
      return;
    }
    live.stopTimers = clock.after(config.deliveryMs, () => this.#finish({ state: 'presumed', basis: 'no_result' }));
    this.#show('Thank you');
    hardware.approve(live.selection).catch((error: unknown) => {
      this.#deps.log.alarm('hardware_failed', { what: 'approve', error: String(error) });
      if (this.#live === live) this.#finish({ state: 'presumed', basis: 'no_result' });
    });
  }

  /** The server says that nobody will pay. */
  takeDenial(orderSeq: number): ResultOf<'vend.deny'>['status'] {
    if (this.#waitingLive()?.seq === orderSeq) {
      this.close('denied', { text: 'Not paid' });
      return 'closed';
    }
    const state: JournalState = this.#deps.journal.stateOf(orderSeq);
    if (state === 'closed' || state === 'none' || state === 'unknown') return 'already_closed';
    this.#deps.log.alarm('denied_after_acceptance', { orderSeq });
    return 'ignored';
  }

  /** The server has the order: what the customer must pay, and what is to be shown. */
  takeWaiting(orderSeq: number, answer: { readonly amount: bigint; readonly text: string | null }): void {
    const live = this.#waitingLive();
    if (live === null || live.seq !== orderSeq) return;
    this.#live = { ...live, amount: live.amount ?? answer.amount };
    if (answer.text !== null) this.#show(answer.text);
  }

  /** The server has seen this number before: the same selection goes on under a new one. */
  takeStale(orderSeq: number, seqFloor: number): void {
    const record = this.#deps.journal.find(orderSeq);
    if (this.#waitingLive()?.seq !== orderSeq || record === null) return;
    const isWritten = this.#isWritten((journal) => {
      journal.close(orderSeq, { result: 'stale', approvalSeen: null, isSilent: true });
      journal.raise(seqFloor);
    });
    this.#remint(record, isWritten);
  }

  /** The server is ahead of this journal, which was replaced: it reuses no number and vouches for no old one. */
  startAbove(seqFloor: number): void {
    this.#deps.log.alarm('journal_replaced', { seqFloor });
    const live = this.#waitingLive();
    const record = live === null ? null : this.#deps.journal.find(live.seq);
    const isWritten = this.#isWritten((journal) => journal.startAbove(seqFloor));
    if (record !== null && record.seq <= seqFloor) this.#remint(record, isWritten);
  }

  #remint(record: OrderRecord, isRaised: boolean): void {
    const live = this.#live;
    if (live === null) return;
    const seq = this.#deps.journal.highWater + 1;
    const { item, amount } = record;
    if (!isRaised || !this.#isWaitWritten({ seq, item, amount })) {
      this.#endLive();
      this.#free(live.selection, 'Not available');
      return;
    }
    this.#live = { ...live, seq };
    this.#deps.onBegun();
  }

  /** Currency or exponent are not the registered ones, or are so again. */
  setMisfit(isMisfit: boolean): void {
    this.#isMisfit = isMisfit;
    if (isMisfit) this.close('down', { text: 'Not available' });
  }

  // -- small things ----------------------------------------------------------------------------------------------------

  #waitingLive(): Live | null {
    const live = this.#live;
    return live !== null && this.#deps.journal.find(live.seq)?.state === 'waiting' ? live : null;
  }

  #endLive(): void {
    this.#live?.stopTimers();
    this.#live = null;
  }

  /** False when it could not be written: the machine is out of order until it is restarted. */
  #isWritten(write: (journal: Journal) => void): boolean {
    try {
      write(this.#deps.journal);
      return true;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#deps.log.alarm('journal_failed', { code: error.code });
      return false;
    }
  }

  #free(selection: number, text: string): void {
    this.#watch(this.#deps.hardware.deny(selection), 'deny');
    this.#show(text);
  }

  #show(text: string): void {
    this.#watch(this.#deps.hardware.display(text), 'display');
  }

  /** The hardware's failures reach us as events; here they are only noted. */
  #watch(act: Promise<void>, what: string): void {
    act.catch((error: unknown) => this.#deps.log.alarm('hardware_failed', { what, error: String(error) }));
  }
}

function isSellable(amount: bigint | null): boolean {
  return amount === null || (amount >= 1n && amount <= largestAmount);
}
