/**
 * The machine as the purchase sees it. Implemented by `src/automaton-link/server/`.
 */
import type { DurationMs } from '../time.ts';
import type { EffectKey } from './effect.ts';
import type { MachineId, Order, RejectionReason } from './purchase.ts';

/** What a machine answers to an approval. `unknown`: no answer, or no socket after the first byte may have left. */
export type ApproveAnswer =
  | { readonly kind: 'accepted' }
  /** It has this approval already; the state is its journal's. */
  | { readonly kind: 'duplicate'; readonly state: string }
  | { readonly kind: 'rejected'; readonly reason: RejectionReason }
  | { readonly kind: 'unknown' }
  /** Provably nothing was sent: there is no socket here. */
  | { readonly kind: 'not_here' };

/** Instructions and questions to machines whose socket this node holds. */
export interface MachinePort {
  /** True while this node holds the machine's socket. */
  holds(machineId: MachineId): boolean;
  /** The machines this node holds that have an order in play, for the effects poll. */
  heldMachines(): readonly MachineId[];
  /** ST15: the instruction to deliver, named by its approvalId; the same one may be sent any number of times. */
  approve(command: {
    readonly order: Order;
    readonly approvalId: EffectKey;
    /** What is left of the order; the machine's own clock decides. */
    readonly validMs: DurationMs;
  }): Promise<ApproveAnswer>;
  /** Asks for the state of an order; the machine then repeats its statement. False: it could not be asked. */
  queryOrder(machineId: MachineId, orderSeq: number): Promise<boolean>;
  /** Tells that nobody will pay; only for an order that no live purchase holds. Best effort. */
  deny(command: {
    readonly machineId: MachineId;
    readonly orderSeq: number;
    readonly reason: 'not_paid' | 'insufficient' | 'user_canceled' | 'server_timeout' | 'machine_suspended';
  }): Promise<void>;
}
