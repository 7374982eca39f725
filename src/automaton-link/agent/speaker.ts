/**
 * What the agent says, one call at a time: the waiting order first, then statements, oldest first, each until it is
 * answered, then nothing more: sleep.
 */
import type { CancelTimer, Clock, DurationMs } from '../../time.ts';
import type { Answer } from '../exchange.ts';
import type { CallOf } from '../messages.ts';
import type { AgentConfig, AgentLog } from './agent-config.ts';
import type { Journal, OrderRecord } from './journal.ts';
import type { LinkSession } from './link-session.ts';
import type { OrderDesk } from './order-desk.ts';

/** Statements without any answer, before the modem is switched off. */
const maxUnanswered = 3;
/** After `busy`, `internal` or an unknown error without a time. */
const retryMs = 5_000;

/** What the speaker needs. */
export type SpeakerDeps = {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly log: AgentLog;
  readonly session: LinkSession;
  readonly journal: Journal;
  readonly desk: OrderDesk;
};

/** Any statement, by the record that it speaks of. */
type Said = 'acknowledged' | 'later' | 'unusable' | 'unanswered';

/** The agent's voice over one session. */
export class Speaker {
  readonly #deps: SpeakerDeps;
  /** Order whose request was written at least once; whether this connection has its answer. */
  #requested: { orderSeq: number; isAnswered: boolean } | null = null;
  #cancel: CallOf<'vend.cancel'> | null = null;
  /** Acknowledged long ago, asked for again. */
  readonly #again = new Set<number>();
  /** Statements that this server cannot read: once per connection each. */
  readonly #unusable = new Set<number>();
  #status: CallOf<'status'> | null = null;
  #isSpeaking = false;
  #unansweredCount = 0;
  /** A busy server is asked again after these, by what was asked. */
  #requestNotBeforeMs: DurationMs = 0;
  #statementNotBeforeMs: DurationMs = 0;
  #stopTimer: CancelTimer = () => undefined;
  #isOver = false;

  constructor(deps: SpeakerDeps) {
    this.#deps = deps;
  }

  /** True when the server may have this order. */
  isRequestWritten(orderSeq: number): boolean {
    return this.#requested?.orderSeq === orderSeq;
  }

  /** `hello` is on its way: a waiting order goes right behind it. */
  opened(): void {
    this.#requestNotBeforeMs = 0;
    this.#statementNotBeforeMs = 0;
    this.#unusable.clear();
    // Only a live connection hears a cancel; a later one hears that the order is closed.
    this.#cancel = null;
    if (this.#requested !== null) this.#requested.isAnswered = false;
    if (this.#deps.desk.waiting !== null) this.#say(() => this.#request(true));
  }

  /** Said when the current contact allows. */
  cancel(orderSeq: number, reason: CallOf<'vend.cancel'>['reason']): void {
    this.#cancel = { orderSeq, reason };
  }

  /** The machine's condition has changed; `hello` tells it to a new connection. */
  statusChanged(status: CallOf<'status'>): void {
    if (this.#deps.session.stage === 'ready') this.#status = status;
    this.speak();
  }

  /** The server asks for these orders again. */
  sayAgain(orderSeqs: readonly number[]): void {
    const live = this.#deps.desk.waiting;
    if (live !== null && (orderSeqs.length === 0 || orderSeqs.includes(live.seq)) && this.#requested !== null) {
      this.#requested.isAnswered = false;
    }
    for (const orderSeq of orderSeqs) this.#again.add(orderSeq);
    this.speak();
  }

  end(): void {
    this.#isOver = true;
    this.#stopTimer();
  }

  /** Says the next thing, if nothing is being said and the link is there. */
  speak(): void {
    if (this.#isOver || this.#isSpeaking || !this.#deps.session.isFree) return;
    this.#stopTimer();
    const next = this.#next();
    if (next !== null) this.#say(next);
    else this.#rest();
  }

  #say(speech: () => Promise<void>): void {
    this.#isSpeaking = true;
    void speech().finally(() => {
      this.#isSpeaking = false;
      this.speak();
    });
  }

  #next(): (() => Promise<void>) | null {
    const { desk, journal, clock } = this.#deps;
    const now = clock.now();
    const live = desk.waiting;
    const isUnanswered = live !== null && !(this.isRequestWritten(live.seq) && this.#requested?.isAnswered === true);
    if (isUnanswered && now >= this.#requestNotBeforeMs) return () => this.#request(false);
    const owed = journal.owed().find(({ seq }) => !this.#unusable.has(seq));
    if (owed !== undefined && now >= this.#statementNotBeforeMs) return () => this.#state(owed);
    if (isUnanswered || owed !== undefined) {
      const dueAtMs = isUnanswered ? this.#requestNotBeforeMs : this.#statementNotBeforeMs;
      this.#stopTimer = clock.after(Math.max(0, dueAtMs - now), () => this.speak());
    }
    for (const orderSeq of this.#again) {
      this.#again.delete(orderSeq);
      const record = journal.find(orderSeq);
      if (record !== null && (record.closed !== null || record.outcome !== null)) return () => this.#state(record);
    }
    const status = this.#status;
    return status === null ? null : () => this.#tellStatus(status);
  }

  /** Nothing to say: asleep after a while, unless this machine stays connected or is at work. */
  #rest(): void {
    const { config, clock, session, desk, journal } = this.#deps;
    const isMore = journal.owed().some(({ seq }) => !this.#unusable.has(seq));
    if (config.staysConnected || desk.live !== null || isMore) return;
    this.#stopTimer = clock.after(config.lingerMs, () => {
      if (desk.live === null && session.isFree) session.sleep(config.nextContactMs);
    });
  }

  // -- the order ---------------------------------------------------------------------------------------------------------

  async #request(isAlongside: boolean): Promise<void> {
    const { desk, journal, session, clock } = this.#deps;
    const live = desk.waiting;
    const record = live === null ? null : journal.find(live.seq);
    if (live === null || record === null) return;
    this.#requested = { orderSeq: live.seq, isAnswered: false };
    const { item, amount, currency, maxWaitMs } = record;
    const ageMs = Math.min(250_000, Math.max(0, Math.floor(clock.now() - live.selectedAtMs)));
    const answer = await session.call(
      'vend.request',
      { orderSeq: live.seq, item, amount, currency, maxWaitMs, ageMs },
      { isAlongside, onLate: (late) => this.#takeAnswer(live.seq, late) },
    );
    if (!this.#isOver) this.#takeAnswer(live.seq, answer);
  }

  #takeAnswer(orderSeq: number, answer: Answer<'vend.request'>): void {
    const { desk, session } = this.#deps;
    if (desk.waiting?.seq !== orderSeq || answer.kind === 'unsent' || answer.kind === 'unanswered') return;
    if (answer.kind === 'error') {
      this.#takeError(orderSeq, answer);
      return;
    }
    if (this.#requested?.orderSeq === orderSeq) this.#requested.isAnswered = true;
    session.heardAnswer();
    if (answer.result.status === 'denied') {
      this.#deps.log.note('order_denied', { orderSeq, reason: answer.result.reason });
      desk.close('denied', { text: 'Not available' });
      return;
    }
    session.orderTaken(true);
    desk.takeWaiting(orderSeq, { amount: answer.result.amount, text: answer.result.text ?? null });
  }

  #takeError(orderSeq: number, error: Extract<Answer<'vend.request'>, { kind: 'error' }>): void {
    const { desk, log, clock } = this.#deps;
    switch (error.code) {
      case 'stale_seq':
        desk.takeStale(orderSeq, error.seqFloor ?? orderSeq);
        return;
      case 'bad_message':
      case 'not_supported':
      case 'order_conflict':
      case 'config_mismatch':
      case 'unauthorized':
        log.alarm('order_refused', { orderSeq, code: error.code });
        desk.close('rejected', { text: 'Not available' });
        return;
      default:
        this.#requestNotBeforeMs = clock.now() + (error.retryMs ?? retryMs);
    }
  }

  // -- statements --------------------------------------------------------------------------------------------------------

  async #state(record: OrderRecord): Promise<void> {
    const said = await this.#tell(record);
    if (this.#isOver) return;
    if (said === 'acknowledged' && this.#deps.journal.find(record.seq)?.isOwed === true) {
      try {
        this.#deps.journal.acknowledge(record.seq);
      } catch (error) {
        // Not written: said once more after the next start, which is harmless.
        this.#deps.log.alarm('journal_failed', { error: String(error) });
        this.#unusable.add(record.seq);
      }
    }
    if (said === 'unusable') {
      this.#deps.log.alarm('statement_refused', { orderSeq: record.seq });
      this.#unusable.add(record.seq);
    }
    this.#count(said);
  }

  #count(said: Said): void {
    if (said !== 'unanswered') {
      this.#unansweredCount = 0;
      if (said === 'acknowledged') this.#deps.session.heardAnswer();
      return;
    }
    // A socket that ended takes its answer with it; that is the session's matter.
    if (this.#deps.session.stage !== 'ready') return;
    this.#unansweredCount += 1;
    if (this.#unansweredCount < maxUnanswered || this.#deps.desk.live !== null) return;
    this.#unansweredCount = 0;
    this.#deps.session.rest();
  }

  async #tell(record: OrderRecord): Promise<Said> {
    const { session } = this.#deps;
    const { seq: orderSeq, approval, outcome, closed, item } = record;
    if (outcome !== null && approval !== null) {
      const approvalId = approval.id;
      if (outcome.state === 'failed') {
        return this.#read(await session.call('vend.failure', { orderSeq, approvalId, code: outcome.code }));
      }
      const isPresumed = outcome.state === 'presumed';
      const basis = outcome.state === 'presumed' ? outcome.basis : null;
      const { amount } = approval;
      return this.#read(
        await session.call('vend.success', { orderSeq, approvalId, item, amount, presumed: isPresumed, basis }),
      );
    }
    const cancel = this.#cancel;
    if (cancel?.orderSeq === orderSeq) {
      this.#cancel = null;
      return this.#read(await session.call('vend.cancel', cancel));
    }
    const result =
      closed === null || closed.result === 'denied' || closed.result === 'stale' ? 'rejected' : closed.result;
    const approvalSeen = closed?.approvalSeen ?? null;
    return this.#read(await session.call('vend.closed', { orderSeq, result, approvalSeen }));
  }

  #read(answer: Answer<'vend.success' | 'vend.failure' | 'vend.closed' | 'vend.cancel'>): Said {
    switch (answer.kind) {
      case 'result':
        return 'acknowledged';
      case 'unanswered':
        return 'unanswered';
      case 'unsent':
        return 'later';
      case 'error':
        if (answer.code === 'bad_message' || answer.code === 'not_supported') return 'unusable';
        this.#statementNotBeforeMs = this.#deps.clock.now() + (answer.retryMs ?? retryMs);
        return 'later';
    }
  }

  async #tellStatus(status: CallOf<'status'>): Promise<void> {
    this.#status = null;
    await this.#deps.session.call('status', status);
  }
}
