/**
 * A vending machine in memory with named faults: its own journal, its own clock, goods that are counted as they drop.
 */
import type { EffectKey } from '../../src/purchase/effect.ts';
import type { PurchaseEvent } from '../../src/purchase/event.ts';
import type { ApproveAnswer, MachinePort } from '../../src/purchase/machine-port.ts';
import type { FailureCode, MachineId, Order, RejectionReason } from '../../src/purchase/purchase.ts';
import type { Purchases } from '../../src/purchase/purchases-port.ts';
import type { MachineStatement } from '../../src/purchase/store-port.ts';
import { type CancelTimer, type Clock, type DurationMs, pause } from '../../src/time.ts';

/** The node at the other end of the machine's socket. */
export type MachineHost = {
  readonly name: string;
  readonly purchases: Pick<Purchases, 'recordStatement'>;
  machineReady(machineId: MachineId): void;
};

/** What becomes of a good after an approval was accepted. */
export type Delivery =
  | { readonly kind: 'delivers' }
  | { readonly kind: 'fails'; readonly code: FailureCode }
  /** Accepted, and never a word again. */
  | { readonly kind: 'says_nothing' }
  /** The good drops, but a reset lets the machine only presume it; `no_result`: the controller never said. */
  | { readonly kind: 'presumes'; readonly basis: 'reboot' | 'vmc_reset' | 'no_result' };

/** What goes wrong with one approval. */
export type ApprovalFault =
  | { readonly kind: 'lost' }
  /** It arrives and is carried out; the answer does not. */
  | { readonly kind: 'answer_lost' }
  | { readonly kind: 'rejected'; readonly reason: RejectionReason }
  /** The answer comes after the good has dropped and been reported. */
  | { readonly kind: 'slow_answer' };

type LocalOrder = {
  readonly amountMinor: bigint;
  readonly deadlineAtMs: number;
  state: 'open' | 'accepted' | 'over';
  approvalId: EffectKey | null;
  /** The final word, kept until it is acknowledged. */
  said: Said | null;
  isAcknowledged: boolean;
};

type Said = {
  readonly kind: MachineStatement['kind'];
  readonly event: Extract<PurchaseEvent, { type: 'vend_succeeded' | 'vend_failed' | 'vend_closed' }>;
};

/** The fake. */
export interface FakeMachine {
  readonly machineId: MachineId;
  /** A customer selects: an order that waits `waitMs`. The machine reports it closed when that is over. */
  select(orderSeq: number, amountMinor: bigint, waitMs: DurationMs): void;
  /** The customer changes his mind. */
  cancel(orderSeq: number, result?: string): void;
  /** The socket is opened to a node; what was not acknowledged is said again. */
  connect(host: MachineHost): void;
  disconnect(): void;
  /** How the next goods come out. */
  setDelivery(delivery: Delivery, takesMs?: DurationMs): void;
  failApproval(...faults: readonly ApprovalFault[]): void;
  /** Its journal is replaced by an empty one. */
  forget(): void;
  /** The good drops now, although nothing was said of it before. */
  reportLate(orderSeq: number, said: Said): void;
  /** Says its final word again. */
  repeat(orderSeq: number): void;
  /** Goods that dropped for an order. */
  dropped(orderSeq: number): number;
  /** Goods that dropped under an approval. */
  droppedUnder(approvalId: EffectKey): number;
  /** Approvals that reached it, as `orderSeq approvalId`. */
  readonly approvals: readonly string[];
  readonly denials: readonly number[];
  /** The port of a node to this machine. */
  portOf(name: string): MachinePort;
}

const ANSWER_MS: DurationMs = 50;
const APPROVE_BUDGET_MS: DurationMs = 3000;
const SAY_AGAIN_MS: DurationMs = 5000;

/** Creates a machine that is not connected. */
export function createFakeMachine(deps: { readonly clock: Clock; readonly machineId: MachineId }): FakeMachine {
  const { clock, machineId } = deps;
  const orders = new Map<number, LocalOrder>();
  /** The approvals under which goods dropped, one entry a good. */
  const droppedGoods: { readonly orderSeq: number; readonly approvalId: EffectKey | null }[] = [];
  const approvals: string[] = [];
  const denials: number[] = [];
  const faults: ApprovalFault[] = [];
  let host: MachineHost | null = null;
  let delivery: Delivery = { kind: 'delivers' };
  let takesMs: DurationMs = 2000;
  let cancelRetry: CancelTimer = () => undefined;

  async function say(orderSeq: number, one: LocalOrder): Promise<void> {
    const { said, approvalId } = one;
    const to = host;
    if (said === null || to === null) return;
    const statement = { machineId, orderSeq, kind: said.kind, content: { orderSeq } };
    const isClosed = said.kind === 'closed';
    const outcome = await to.purchases.recordStatement({
      statement,
      event: said.event,
      approvalId: isClosed ? null : approvalId,
    });
    if (outcome.kind === 'recorded') one.isAcknowledged = true;
    else cancelRetry = clock.after(SAY_AGAIN_MS, sayAll);
  }

  function sayAll(): void {
    cancelRetry();
    for (const [orderSeq, one] of orders) if (!one.isAcknowledged) void say(orderSeq, one);
  }

  function end(orderSeq: number, one: LocalOrder, said: Said): void {
    one.state = 'over';
    one.said = said;
    void say(orderSeq, one);
  }

  function close(orderSeq: number, one: LocalOrder, result: string): void {
    if (one.state === 'open') end(orderSeq, one, { kind: 'closed', event: { type: 'vend_closed', result } });
  }

  function drop(orderSeq: number): void {
    droppedGoods.push({ orderSeq, approvalId: orders.get(orderSeq)?.approvalId ?? null });
  }

  function deliver(orderSeq: number, one: LocalOrder): void {
    if (one.state !== 'accepted') return;
    switch (delivery.kind) {
      case 'delivers':
        drop(orderSeq);
        end(orderSeq, one, { kind: 'success', event: { type: 'vend_succeeded', basis: null } });
        break;
      case 'presumes':
        drop(orderSeq);
        end(orderSeq, one, { kind: 'success', event: { type: 'vend_succeeded', basis: delivery.basis } });
        break;
      case 'fails':
        end(orderSeq, one, { kind: 'failure', event: { type: 'vend_failed', code: delivery.code } });
        break;
      case 'says_nothing':
        break;
    }
  }

  /** Its own clock decides, and a rejection closes the order in its journal first. */
  function judge(order: Order, approvalId: EffectKey): ApproveAnswer {
    const one = orders.get(order.orderSeq);
    approvals.push(`${order.orderSeq} ${approvalId}`);
    if (one === undefined) return { kind: 'rejected', reason: 'unknown_order' };
    if (one.approvalId === approvalId) return { kind: 'duplicate', state: one.state };
    if (one.approvalId !== null) return { kind: 'rejected', reason: 'other_approval' };
    if (one.state === 'over') return { kind: 'rejected', reason: 'already_closed' };
    if (one.deadlineAtMs <= clock.now()) return { kind: 'rejected', reason: 'late' };
    if (one.amountMinor !== order.price.minor) return { kind: 'rejected', reason: 'amount_mismatch' };
    one.approvalId = approvalId;
    one.state = 'accepted';
    clock.after(takesMs, () => deliver(order.orderSeq, one));
    return { kind: 'accepted' };
  }

  async function approve(
    name: string,
    { order, approvalId }: Parameters<MachinePort['approve']>[0],
  ): Promise<ApproveAnswer> {
    if (host?.name !== name) return { kind: 'not_here' };
    const fault = faults.shift();
    switch (fault?.kind) {
      case 'lost':
        await pause(clock, APPROVE_BUDGET_MS);
        return { kind: 'unknown' };
      case 'answer_lost':
        judge(order, approvalId);
        await pause(clock, APPROVE_BUDGET_MS);
        return { kind: 'unknown' };
      case 'slow_answer': {
        const answer = judge(order, approvalId);
        await pause(clock, takesMs + ANSWER_MS);
        return answer;
      }
      case 'rejected': {
        const one = orders.get(order.orderSeq);
        if (one !== undefined) Object.assign(one, { state: 'over', isAcknowledged: true });
        if (fault.reason === 'unknown_order') orders.delete(order.orderSeq);
        await pause(clock, ANSWER_MS);
        return { kind: 'rejected', reason: fault.reason };
      }
      case undefined: {
        const answer = judge(order, approvalId);
        await pause(clock, ANSWER_MS);
        return answer;
      }
    }
  }

  function portOf(name: string): MachinePort {
    const isHere = (id: MachineId): boolean => id === machineId && host?.name === name;
    return {
      holds: isHere,
      heldMachines: () => (isHere(machineId) ? [machineId] : []),
      approve: (command) => approve(name, command),
      queryOrder: async (id, orderSeq) => {
        const one = orders.get(orderSeq);
        if (isHere(id) && one !== undefined) void say(orderSeq, one);
        return isHere(id);
      },
      deny: async ({ orderSeq }) => {
        denials.push(orderSeq);
        const one = orders.get(orderSeq);
        if (one?.state === 'open') Object.assign(one, { state: 'over', isAcknowledged: true });
      },
    };
  }

  return {
    machineId,
    select: (orderSeq, amountMinor, waitMs) => {
      const deadlineAtMs = clock.now() + waitMs;
      const one: LocalOrder = {
        amountMinor,
        deadlineAtMs,
        state: 'open',
        approvalId: null,
        said: null,
        isAcknowledged: false,
      };
      orders.set(orderSeq, one);
      clock.after(waitMs, () => close(orderSeq, one, 'expired'));
    },
    cancel: (orderSeq, result = 'canceled') => {
      const one = orders.get(orderSeq);
      if (one !== undefined) close(orderSeq, one, result);
    },
    connect: (to) => {
      host = to;
      sayAll();
      to.machineReady(machineId);
    },
    disconnect: () => {
      host = null;
    },
    setDelivery: (next, ms = 2000) => {
      delivery = next;
      takesMs = ms;
    },
    failApproval: (...more) => {
      faults.push(...more);
    },
    forget: () => orders.clear(),
    reportLate: (orderSeq, said) => {
      const one = orders.get(orderSeq);
      if (one === undefined) return;
      if (said.kind === 'success') drop(orderSeq);
      end(orderSeq, one, said);
    },
    repeat: (orderSeq) => {
      const one = orders.get(orderSeq);
      if (one !== undefined) void say(orderSeq, one);
    },
    dropped: (orderSeq) => droppedGoods.filter((good) => good.orderSeq === orderSeq).length,
    droppedUnder: (approvalId) => droppedGoods.filter((good) => good.approvalId === approvalId).length,
    approvals,
    denials,
    portOf,
  };
}
