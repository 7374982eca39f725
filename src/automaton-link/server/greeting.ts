/**
 * `hello`: what a machine is told when it comes, and what follows: acceptances noted, uncertain orders asked for,
 * approvals that are due let go.
 */
import { exponentOf } from '../../money.ts';
import type { MachineWaker } from '../../purchase/purchases-port.ts';
import { pause } from '../../time.ts';
import type { CallOf, ResultOf } from '../messages.ts';
import { type CallDeps, type Once, serverTimeOf } from './machine-calls.ts';
import type { MachineCall, MachineConnection } from './machine-connection.ts';

/** Order numbers that one `order.query` may name. */
const maxQueried = 16;

type HelloCall = Extract<MachineCall, { action: 'hello' }>;
type OpenOrders = CallOf<'hello'>['open'];

/** What greeting needs. */
export type GreetDeps = CallDeps & { readonly waker: MachineWaker };

/** Highest order number seen in any purchase or on the board. */
async function seqFloorOf(deps: GreetDeps, machineId: string): Promise<number> {
  const [ofPurchases, onBoard] = await Promise.all([
    deps.purchases.seqFloorOf(machineId),
    // Without the board no order is placed either; `vend.request` is answered busy until it is back.
    deps.board.look(machineId).catch(() => null),
  ]);
  return Math.max(ofPurchases, onBoard?.orderSeq ?? 0);
}

/**
 * Answers `hello`. `onReady` is called in the same step as the answer goes out: from then on this is the machine's
 * socket. @throws Fault when the journal is away: answer `busy`.
 */
export async function greet(
  deps: GreetDeps,
  connection: MachineConnection,
  call: HelloCall,
  once: Once,
  onReady: () => void,
): Promise<void> {
  const { config } = deps;
  const { machineId } = connection.machine;
  const machine = (await deps.directory.machineById(machineId)) ?? connection.machine;
  const { caps, open } = call.content;
  if (caps.currency !== machine.currency || caps.exp !== exponentOf(machine.currency)) {
    once(() => call.answer({ kind: 'error', code: 'config_mismatch', what: 'currency is not the registered one' }));
    return;
  }
  const seqFloor = await seqFloorOf(deps, machineId);
  once(() => {
    connection.seqFloor = seqFloor;
    call.answer({
      kind: 'result',
      result: {
        serverTime: serverTimeOf(deps.clock),
        machineNumber: machine.number.slice(0, 16),
        seqFloor,
        suspended: machine.isSuspended,
        pingMs: config.pingMs,
        idlePingMs: config.idlePingMs,
        heartbeatMs: config.heartbeatMs,
        cutoffMs: config.cutoffMs,
        configRev: 0,
      },
    });
    for (const { orderSeq, state } of open) {
      if (state === 'waiting' || state === 'approved' || state === 'delivering') connection.play(orderSeq);
    }
    connection.greeted(caps.deliveryMs);
    onReady();
  });
}

/** Only for our own approvalId: a foreign one says nothing about this purchase. */
async function noteAccepted(
  deps: GreetDeps,
  connection: MachineConnection,
  orderSeq: number,
  approvalId: string,
): Promise<void> {
  const { machineId } = connection.machine;
  const view = await deps.purchases.ofOrder(machineId, orderSeq);
  if (view === null || deps.purchases.approvalIdOf(view.id) !== approvalId) return;
  await deps.purchases.noteAccepted(machineId, orderSeq, approvalId);
}

async function noteStates(
  deps: GreetDeps,
  connection: MachineConnection,
  result: ResultOf<'order.query'>,
): Promise<void> {
  if (result.waiting !== null) connection.play(result.waiting);
  for (const { orderSeq, state, approvalId } of result.orders) {
    if ((state === 'approved' || state === 'delivering') && approvalId !== null) {
      connection.play(orderSeq);
      await noteAccepted(deps, connection, orderSeq, approvalId);
    }
  }
}

/** Asks a machine for orders, or with none named for its current one. True when it answered. */
export async function queryOrders(
  deps: GreetDeps,
  connection: MachineConnection,
  orderSeqs: readonly number[],
): Promise<boolean> {
  const answerMs = deps.config.callTimeoutMs;
  const answer = await connection.call('order.query', { orderSeqs: [...orderSeqs] }, { answerMs });
  if (answer.kind !== 'result') return false;
  await noteStates(deps, connection, answer.result);
  return true;
}

/** After `hello`. `settled` is aborted when the repeated `vend.request` has come, which approvals wait for. */
export async function followUp(
  deps: GreetDeps,
  connection: MachineConnection,
  open: OpenOrders,
  settled: AbortSignal,
): Promise<void> {
  const { machineId } = connection.machine;
  const isRequestDue = open.some(({ state }) => state === 'waiting');
  const settling = isRequestDue ? pause(deps.clock, deps.config.helloSettleMs, settled) : Promise.resolve();
  try {
    for (const { orderSeq, state, approvalId } of open) {
      const isTaken = state === 'approved' || state === 'delivering';
      if (isTaken && approvalId !== undefined) await noteAccepted(deps, connection, orderSeq, approvalId);
    }
  } finally {
    // What could not be noted is asked again by the worker; a machine that is there is told to it all the same.
    await settling;
    deps.waker.machineReady(machineId);
  }
  const named = new Set(open.map(({ orderSeq }) => orderSeq));
  const live = await deps.purchases.liveOfMachine(machineId);
  const uncertain = live
    .filter(({ state, orderSeq }) => (state === 'vending' || state === 'in_doubt') && !named.has(orderSeq))
    .map(({ orderSeq }) => orderSeq);
  if (uncertain.length > 0) await queryOrders(deps, connection, uncertain.slice(-maxQueried));
}
