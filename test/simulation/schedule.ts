/**
 * Customers at machines, one after another without long waits: each selects, dials or texts, changes his mind, or finds
 * another one in his way.
 */
import type { DurationMs } from '../../src/time.ts';
import type { Dice } from './chance.ts';
import type { FaultPlan } from './faults.ts';
import type { SimMachine } from './machine.ts';
import type { Payer } from './payer.ts';
import type { Timeline } from './timeline.ts';

/** What the schedule moves. */
export type ScheduleDeps = {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: FaultPlan;
  readonly machines: readonly SimMachine[];
  readonly payers: readonly Payer[];
  /** Items on the shelves of each machine. */
  readonly items: readonly number[];
};

/** The schedule; it has begun. */
export interface Schedule {
  /** Nobody comes any more. */
  stop(): void;
}

const NEXT_CUSTOMER_MS: DurationMs = 4_000;
const BY_SMS = 0.15;
const LEFT_WAITING = 0.25;
const WALKS_AWAY_MS: DurationMs = 3_000;

/** Begins to send customers. */
export function startSchedule({ timeline, dice, faults, machines, payers, items }: ScheduleDeps): Schedule {
  let isStopped = false;
  /** By machine: which customer stands before it. */
  const selections = new Map<SimMachine, number>();

  function someFreePayer(): Payer | undefined {
    const free = payers.filter((payer) => payer.isFree());
    return free.length === 0 ? undefined : dice.pick(free);
  }

  /** Whoever is through with his phone walks away, and takes back what still waits for him; some just leave it. */
  function send(payer: Payer, machine: SimMachine): void {
    const by = dice.happens(BY_SMS) ? 'sms' : 'ussd';
    const begunAt = selections.get(machine) ?? 0;
    const onDone = (): void => {
      if (dice.happens(LEFT_WAITING)) return;
      timeline.after(dice.latency(WALKS_AWAY_MS), () => {
        if (selections.get(machine) === begunAt) machine.withdraw();
      });
    };
    payer.begin({ machineNumber: machine.number, by, onDone });
  }

  function select(machine: SimMachine): boolean {
    const isBegun = machine.select(dice.pick(items));
    if (isBegun) selections.set(machine, (selections.get(machine) ?? 0) + 1);
    return isBegun;
  }

  /** The customer does something else at the machine, while its order waits. */
  function changeMind(machine: SimMachine): void {
    if (faults.strikes('order_canceled', 0.04)) {
      const isCash = dice.happens(0.2);
      timeline.after(dice.latency(6_000), () => machine.withdraw(isCash ? 'cash' : 'user'));
    }
    if (faults.strikes('order_replaced', 0.04)) {
      timeline.after(dice.latency(5_000), () => {
        if (!machine.isFree()) select(machine);
      });
    }
  }

  function serve(machine: SimMachine): void {
    if (!machine.isFree()) return;
    const payer = someFreePayer();
    if (payer === undefined) return;
    if (faults.strikes('dialed_before_order', 0.06)) {
      send(payer, machine);
      timeline.after(dice.latency(3_000), () => {
        if (machine.isFree() && !isStopped) select(machine);
      });
      return;
    }
    if (!select(machine)) return;
    send(payer, machine);
    changeMind(machine);
    if (!faults.strikes('two_payers', 0.05)) return;
    const other = someFreePayer();
    if (other !== undefined) send(other, machine);
  }

  function next(machine: SimMachine): void {
    timeline.after(dice.latency(NEXT_CUSTOMER_MS), () => {
      if (isStopped) return;
      serve(machine);
      next(machine);
    });
  }

  /** Whoever stands before a machine sees its display, sooner or later. */
  function watch(machine: SimMachine): void {
    machine.onShown(({ kind }) => {
      if (kind === 'waiting' || kind === 'asking' || dice.happens(LEFT_WAITING)) return;
      timeline.after(dice.latency(WALKS_AWAY_MS), () => {
        if (machine.isFree() || !machine.isOn()) for (const payer of payers) payer.giveUp(machine.number);
      });
    });
  }

  for (const machine of machines) {
    watch(machine);
    next(machine);
  }
  return {
    stop: () => {
      isStopped = true;
    },
  };
}
