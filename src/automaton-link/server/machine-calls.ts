/**
 * What machines ask, and how they are answered: orders to the board, statements to the journal, each answered once and
 * in time whatever board and journal do.
 */
import type { OrderBoard } from '../../purchase/order-board-port.ts';
import type { Purchases } from '../../purchase/purchases-port.ts';
import type { Directory } from '../../purchase/store-port.ts';
import { Fault } from '../../result.ts';
import type { Clock } from '../../time.ts';
import type { Reply } from '../exchange.ts';
import type { LinkLog, MachineLinkConfig } from './link-config.ts';
import type { MachineCall, MachineConnection } from './machine-connection.ts';
import { isRegisteredMac } from './machine-key.ts';
import { newOrderId } from './order-id.ts';
import { takeRequest } from './order-intake.ts';
import { isClosing, isStatement, readStatement, type StatementCall } from './statement.ts';

/** Kept of the machine's own timeout for the way back. */
const wayBackMs = 1_000;

/** What answering calls needs. */
export type CallDeps = {
  readonly config: MachineLinkConfig;
  readonly clock: Clock;
  /** 0 <= x < 1, for the names of orders. */
  readonly random: () => number;
  readonly board: OrderBoard;
  readonly purchases: Purchases;
  readonly directory: Directory;
  readonly log: LinkLog;
};

/** Sends the answer, unless the call has been answered already. */
export type Once = (send: () => void) => void;

type HelloCall = Extract<MachineCall, { action: 'hello' }>;
type RequestCall = Extract<MachineCall, { action: 'vend.request' }>;

/** Who is told of what the calls bring about. */
export type CallEvents = {
  readonly greet: (connection: MachineConnection, call: HelloCall, once: Once) => Promise<void>;
  /** An order was said again: what waits for it after `hello` may go on. */
  readonly settled: (connection: MachineConnection) => void;
};

/** Machine and socket, for the log. */
export function namesOf(connection: MachineConnection): { machineId: string; socket: string } {
  return { machineId: connection.machine.machineId, socket: connection.name };
}

/** Wall-clock time for people. */
export function serverTimeOf(clock: Clock): string {
  return new Date(clock.wall()).toISOString();
}

/**
 * Takes an order off the board. Null when the board is away: the journal is what counts, and without the board nobody
 * can begin to pay either.
 */
export async function closeOnBoard(
  deps: Pick<CallDeps, 'board' | 'log'>,
  close: { readonly machineId: string; readonly orderSeq: number; readonly why: string },
): Promise<'closed' | 'again' | 'other' | 'none' | null> {
  try {
    return (await deps.board.close(close)).kind;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    deps.log.warn('link_board_away', { machineId: close.machineId, orderSeq: close.orderSeq, code: error.code });
    return null;
  }
}

function whyOf(call: StatementCall): string {
  switch (call.action) {
    case 'vend.success':
      return 'succeeded';
    case 'vend.failure':
      return call.content.code;
    case 'vend.closed':
      return call.content.result;
    case 'vend.cancel':
      return 'canceled';
  }
}

function isWaiting(reply: Reply<'vend.request'>): boolean {
  return reply.kind === 'result' && reply.result.status === 'waiting';
}

async function takeOrder(
  deps: CallDeps,
  events: CallEvents,
  connection: MachineConnection,
  call: RequestCall,
  once: Once,
): Promise<void> {
  const heardAtMs = deps.clock.now();
  // The first request may come right behind `hello`.
  await connection.greeting;
  if (!connection.isReady) throw new Fault('not_greeted', 'no');
  const machine = await deps.directory.machineById(connection.machine.machineId);
  if (machine === null || !isRegisteredMac(connection.mac, machine.credentialMacs)) {
    once(() => call.answer({ kind: 'error', code: 'unauthorized', what: 'the credential was revoked' }));
    connection.close(4003);
    return;
  }
  const { orderSeq } = call.content;
  const reply = await takeRequest(
    { ...deps, newOrderId: () => newOrderId(deps.clock.wall(), deps.random) },
    {
      machine,
      request: call.content,
      sinceHeardMs: () => deps.clock.now() - heardAtMs,
      seqFloor: connection.seqFloor,
      deliveryMs: connection.deliveryMs,
    },
  );
  if (isWaiting(reply)) {
    connection.seqFloor = Math.max(connection.seqFloor, orderSeq);
    connection.play(orderSeq);
  }
  once(() => call.answer(reply));
  events.settled(connection);
}

async function takeStatement(
  deps: CallDeps,
  connection: MachineConnection,
  call: StatementCall,
  once: Once,
): Promise<void> {
  const { machineId } = connection.machine;
  const { orderSeq } = call.content;
  const close = { machineId, orderSeq, why: whyOf(call) };
  // A closed order leaves the board first, so that nobody begins to pay for it meanwhile.
  const closed = isClosing(call) ? await closeOnBoard(deps, close) : null;
  const outcome = await deps.purchases.recordStatement(readStatement(machineId, call));
  if (outcome.kind === 'busy') throw new Fault('journal_busy', 'unknown');
  connection.endPlay(orderSeq);
  if (call.action === 'vend.cancel') {
    const status = outcome.hasLivePurchase ? 'approval_in_flight' : closed === 'closed' ? 'canceled' : 'already_closed';
    once(() => call.answer({ kind: 'result', result: { status } }));
    return;
  }
  once(() => call.answer({ kind: 'result', result: {} }));
  if (!isClosing(call)) await closeOnBoard(deps, close);
}

async function answer(
  deps: CallDeps,
  events: CallEvents,
  connection: MachineConnection,
  call: MachineCall,
  once: Once,
): Promise<void> {
  if (isStatement(call)) {
    await takeStatement(deps, connection, call, once);
    return;
  }
  switch (call.action) {
    case 'hello':
      await events.greet(connection, call, once);
      return;
    case 'vend.request':
      await takeOrder(deps, events, connection, call, once);
      return;
    case 'status':
      deps.log.info('machine_status', { ...namesOf(connection), ...call.content });
      once(() => call.answer({ kind: 'result', result: {} }));
      return;
    case 'heartbeat':
      once(() => call.answer({ kind: 'result', result: { serverTime: serverTimeOf(deps.clock) } }));
      return;
  }
}

/** Says `busy`: same content again later, under a new msgId. */
function sayBusy(deps: CallDeps, call: MachineCall, what: string): void {
  call.answer({ kind: 'error', code: 'busy', what, details: { retryMs: deps.config.retryMs } });
}

/** Refuses a call because this node is being shut down. */
export function refuseDraining(deps: CallDeps, call: MachineCall): void {
  sayBusy(deps, call, 'draining');
}

/**
 * Answers one call, exactly once: with the outcome, with `busy` when board, journal or directory is away or slower
 * than the machine's own timeout, with `internal` after a bug of ours. Never rejects.
 */
export async function answerCall(
  deps: CallDeps,
  events: CallEvents,
  connection: MachineConnection,
  call: MachineCall,
): Promise<void> {
  let isAnswered = false;
  const once: Once = (send) => {
    if (isAnswered) return;
    isAnswered = true;
    send();
  };
  const stopTimer = deps.clock.after(deps.config.callTimeoutMs - wayBackMs, () =>
    once(() => sayBusy(deps, call, 'no answer in time')),
  );
  try {
    await answer(deps, events, connection, call, once);
  } catch (error) {
    const fields = { ...namesOf(connection), action: call.action };
    if (error instanceof Fault) {
      deps.log.warn('link_call_fault', { ...fields, code: error.code });
      once(() => sayBusy(deps, call, 'not recorded'));
    } else {
      deps.log.error('link_call_bug', { ...fields, error: String(error) });
      once(() => call.answer({ kind: 'error', code: 'internal', what: 'fault of the server' }));
    }
  } finally {
    stopTimer();
    if (call.action === 'hello') connection.greetingOver();
  }
}
