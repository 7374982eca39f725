/**
 * The network of the phones at the level of an SMPP account: USSD sessions and texts, with everything that networks do to
 * them. What a node is told of its screens and texts is what the real account would tell it.
 */
import type { Msisdn } from '../../src/purchase/purchase.ts';
import type { SmsOutcome, SmsToSend, UssdOutcome, UssdReply } from '../../src/smpp/account.ts';
import type { SmsMessage, SmsReceipt, UssdRequest } from '../../src/smpp/inbound.ts';
import type { SmsAccount } from '../../src/sms/sms-gateway.ts';
import type { DurationMs } from '../../src/time.ts';
import type { UssdAccount } from '../../src/ussd/ussd-gateway.ts';
import type { Dice } from './chance.ts';
import type { FaultPlan } from './faults.ts';
import { type Life, never } from './life.ts';
import type { PhoneNotes, WorldNotes } from './notes.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

/** An account as a node's phone rooms need it. */
export type PhoneAccount = UssdAccount &
  SmsAccount & { onReceipt(listener: (receipt: SmsReceipt) => Promise<void>): void };

/** Who holds a phone. */
export type PhoneUser = {
  /** A screen has appeared. */
  readonly onScreen: (text: string, isEnd: boolean) => void;
  readonly onSms: (text: string) => void;
  /** The network has ended the session, without a screen. */
  readonly onGone: () => void;
};

/** A phone. */
export interface Phone {
  dial(text: string): void;
  /** A key on the open session; harmless without one. */
  key(text: string): void;
  hangUp(): void;
  sms(text: string): void;
  readonly isOpen: boolean;
}

/** The network. */
export interface PhoneNetwork {
  /** A node's bind, from now until that life ends. */
  accountOf(life: Life, moment: () => void): PhoneAccount;
  phone(msisdn: Msisdn, user: PhoneUser): Phone;
}

/** What the network is made of. */
export type PhoneNetworkDeps = {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: FaultPlan;
  readonly notes: PhoneNotes & Pick<WorldNotes, 'reached'>;
  readonly trace: Trace;
};

type Node = {
  readonly life: Life;
  readonly moment: () => void;
  onUssd: (request: UssdRequest) => Promise<void>;
  onSms: (message: SmsMessage) => Promise<void>;
};
type Session = {
  readonly id: string;
  readonly line: Line;
  isOpen: boolean;
  /** The payer has sent something that is not answered yet. */
  isOwed: boolean;
  endPatience: () => void;
};
type Line = { readonly msisdn: Msisdn; readonly user: PhoneUser; session: Session | null; held: (() => void) | null };

const PDU_MS: DurationMs = 120;
const HANDSET_MS: DurationMs = 250;
const SMS_MS: DurationMs = 1_200;
/** The network ends a session whose request has no answer for so long, and one whose payer does nothing. */
const PATIENCE_MS: DurationMs = 20_000;
const IDLE_MS: DurationMs = 120_000;
const RESPONSE_TIMEOUT_MS: DurationMs = 10_000;
/** A text that is not acknowledged is delivered again. */
const SMS_ANSWER_MS: DurationMs = 5_000;
const MOST_DELIVERIES = 12;

class Network implements PhoneNetwork {
  readonly #deps: PhoneNetworkDeps;
  #nodes: Node[] = [];
  readonly #lines = new Map<Msisdn, Line>();
  #sessions = 0;
  #sequences = 0;
  #messages = 0;

  constructor(deps: PhoneNetworkDeps) {
    this.#deps = deps;
  }

  accountOf(life: Life, moment: () => void): PhoneAccount {
    const node: Node = { life, moment, onUssd: async () => undefined, onSms: async () => undefined };
    this.#nodes = [...this.#nodes.filter((each) => !each.life.isDead), node];
    return {
      name: 'operator',
      onUssd: (listener) => {
        node.onUssd = listener;
      },
      onSms: (listener) => {
        node.onSms = listener;
      },
      onReceipt: () => undefined,
      sendUssd: (reply) => this.#sendUssd(node, reply),
      sendSms: (message) => this.#sendSms(node, message),
    };
  }

  phone(msisdn: Msisdn, user: PhoneUser): Phone {
    const line: Line = { msisdn, user, session: null, held: null };
    this.#lines.set(msisdn, line);
    const isOpen = (): boolean => line.session !== null;
    return {
      dial: (text) => this.#dial(line, text),
      key: (text) => {
        if (line.session !== null) this.#send(line.session, 'continue', text);
      },
      hangUp: () => this.#hangUp(line),
      sms: (text) => this.#deliverSms(this.#smsOf(msisdn, text), MOST_DELIVERIES),
      get isOpen() {
        return isOpen();
      },
    };
  }

  // -- from the phones -----------------------------------------------------------------------------------------------

  #dial(line: Line, text: string): void {
    this.#hangUp(line);
    this.#sessions += 1;
    const id = (this.#sessions & 0xffff).toString(16).padStart(4, '0');
    const session: Session = { id, line, isOpen: true, isOwed: false, endPatience: () => undefined };
    line.session = session;
    this.#send(session, 'begin', text);
  }

  #hangUp(line: Line): void {
    const { session } = line;
    if (session === null) return;
    this.#close(session);
    this.#deps.notes.hungUp(line.msisdn);
    this.#send(session, 'abort', null);
  }

  #close(session: Session): void {
    session.isOpen = false;
    session.endPatience();
    if (session.line.session === session) session.line.session = null;
  }

  /** The network waits for an answer of ours, or for the payer, and then ends it. */
  #beginPatience(session: Session, waitMs: DurationMs): void {
    session.endPatience();
    if (!session.isOpen) return;
    session.endPatience = this.#deps.timeline.after(waitMs, () => {
      this.#deps.trace.line(session.line.msisdn, 'session ended by the network');
      this.#close(session);
      this.#deps.notes.hungUp(session.line.msisdn);
      this.#send(session, 'abort', null);
      session.line.user.onGone();
    });
  }

  #send(session: Session, kind: 'begin' | 'continue' | 'abort', text: string | null): void {
    const { dice, faults, trace } = this.#deps;
    trace.line(
      session.line.msisdn,
      `sends ${kind} ${kind === 'continue' && text !== null && text.length > 3 ? '*' : text}`,
    );
    if (kind !== 'abort') {
      session.isOwed = true;
      this.#beginPatience(session, PATIENCE_MS);
    }
    const request = this.#requestOf(session, kind, text, `bind${dice.int(1, 2)}`);
    const held = session.line.held;
    session.line.held = null;
    if (held === null && faults.strikes('pdu_reordered', 0.01)) {
      // The next one overtakes it.
      let isGone = false;
      const go = (): void => {
        if (!isGone) this.#carry(request);
        isGone = true;
      };
      session.line.held = go;
      this.#deps.timeline.after(4_000, go);
      return;
    }
    this.#carry(request);
    if (held !== null) this.#deps.timeline.after(50, held);
  }

  #requestOf(session: Session, kind: UssdRequest['kind'], text: string | null, bind: string): UssdRequest {
    this.#sequences += 1;
    const { msisdn } = session.line;
    return {
      kind,
      opStated: true,
      account: 'operator',
      bind,
      msisdn,
      sessionId: session.id,
      serviceCode: kind === 'begin' ? '123' : null,
      text,
      damaged: false,
      sequence: this.#sequences,
      echo: {
        bind,
        serviceType: 'USSD',
        subscriber: { ton: 1, npi: 1, addr: msisdn },
        service: { ton: 0, npi: 0, addr: '123' },
        sessionInfo: session.id,
        userMessageReference: null,
        dataCoding: 15,
      },
    };
  }

  #carry(request: UssdRequest): void {
    const { dice, faults, timeline } = this.#deps;
    if (faults.strikes('pdu_lost', 0.008)) return;
    const lateMs = faults.strikes('pdu_late', 0.008) ? dice.latency(8_000) : 0;
    timeline.after(dice.latency(PDU_MS) + lateMs, () => this.#arrive(request, this.#anyNode()));
    if (faults.strikes('pdu_doubled', 0.015)) {
      // By the same bind as it was, or by the other one under a new number.
      this.#sequences += 1;
      const other = { ...request, bind: request.bind === 'bind1' ? 'bind2' : 'bind1', sequence: this.#sequences };
      const copy = dice.happens(0.5) ? request : other;
      timeline.after(dice.latency(PDU_MS) + lateMs + dice.latency(dice.pick([20, 700, 2_500])), () => {
        if (request.kind === 'continue' && this.#lines.get(request.msisdn)?.session?.isOwed === false) {
          this.#deps.notes.reached(30);
        }
        this.#arrive(copy, this.#anyNode());
      });
    }
    if (faults.strikes('pdu_at_two_nodes', 0.01)) {
      timeline.after(dice.latency(PDU_MS) + lateMs, () => this.#arrive(request, this.#anyNode()));
    }
  }

  #anyNode(): Node | null {
    const up = this.#nodes.filter((node) => !node.life.isDead);
    return up.length === 0 ? null : this.#deps.dice.pick(up);
  }

  #arrive(request: UssdRequest, node: Node | null): void {
    if (node === null) return;
    this.#deps.trace.line(node.life.name, `gets ${request.kind} of ${request.msisdn}`);
    node.life.deliver(() => void node.onUssd(request));
  }

  // -- screens -------------------------------------------------------------------------------------------------------

  /** Runs at the gateway, unless the node dies first; its answer is heard by the node as any other. */
  #toGateway<Answer>(node: Node, run: (answer: (value: Answer, afterMs: DurationMs) => void) => void): Promise<Answer> {
    const { life, moment } = node;
    moment();
    if (life.isDead) return never();
    return new Promise((resolve) => {
      const answer = (value: Answer, afterMs: DurationMs): void => {
        this.#deps.timeline.after(afterMs, () =>
          life.deliver(() => {
            moment();
            if (!life.isDead) life.deliver(() => resolve(value));
          }),
        );
      };
      if (life.isStalled) life.deliver(() => run(answer));
      else run(answer);
    });
  }

  #sendUssd(node: Node, reply: UssdReply): Promise<UssdOutcome> {
    const { dice, faults, notes, timeline, trace } = this.#deps;
    const payer = reply.echo.subscriber.addr;
    const isEnd = reply.kind === 'end';
    const saying = notes.said(node.life.name, { payer, by: 'ussd', text: reply.text, isEnd });
    trace.line(node.life.name, `says to ${payer}: ${reply.text}`);
    return this.#toGateway<UssdOutcome>(node, (answer) => {
      if (node.life.clock.now() >= reply.replyByMs) return answer('not_sent', 0);
      const isLost = faults.strikes('screen_lost', 0.01);
      if (isLost && dice.happens(0.3)) return answer('not_sent', 0);
      timeline.after(dice.latency(PDU_MS), () => {
        const session = this.#lines.get(payer)?.session ?? null;
        if (isLost) return answer('unknown', dice.happens(0.5) ? RESPONSE_TIMEOUT_MS : dice.latency(500));
        // A second screen where none is owed: some gateways show it, some turn it away.
        const isOdd = session?.isOwed === false && dice.happens(0.3);
        if (session === null || session.id !== reply.echo.sessionInfo || isOdd) {
          return answer('gone', dice.latency(PDU_MS));
        }
        session.isOwed = false;
        if (faults.strikes('screen_unanswered', 0.01)) answer('unknown', RESPONSE_TIMEOUT_MS);
        else {
          notes.taken(saying);
          answer('taken', dice.latency(PDU_MS));
        }
        this.#beginPatience(session, IDLE_MS);
        timeline.after(dice.latency(HANDSET_MS), () => this.#show(session, saying, reply.text, isEnd));
      });
    });
  }

  #show(session: Session, saying: number, text: string, isEnd: boolean): void {
    if (!session.isOpen) return;
    this.#deps.trace.line(session.line.msisdn, 'reads');
    this.#deps.notes.shown(saying);
    if (isEnd) this.#close(session);
    session.line.user.onScreen(text, isEnd);
  }

  // -- texts ---------------------------------------------------------------------------------------------------------

  #sendSms(node: Node, message: SmsToSend): Promise<SmsOutcome> {
    const { dice, faults, notes, timeline, trace } = this.#deps;
    const saying = notes.said(node.life.name, { payer: message.to, by: 'sms', text: message.text, isEnd: true });
    trace.line(node.life.name, `writes to ${message.to}: ${message.text}`);
    return this.#toGateway<SmsOutcome>(node, (answer) => {
      const { sendByMs } = message;
      if (sendByMs !== undefined && node.life.clock.now() >= sendByMs) {
        return answer({ kind: 'refused', status: null, permanent: false }, 0);
      }
      if (faults.strikes('sms_refused', 0.02)) {
        if (dice.happens(0.1)) return answer({ kind: 'refused', status: 0x0b, permanent: true }, dice.latency(PDU_MS));
        if (dice.happens(0.7)) return answer({ kind: 'refused', status: 0x58, permanent: false }, dice.latency(PDU_MS));
        if (dice.happens(0.5)) return answer({ kind: 'unknown' }, RESPONSE_TIMEOUT_MS);
        answer({ kind: 'unknown' }, RESPONSE_TIMEOUT_MS);
      } else {
        this.#messages += 1;
        const messageIds = [String(this.#messages)];
        timeline.after(dice.latency(PDU_MS), () => {
          notes.taken(saying);
          answer({ kind: 'accepted', messageIds }, dice.latency(PDU_MS));
        });
      }
      timeline.after(dice.latency(SMS_MS), () => {
        trace.line(message.to, 'gets a text');
        notes.shown(saying);
        this.#lines.get(message.to)?.user.onSms(message.text);
      });
    });
  }

  #smsOf(from: Msisdn, text: string): SmsMessage {
    this.#deps.trace.line(from, `texts ${text}`);
    return { account: 'operator', from, to: '123', text, damaged: false, alphanumeric: false };
  }

  /** The centre delivers again what is not acknowledged, by any bind. */
  #deliverSms(message: SmsMessage, deliveriesLeft: number): void {
    const { dice, faults, timeline } = this.#deps;
    if (deliveriesLeft === 0) return;
    let isAnswered = false;
    const again = (afterMs: DurationMs): void => {
      if (isAnswered) return;
      isAnswered = true;
      timeline.after(afterMs, () => this.#deliverSms(message, deliveriesLeft - 1));
    };
    const isLate = faults.strikes('pdu_late', 0.008);
    timeline.after(dice.latency(SMS_MS) + (isLate ? dice.latency(8_000) : 0), () => {
      const node = this.#anyNode();
      if (node === null) return again(10_000);
      node.life.deliver(() => {
        node.onSms(message).then(
          () => {
            if (!faults.strikes('pdu_doubled', 0.015)) isAnswered = true;
          },
          () => again(1_000),
        );
      });
      timeline.after(SMS_ANSWER_MS + dice.latency(3_000), () => again(0));
    });
  }
}

/** A network without nodes and phones. */
export function createPhoneNetwork(deps: PhoneNetworkDeps): PhoneNetwork {
  return new Network(deps);
}
