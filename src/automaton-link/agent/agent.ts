/**
 * The machine agent: the program beside a vending controller that alone decides whether a delivery may still start.
 */
import type { Clock } from '../../time.ts';
import type { CallOf, JournalState, ResultOf } from '../messages.ts';
import type { AgentConfig, AgentLog } from './agent-config.ts';
import type { Dial } from './dial.ts';
import { Journal, maxUnacked } from './journal.ts';
import type { JournalFile } from './journal-file.ts';
import { LinkSession, type ServerCall, type SessionStage } from './link-session.ts';
import { OrderDesk, type OutOfOrder } from './order-desk.ts';
import { Speaker } from './speaker.ts';
import type { HardwareInfo, VendingHardware } from './vending-hardware.ts';

/**
 * A new journal begins at a number drawn below this one. Counted from 1 it could, before it hears the server's floor, mint
 * a number that the journal before it has delivered, and an approval still on its way would be accepted a second time.
 */
const firstNumbers = 1_048_576;
/** Orders named in `hello`, the newest. */
const maxOpen = 16;

/** What an agent is made of. */
export type AgentDeps = {
  readonly config: AgentConfig;
  readonly hardware: VendingHardware;
  readonly journalFile: JournalFile;
  readonly clock: Clock;
  readonly dial: Dial;
  /** 0 to below 1, for jitter and for the first number of a new journal. */
  readonly random: () => number;
  /** Unique names of at most 36 characters, for msgIds and the bootId. */
  readonly newId: () => string;
  readonly log: AgentLog;
  /** Each frame in and out. */
  readonly onFrame?: (frame: { to: 'server' | 'machine'; text: string }) => void;
};

/** What an agent is doing. */
export type AgentStatus = {
  readonly link: SessionStage;
  readonly order: { readonly orderSeq: number; readonly state: JournalState } | null;
  /** Statements that the server has not acknowledged. */
  readonly unacked: number;
  readonly outOfOrder: OutOfOrder | null;
  readonly bootId: string;
};

/** The agent. */
export type Agent = {
  /** Opens the hardware and connects, if something is to be said or the machine stays connected. */
  start(): Promise<void>;
  /** Ends in order; nothing is lost, since the journal has it. */
  stop(): Promise<void>;
  /** The power is gone: no word, no write, no timer. */
  kill(): void;
  /** Connects now, as after the modem came back. */
  contact(): void;
  status(): AgentStatus;
};

class MachineAgent implements Agent {
  readonly #deps: AgentDeps;
  readonly #bootId: string;
  readonly #journal: Journal;
  readonly #desk: OrderDesk;
  readonly #session: LinkSession;
  readonly #speaker: Speaker;
  #hardware: HardwareInfo = { hw: 'other', mdbLevel: null, alwaysIdle: true, display: false };
  #saidLastSeq = 0;
  #isDead = false;

  constructor(deps: AgentDeps) {
    const { config, clock, log } = deps;
    this.#deps = deps;
    this.#bootId = deps.newId();
    this.#journal = new Journal(deps.journalFile);
    this.#desk = new OrderDesk({
      config,
      clock,
      log,
      journal: this.#journal,
      hardware: deps.hardware,
      bootId: this.#bootId,
      isRequestWritten: (orderSeq) => this.#speaker.isRequestWritten(orderSeq),
      onBegun: () => this.#goOn(true),
      onCanceled: (orderSeq, reason) => this.#speaker.cancel(orderSeq, reason),
      onEnded: () => this.#goOn(false),
      onStatus: () => this.#speaker.statusChanged(this.#statusWord()),
    });
    this.#session = new LinkSession({
      config,
      clock,
      log,
      dial: deps.dial,
      random: deps.random,
      newMsgId: deps.newId,
      onFrame: (to, text) => deps.onFrame?.({ to, text }),
      hello: () => this.#hello(),
      onOpen: () => this.#speaker.opened(),
      onGreeted: (greeting) => this.#greeted(greeting),
      onMisfit: () => this.#desk.setMisfit(true),
      onCall: (call) => this.#take(call),
      isUrgent: () => this.#desk.live !== null || this.#journal.owed().length > 0,
    });
    this.#speaker = new Speaker({
      config,
      clock,
      log,
      session: this.#session,
      journal: this.#journal,
      desk: this.#desk,
    });
    if (this.#journal.isNew) this.#beginJournal();
    this.#desk.applyBootRules();
  }

  async start(): Promise<void> {
    const { config, hardware } = this.#deps;
    hardware.onEvent((event) => {
      if (!this.#isDead) this.#desk.take(event);
    });
    const { currency, exponent, maxWaitMs, deliveryMs } = config;
    this.#hardware = await hardware.open({ currency, exponent, maxWaitMs, deliveryMs });
    if (this.#isDead) return;
    if (config.staysConnected || this.#journal.owed().length > 0) this.#session.want();
    else this.#session.sleep(config.nextContactMs);
  }

  async stop(): Promise<void> {
    if (this.#isDead) return;
    this.#end(true);
    this.#journal.end();
    await this.#deps.hardware.close();
  }

  kill(): void {
    if (!this.#isDead) this.#end(false);
  }

  contact(): void {
    if (!this.#isDead) this.#session.want();
  }

  status(): AgentStatus {
    const live = this.#desk.live;
    return {
      link: this.#session.stage,
      order: live === null ? null : { orderSeq: live.seq, state: this.#journal.stateOf(live.seq) },
      unacked: this.#journal.owed().length,
      outOfOrder: this.#desk.outOfOrder,
      bootId: this.#bootId,
    };
  }

  #end(isGraceful: boolean): void {
    this.#isDead = true;
    this.#desk.end();
    this.#speaker.end();
    this.#session.end(isGraceful);
  }

  #beginJournal(): void {
    const floor = Math.floor(this.#deps.random() * firstNumbers);
    this.#journal.startAbove(floor);
    this.#deps.log.note('journal_begun', { above: floor });
  }

  #goOn(isBeginning: boolean): void {
    if (this.#isDead) return;
    this.#session.orderTaken(false);
    if (isBeginning || this.#journal.owed().length > 0) this.#session.want();
    this.#speaker.speak();
  }

  #statusWord(): CallOf<'status'> {
    const cause = this.#desk.outOfOrder;
    return { status: cause === null ? 'available' : 'out_of_order', codes: cause === null ? [] : [cause], sinceMs: 0 };
  }

  #hello(): CallOf<'hello'> {
    const { config } = this.#deps;
    const journal = this.#journal;
    const owed = journal.owed();
    const open = [...journal.unfinished(), ...owed].sort((one, other) => one.seq - other.seq).slice(-maxOpen);
    const { status, codes } = this.#statusWord();
    this.#saidLastSeq = journal.highWater;
    return {
      proto: 1,
      fw: config.firmware,
      bootId: this.#bootId,
      firstSeq: journal.firstSeq,
      lastSeq: journal.highWater,
      unacked: Math.min(maxUnacked, owed.length),
      open: open.map(({ seq: orderSeq, state, approval }) =>
        approval === null ? { orderSeq, state } : { orderSeq, state, approvalId: approval.id },
      ),
      caps: {
        ...this.#hardware,
        maxWaitMs: config.maxWaitMs,
        deliveryMs: config.deliveryMs,
        currency: config.currency,
        exp: config.exponent,
        cashSale: false,
      },
      status,
      codes,
      lastReset: 'power',
    };
  }

  #greeted(greeting: ResultOf<'hello'>): void {
    this.#desk.setMisfit(false);
    if (greeting.seqFloor > this.#saidLastSeq) this.#desk.startAbove(greeting.seqFloor);
    this.#speaker.speak();
  }

  #take(call: ServerCall): void {
    const receivedAtMs = this.#deps.clock.now();
    switch (call.action) {
      case 'vend.approve':
        this.#desk.takeApproval(call.content, receivedAtMs, (result) => call.answer({ kind: 'result', result }));
        return;
      case 'vend.deny':
        call.answer({ kind: 'result', result: { status: this.#desk.takeDenial(call.content.orderSeq) } });
        return;
      case 'order.query':
        this.#answerQuery(call);
        return;
      case 'sleep':
        call.answer({ kind: 'result', result: {} });
        // Never with an open order: the server cannot have known of it.
        if (this.#desk.live === null && this.#journal.owed().length === 0)
          this.#session.sleep(call.content.nextContactMs);
        return;
    }
  }

  #answerQuery(call: Extract<ServerCall, { action: 'order.query' }>): void {
    const { orderSeqs } = call.content;
    const orders = orderSeqs.map((orderSeq) => ({
      orderSeq,
      state: this.#journal.stateOf(orderSeq),
      approvalId: this.#journal.find(orderSeq)?.approval?.id ?? null,
    }));
    call.answer({ kind: 'result', result: { orders, waiting: this.#desk.waiting?.seq ?? null } });
    this.#speaker.sayAgain(orderSeqs);
  }
}

/**
 * A machine agent. The journal is read, and the boot rules are on disk, before it returns, that is before the hardware
 * is opened.
 * @throws Fault `journal_damaged`, `journal_write_failed`: the machine cannot promise anything and stays off the link.
 */
export function createAgent(deps: AgentDeps): Agent {
  return new MachineAgent(deps);
}
