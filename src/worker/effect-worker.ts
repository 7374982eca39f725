/**
 * Carries out effects at its own pace: those this node has just committed from memory, at once; those that fell due,
 * or that a dead node left, by taking their lease. What the world answers becomes an event.
 */

import type { Coordinator, OwnEffect } from '../purchase/coordinator.ts';
import type { LeasedEffect } from '../purchase/effect.ts';
import type { MachinePort } from '../purchase/machine-port.ts';
import type { MachineId, PurchaseId } from '../purchase/purchase.ts';
import type { MachineWaker } from '../purchase/purchases-port.ts';
import type { Loaded, PurchaseStore } from '../purchase/store-port.ts';
import { Fault } from '../result.ts';
import type { Clock, DurationMs } from '../time.ts';

/** One effect carried out; what it learned has been offered to the state machine when it resolves. */
export type CarryOut = (loaded: Loaded, effect: LeasedEffect) => Promise<void>;

/** What the worker works with. */
export type EffectWorkerDeps = {
  readonly store: PurchaseStore;
  readonly coordinator: Pick<Coordinator, 'load' | 'reload'>;
  readonly machines: Pick<MachinePort, 'heldMachines'>;
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

/** Effects taken by one look; more stay for the next one, or for other nodes. */
const MOST_TAKEN = 100;
/** Effects running at once on one node; the poll waits while there are more. */
const MOST_RUNNING = 500;
/** A bug that meets the same purchase this often parks it for a person. */
const MOST_BUGS = 5;
const BUG_DELAY_MS: DurationMs = 60_000;

/** Creates the worker; `start` begins the polling. */
export function createEffectWorker(deps: EffectWorkerDeps): EffectWorker {
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  let cancelPoll = (): void => {};

  function begin(work: Promise<void>): void {
    running.add(work);
    void work.finally(() => running.delete(work));
  }

  async function carry(effect: LeasedEffect, read: () => Promise<Loaded | null>): Promise<void> {
    try {
      const loaded = await read();
      if (loaded !== null) await deps.carryOut(loaded, effect);
    } catch (error) {
      // A fault of the outside world is tried again when the lease has lapsed; a bug is put off, and soon parked.
      deps.onTrouble('effect_failed', effect.purchaseId, error);
      if (!(error instanceof Fault)) await putOff(effect, error);
    }
  }

  async function putOff(effect: LeasedEffect, error: unknown): Promise<void> {
    try {
      await deps.store.reschedule(effect, BUG_DELAY_MS, error instanceof Error ? error.message : 'bug');
      if (effect.tries >= MOST_BUGS) await deps.store.openCase(effect.purchaseId, 'parked');
    } catch (fault) {
      deps.onTrouble('effect_not_put_off', effect.purchaseId, fault);
    }
  }

  async function take(taking: () => Promise<readonly LeasedEffect[]>): Promise<void> {
    try {
      // Read anew: another node may have planned it, in a state that this one does not remember.
      for (const effect of await taking()) begin(carry(effect, () => deps.coordinator.reload(effect.purchaseId)));
    } catch (error) {
      deps.onTrouble('effects_not_taken', null, error);
    }
  }

  function runLater(effect: LeasedEffect): void {
    if (!stopping.signal.aborted) begin(carry(effect, () => deps.coordinator.load(effect.purchaseId)));
  }

  /** Until nothing runs: what running effects commit is carried out too. */
  async function drain(): Promise<void> {
    while (running.size > 0) await Promise.all([...running]);
  }

  const takeForMachines = (ids: readonly MachineId[]): Promise<void> =>
    take(() => deps.store.takeForMachines(ids, MOST_TAKEN, deps.leaseMs));

  function pollLater(): void {
    cancelPoll = deps.clock.after(deps.pollMs * (0.5 + deps.random()), () => begin(poll()));
  }

  async function poll(): Promise<void> {
    if (running.size < MOST_RUNNING) {
      await take(() => deps.store.takeDue(MOST_TAKEN, deps.leaseMs));
      const held = deps.machines.heldMachines();
      if (held.length > 0) await takeForMachines(held);
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
      if (!stopping.signal.aborted) begin(takeForMachines([machineId]));
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
