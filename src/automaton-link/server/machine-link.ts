/**
 * The machine link as the relation server uses it: machines come in by WebSocket, orders go to the board, statements
 * to the journal, approvals to the machine.
 */
import type { Server } from 'node:http';
import type { EffectKey } from '../../purchase/effect.ts';
import type { ApproveAnswer, MachinePort } from '../../purchase/machine-port.ts';
import type { Presence } from '../../purchase/order-board-port.ts';
import type { Order } from '../../purchase/purchase.ts';
import { type DurationMs, pause } from '../../time.ts';
import type { Answer } from '../exchange.ts';
import type { CallOf } from '../messages.ts';
import { followUp, type GreetDeps, greet, queryOrders } from './greeting.ts';
import { checkDisplayText } from './link-config.ts';
import { createLinkServer, type LinkServer, type OpenDoor, type RefusedUpgrade } from './link-server.ts';
import { answerCall, type CallEvents, closeOnBoard, namesOf, type Once, refuseDraining } from './machine-calls.ts';
import { type MachineCall, MachineConnection } from './machine-connection.ts';
import { Rate } from './rate.ts';

/** Longest `validMs` that the shape allows. */
const longestValidMs = 250_000;

/** An answer to `vend.approve` that came after `approve` had answered `unknown`. It still counts. */
export type LateAnswer = {
  readonly machineId: string;
  readonly orderSeq: number;
  readonly approvalId: EffectKey;
  readonly answer: Extract<ApproveAnswer, { kind: 'accepted' | 'duplicate' | 'rejected' }>;
};

/** What the machine link needs. */
export type MachineLinkDeps = GreetDeps & {
  readonly presence: Presence;
  /** Unique names of at most 36 characters, for sockets and msgIds. */
  readonly newId: () => string;
  /** Under which machine keys are hashed. */
  readonly serverSecret: string;
  readonly onLateAnswer: (late: LateAnswer) => void;
  /** How machines come in; by WebSocket when left out. */
  readonly openDoor?: OpenDoor;
  readonly onRejected?: (refused: RefusedUpgrade) => void;
  /** Each frame in and out, for narration and tests. */
  readonly onFrame?: (frame: { machineId: string; to: 'machine' | 'server'; text: string }) => void;
};

/** The link. */
export type MachineLink = {
  readonly port: MachinePort;
  /** Serves the machines on this HTTP server. */
  attach(server: Server): void;
  /** Lets running calls finish within `drainMs`, then sends every machine away with 4009. */
  close(): Promise<void>;
};

type HelloCall = Extract<MachineCall, { action: 'hello' }>;

function approveAnswerOf(answer: Answer<'vend.approve'>): ApproveAnswer {
  switch (answer.kind) {
    case 'unsent':
      return { kind: 'not_here' };
    case 'error':
    case 'unanswered':
      return { kind: 'unknown' };
    case 'result':
      switch (answer.result.status) {
        case 'accepted':
          return { kind: 'accepted' };
        case 'duplicate':
          return { kind: 'duplicate', state: answer.result.state };
        case 'rejected':
          return { kind: 'rejected', reason: answer.result.reason };
      }
  }
}

class Link implements MachineLink, MachinePort {
  readonly port: MachinePort = this;
  readonly #deps: MachineLinkDeps;
  readonly #door: LinkServer;
  readonly #calls: Rate;
  readonly #requests: Rate;
  /** The newest socket of each machine. */
  readonly #connections = new Map<string, MachineConnection>();
  /** Every socket, the replaced ones included, until it has closed. */
  readonly #sockets = new Set<MachineConnection>();
  readonly #running = new Set<Promise<void>>();
  /** Cut short, once, when the repeated `vend.request` has come. */
  readonly #settling = new WeakMap<MachineConnection, AbortController>();
  readonly #events: CallEvents;
  #isDraining = false;

  constructor(deps: MachineLinkDeps) {
    checkDisplayText(deps.config);
    this.#deps = deps;
    this.#calls = new Rate(deps.clock, deps.config.callsPerSecond, 1_000);
    this.#requests = new Rate(deps.clock, deps.config.requestsPerMinute, 60_000);
    this.#door = (deps.openDoor ?? createLinkServer)({
      config: deps.config,
      clock: deps.clock,
      directory: deps.directory,
      serverSecret: deps.serverSecret,
      log: deps.log,
      onRefused: (refused) => deps.onRejected?.(refused),
      onSocket: (socket, machine, mac) => {
        const connection: MachineConnection = new MachineConnection({
          config: deps.config,
          clock: deps.clock,
          log: deps.log,
          socket,
          name: deps.newId(),
          machine,
          mac,
          newMsgId: deps.newId,
          calls: this.#calls,
          requests: this.#requests,
          onCall: (from, call) => this.#serve(from, call),
          onClosed: (closed) => this.#forget(closed),
          onFrame: (frame) => deps.onFrame?.(frame),
        });
        this.#sockets.add(connection);
        if (this.#isDraining) connection.close(4009);
      },
    });
    this.#events = {
      greet: (connection, call, once) => this.#greet(connection, call, once),
      settled: (connection) => this.#settle(connection),
    };
    deps.presence.onWiped(() => this.#run('repeat_orders', this.#askForOrders()));
  }

  attach(server: Server): void {
    this.#door.attach(server);
  }

  async close(): Promise<void> {
    this.#isDraining = true;
    this.#door.close();
    const cut = new AbortController();
    await Promise.race([
      Promise.allSettled(this.#running),
      pause(this.#deps.clock, this.#deps.config.drainMs, cut.signal),
    ]);
    cut.abort();
    const open = [...this.#sockets];
    await Promise.all(open.map((connection) => connection.closed(4009)));
  }

  // -- what the worker asks ------------------------------------------------------------------------------------------

  holds(machineId: string): boolean {
    return this.#connections.get(machineId)?.isReady === true;
  }

  heldMachines(): readonly string[] {
    const held: string[] = [];
    for (const [machineId, connection] of this.#connections) {
      if (connection.isReady && connection.orderInPlay !== null) held.push(machineId);
    }
    return held;
  }

  async approve(command: {
    readonly order: Order;
    readonly approvalId: EffectKey;
    readonly validMs: DurationMs;
  }): Promise<ApproveAnswer> {
    const { order, approvalId } = command;
    const connection = this.#connections.get(order.machineId);
    if (connection === undefined) return { kind: 'not_here' };
    const askedAtMs = this.#deps.clock.now();
    // It may wait behind another call: the machine is told what is left when it is written, and nothing once that is over.
    const content = (): CallOf<'vend.approve'> | null => {
      const validMs = Math.floor(command.validMs - (this.#deps.clock.now() - askedAtMs));
      if (validMs < 1) return null;
      return {
        orderSeq: order.orderSeq,
        orderId: order.orderId,
        approvalId,
        amount: order.price.minor,
        currency: order.price.currency,
        item: order.item,
        validMs: Math.min(longestValidMs, validMs),
      };
    };
    const answer = await connection.call('vend.approve', content, {
      answerMs: this.#deps.config.approveAnswerMs,
      isUrgent: true,
      replaces: `approve ${order.orderSeq}`,
      onLate: (late) => this.#takeLate(connection, order, approvalId, late),
    });
    const known = approveAnswerOf(answer);
    this.#noteAnswer(connection, order, known);
    return known;
  }

  async queryOrder(machineId: string, orderSeq: number): Promise<boolean> {
    const connection = this.#connections.get(machineId);
    return connection !== undefined && queryOrders(this.#deps, connection, [orderSeq]);
  }

  async deny(command: Parameters<MachinePort['deny']>[0]): Promise<void> {
    const { machineId, orderSeq, reason } = command;
    const connection = this.#connections.get(machineId);
    if (connection === undefined) return;
    await connection.call('vend.deny', { orderSeq, reason }, { answerMs: this.#deps.config.callTimeoutMs });
    connection.endPlay(orderSeq);
  }

  // -- coming and going ----------------------------------------------------------------------------------------------

  #serve(connection: MachineConnection, call: MachineCall): void {
    if (this.#isDraining) {
      refuseDraining(this.#deps, call);
      if (call.action === 'hello') connection.greetingOver();
      return;
    }
    this.#run('call', answerCall(this.#deps, this.#events, connection, call));
  }

  async #greet(connection: MachineConnection, call: HelloCall, once: Once): Promise<void> {
    await greet(this.#deps, connection, call, once, () => {
      this.#replaceOlder(connection);
      const settled = new AbortController();
      this.#settling.set(connection, settled);
      this.#run('greeted', followUp(this.#deps, connection, call.content.open, settled.signal));
    });
  }

  /** The newer socket wins at once: approvals go to it from now on. */
  #replaceOlder(connection: MachineConnection): void {
    const { machineId } = connection.machine;
    const older = this.#connections.get(machineId);
    this.#connections.set(machineId, connection);
    if (older !== undefined && older !== connection) older.close(4001);
    this.#run('join', this.#join(connection));
  }

  /** The route of this machine to this node; without the board it is tried again for as long as the socket lives. */
  async #join(connection: MachineConnection): Promise<void> {
    const { machineId } = connection.machine;
    try {
      await this.#deps.presence.join(machineId, connection.name);
    } catch (error) {
      this.#deps.log.warn('link_join_failed', { ...namesOf(connection), error: String(error) });
      this.#deps.clock.after(this.#deps.config.retryMs, () => {
        if (this.#connections.get(machineId) === connection) this.#run('join', this.#join(connection));
      });
    }
  }

  #settle(connection: MachineConnection): void {
    this.#settling.get(connection)?.abort();
    this.#settling.delete(connection);
  }

  #forget(connection: MachineConnection): void {
    const { machineId } = connection.machine;
    this.#sockets.delete(connection);
    this.#settle(connection);
    if (this.#connections.get(machineId) !== connection) return;
    this.#connections.delete(machineId);
    this.#run('leave', this.#deps.presence.leave(machineId, connection.name));
  }

  /** The board was wiped: machines say their orders again, those with one in play first. */
  async #askForOrders(): Promise<void> {
    const stepMs = 1_000 / this.#deps.config.queriesPerSecond;
    const all = [...this.#connections.values()];
    const inPlay = all.filter(({ orderInPlay }) => orderInPlay !== null);
    for (const connection of [...inPlay, ...all.filter(({ orderInPlay }) => orderInPlay === null)]) {
      this.#run(
        'repeat_orders',
        queryOrders(this.#deps, connection, []).then(() => undefined),
      );
      await pause(this.#deps.clock, stepMs);
    }
  }

  // -- answers of machines -------------------------------------------------------------------------------------------

  #takeLate(connection: MachineConnection, order: Order, approvalId: EffectKey, late: Answer<'vend.approve'>): void {
    const answer = approveAnswerOf(late);
    if (answer.kind === 'unknown' || answer.kind === 'not_here') return;
    this.#noteAnswer(connection, order, answer);
    this.#deps.onLateAnswer({ machineId: order.machineId, orderSeq: order.orderSeq, approvalId, answer });
  }

  #noteAnswer(connection: MachineConnection, order: Order, answer: ApproveAnswer): void {
    if (answer.kind === 'accepted' || answer.kind === 'duplicate') connection.play(order.orderSeq);
    if (answer.kind !== 'rejected') return;
    connection.endPlay(order.orderSeq);
    // `unknown_order` is no evidence that the machine closed anything.
    if (answer.reason === 'unknown_order') return;
    const close = { machineId: order.machineId, orderSeq: order.orderSeq, why: answer.reason };
    this.#run(
      'close',
      closeOnBoard(this.#deps, close).then(() => undefined),
    );
  }

  // -- small things --------------------------------------------------------------------------------------------------

  /** Work that nobody waits for, known so that a shutdown can; its failure is logged, never unhandled. */
  #run(what: string, work: Promise<void>): void {
    const watched = work.catch((error: unknown) => {
      this.#deps.log.warn('link_work_failed', { what, error: String(error) });
    });
    this.#running.add(watched);
    watched.then(
      () => this.#running.delete(watched),
      () => undefined,
    );
  }
}

/**
 * The machine link. It opens nothing until `attach`; it keeps nothing that a restart would miss.
 * @throws Bug when the display text is not ASCII.
 */
export function createMachineLink(deps: MachineLinkDeps): MachineLink {
  return new Link(deps);
}
