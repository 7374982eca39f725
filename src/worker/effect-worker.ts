/**
 * Carries out effects at its own pace: those this node has just committed from memory, at once; those that fell due,
 * or that a dead node left, by taking their lease. What the world answers becomes an event.
 */

import type { Coordinator, OwnEffect } from '../purchase/coordinator.ts';
import type { HeldEffect, LeasedEffect } from '../purchase/effect.ts';
import type { MachinePort } from '../purchase/machine-port.ts';
import type { MachineId, PurchaseId } from '../purchase/purchase.ts';
import type { MachineWaker } from '../purchase/purchases-port.ts';
import type { Loaded, PurchaseStore } from '../purchase/store-port.ts';
import { Fault } from '../result.ts';
import type { Clock, DurationMs } from '../time.ts';

/** One effect carried out; what it learned has been offered to the state machine when it resolves. */
export type CarryOut = (loaded: Loaded, effect: HeldEffect) => Promise<void>;

/** What the worker works with. */
export type EffectWorkerDeps = {
  readonly store: PurchaseStore;
  readonly coordinator: Pick<Coordinator, 'load' | 'reload'>;
  readonly machines: Pick<MachinePort, 'holds' | 'heldMachines'>;
  readonly carryOut: CarryOut;
  readonly clock: Clock;
  readonly leaseMs: DurationMs;
  /** Mean time between two looks for due effects, 2 s; each wait is drawn between half and one and a half of it. */
  readonly pollMs: DurationMs;
  readonly random: () => number;
  readonly onTrouble: (what: string, id: PurchaseId | null, error: unknown) => void;
};

/** The effect worker of one node. */
export interface EffectWorker extends MachineWaker {
  /** Runs what this node has leased with its own commit. */
  run(own: readonly OwnEffect[]): void;
  start(): void;
  /** Takes nothing new, lets running effects finish for at most `drainMs`; what is left lapses to other nodes. */
  stop(drainMs: DurationMs): Promise<void>;
}

/** Effects taken by one statement; after a full one the next look follows as soon as there is room. */
const MOST_TAKEN = 100;
/** Effects running at once on one node; the poll takes none while there are more. What the node itself plans always runs. */
const MOST_RUNNING = 500;
/** After a full look the next one waits until so few of the taken ones run: the journal's queue is the straight line's too. */
const FEW_TAKEN = 200;
/** A bug that meets the same purchase this often parks it for a person. */
const MOST_BUGS = 5;
const BUG_DELAY_MS: DurationMs = 60_000;

/** Creates the worker; `start` begins the polling. */
export function createEffectWorker(deps: EffectWorkerDeps): EffectWorker {
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  let cancelPoll = (): void => {};
  let takenRunning = 0;
  let onRoom = (): void => {};

  function begin(work: Promise<void>): void {
    running.add(work);
    void work.finally(() => running.delete(work));
  }

  function beginTaken(work: Promise<void>): void {
    takenRunning += 1;
    begin(
      work.finally(() => {
        takenRunning -= 1;
        if (takenRunning <= FEW_TAKEN) onRoom();
      }),
    );
  }

  /** Until the next look may follow a full one; where a slow wallet holds things up, no longer than a poll waits. */
  async function room(): Promise<void> {
    if (takenRunning <= FEW_TAKEN) return;
    await new Promise<void>((resolve) => {
      const cancel = deps.clock.after(deps.pollMs, resolve);
      onRoom = () => {
        cancel();
        resolve();
      };
    });
  }

  async function carry(effect: HeldEffect, read: () => Promise<Loaded | null>): Promise<void> {
    try {
      const loaded = await read();
      if (loaded !== null) await deps.carryOut(loaded, effect);
    } catch (error) {
      // A fault of the outside world is tried again when the lease has lapsed; a bug is put off, and soon parked.
      deps.onTrouble('effect_failed', effect.purchaseId, error);
      if (!(error instanceof Fault)) await putOff(effect, error);
    }
  }

  async function putOff(effect: HeldEffect, error: unknown): Promise<void> {
    try {
      // Its words may quote a number or a wallet's reference; they stand in the log, which masks them.
      await deps.store.reschedule(effect, BUG_DELAY_MS, error instanceof Error ? error.name : 'bug');
      if (effect.tries >= MOST_BUGS) await deps.store.openCase(effect.purchaseId, 'parked');
    } catch (fault) {
      deps.onTrouble('effect_not_put_off', effect.purchaseId, fault);
    }
  }

  /** Takes and begins; true when there may be more. `seen`: what this poll has taken before; met again it is enough. */
  async function take(taking: () => Promise<readonly LeasedEffect[]>, seen = new Set<string>()): Promise<boolean> {
    // Counted from before the statement is sent: the lease can only seem to end too early.
    const leaseEndsAtMs = deps.clock.now() + deps.leaseMs;
    try {
      const taken = await taking();
      // Read anew: another node may have planned it, in a state that this one does not remember.
      for (const effect of taken) {
        beginTaken(carry({ ...effect, leaseEndsAtMs }, () => deps.coordinator.reload(effect.purchaseId)));
      }
      const isNew = taken.every(({ key }) => !seen.has(key) && seen.add(key));
      return isNew && taken.length === MOST_TAKEN;
    } catch (error) {
      deps.onTrouble('effects_not_taken', null, error);
      return false;
    }
  }

  function runLater(effect: HeldEffect): void {
    if (!stopping.signal.aborted) begin(carry(effect, () => deps.coordinator.load(effect.purchaseId)));
  }

  /** Until nothing runs: what running effects commit is carried out too. */
  async function drain(): Promise<void> {
    while (running.size > 0) await Promise.all([...running]);
  }

  const takeDue = (): Promise<boolean> => take(() => deps.store.takeDue(MOST_TAKEN, deps.leaseMs));
  const takeForMachines = (ids: readonly MachineId[], seen?: Set<string>): Promise<boolean> =>
    take(() => deps.store.takeForMachines(ids, MOST_TAKEN, deps.leaseMs), seen);

  async function takeHeld(seen: Set<string>): Promise<boolean> {
    const held = deps.machines.heldMachines();
    return held.length > 0 && takeForMachines(held, seen);
  }

  async function wake(machineId: MachineId): Promise<void> {
    // A machine that has gone to another node since: taken here, its approval would count as sent for nothing.
    if (deps.machines.holds(machineId)) await takeForMachines([machineId]);
  }

  function pollLater(): void {
    cancelPoll = deps.clock.after(deps.pollMs * (0.5 + deps.random()), () => begin(poll()));
  }

  /** Look after look while there is more than one takes, so that what a dead node left is gone in seconds. */
  async function poll(): Promise<void> {
    // A row that is taken has a new lease, and does not come again; but what finds no socket is put back at once.
    const seen = new Set<string>();
    let [isMoreHeld, isMoreDue] = [true, true];
    while ((isMoreHeld || isMoreDue) && running.size < MOST_RUNNING && !stopping.signal.aborted) {
      isMoreDue &&= await takeDue();
      isMoreHeld &&= await takeHeld(seen);
      if (isMoreDue || isMoreHeld) await room();
    }
    if (!stopping.signal.aborted) pollLater();
  }

  return {
    run: (own) => {
      for (const { loaded, effect, dueInMs } of own) {
        if (dueInMs === 0) begin(carry(effect, async () => loaded));
        else deps.clock.after(dueInMs, () => runLater(effect));
      }
    },
    machineReady: (machineId) => {
      if (!stopping.signal.aborted) begin(wake(machineId));
    },
    start: pollLater,
    stop: async (drainMs) => {
      stopping.abort();
      cancelPoll();
      const limit = new Promise<void>((resolve) => {
        deps.clock.after(drainMs, resolve);
      });
      await Promise.race([drain(), limit]);
    },
  };
}
