/**
 * The controller of a simulated machine: keys, display, motors. What drops from it is the truth that everything else is
 * measured by. It may have power of its own, so that a delivery goes on while the program beside it is dead.
 */

import type { HardwareEvent, VendingHardware } from '../../src/automaton-link/agent/vending-hardware.ts';
import type { VendFailureCode } from '../../src/automaton-link/messages.ts';
import type { DurationMs } from '../../src/time.ts';
import type { Dice } from './chance.ts';
import type { FaultPlan } from './faults.ts';
import type { Life } from './life.ts';
import { createPipe, type Pipe } from './pipe.ts';
import type { Timeline } from './timeline.ts';

/** Between controller and program, one way. */
const busMs: DurationMs = 15;
/** From the go-ahead to the good. */
const deliveryMs: DurationMs = 2_500;
/** The controller waits this much longer than the program (Z7 of READER CONFIGURATION DATA). */
const z7MarginMs: DurationMs = 5_000;
/** Chance of each kind of trouble at each delivery. */
const troublePerDelivery = 0.02;
const failures: readonly VendFailureCode[] = ['jam', 'jam', 'sold_out', 'motor', 'door_open', 'vmc_failure'];

/** What is on a shelf. `price`: minor units; null where only the server knows it. */
export type SimGood = { readonly item: number; readonly price: bigint | null };

/** A go-ahead as the controller took it. Times on the machine's own monotonic clock. */
export type GoAhead = {
  readonly orderSeq: number;
  readonly approvalId: string | null;
  readonly selectedAtMs: DurationMs;
  readonly goAheadAtMs: DurationMs;
  readonly maxWaitMs: DurationMs;
};

/** What the program beside the controller is delivering under: asked in the step of its go-ahead. */
export type Delivering = { readonly orderSeq: number; readonly approvalId: string | null };

/** What a controller is made of. */
export type ControllerDeps = {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: FaultPlan;
  readonly goods: readonly SimGood[];
  readonly delivering: () => Delivering;
  readonly onGoAhead: (goAhead: GoAhead) => void;
  readonly onDropped: (goAhead: GoAhead, droppedAtMs: DurationMs) => void;
  readonly onDisplay: (text: string) => void;
};

/** The controller. */
export interface Controller {
  /** The port of one program's life; the one before it is cut off. */
  portOf(life: Life): VendingHardware;
  /** The program's power is gone, and chance decides whether the controller's is. */
  powerCut(): void;
  /** A product key. Pressed again before the go-ahead, it replaces what was selected. False: nothing happens. */
  select(item: number): boolean;
  /** Cancel key, or coins. False: nothing is waiting. */
  withdraw(cause: 'user' | 'cash'): boolean;
  /** True when a key would begin a new order and end none. */
  readonly isFree: boolean;
}

type Request = {
  readonly selection: number;
  readonly selectedAtMs: DurationMs;
  readonly stopWait: () => void;
  stage: 'requested' | 'delivering';
};
type Word =
  | { readonly kind: 'approve'; readonly selection: number; readonly under: Delivering }
  | { readonly kind: 'deny'; readonly selection: number };
/** One program's connection to the controller. */
type Bus = {
  readonly life: Life;
  readonly events: Pipe<HardwareEvent>;
  maxWaitMs: DurationMs;
  listener: (event: HardwareEvent) => void;
};

class SimController implements Controller {
  readonly #deps: ControllerDeps;
  #bus: Bus | null = null;
  #request: Request | null = null;
  #selections = 0;
  /** Deliveries in motion, each with what stops its motor. */
  readonly #motions = new Set<() => void>();

  constructor(deps: ControllerDeps) {
    this.#deps = deps;
  }

  get isFree(): boolean {
    return this.#bus !== null && this.#request === null;
  }

  portOf(life: Life): VendingHardware {
    const { timeline, dice, delivering, onDisplay } = this.#deps;
    const pipeDeps = { timeline, latencyMs: () => dice.latency(busMs), heldUntilMs: () => 0 };
    const bus: Bus = {
      life,
      maxWaitMs: 0,
      listener: () => undefined,
      events: createPipe<HardwareEvent>({ ...pipeDeps, out: (event) => life.deliver(() => bus.listener(event)) }),
    };
    const words = createPipe<Word>({
      ...pipeDeps,
      out: (word) => {
        if (this.#bus === bus) this.#hear(bus, word);
      },
    });
    const say = (word: Word): Promise<void> => {
      if (!life.isDead) words.put(word);
      return Promise.resolve();
    };
    return {
      open: (setup) => {
        this.#dropRequest();
        bus.maxWaitMs = setup.maxWaitMs;
        this.#bus = bus;
        return Promise.resolve({ hw: 'other', mdbLevel: null, alwaysIdle: true, display: true });
      },
      onEvent: (listener) => {
        bus.listener = listener;
      },
      approve: (selection) => say({ kind: 'approve', selection, under: delivering() }),
      deny: (selection) => say({ kind: 'deny', selection }),
      display: (text) => {
        if (!life.isDead) onDisplay(text);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
  }

  powerCut(): void {
    this.#bus?.events.empty();
    this.#bus = null;
    this.#dropRequest();
    for (const stop of this.#motions) if (this.#deps.dice.happens(0.5)) stop();
  }

  // -- the person in front of it -------------------------------------------------------------------------------------

  select(item: number): boolean {
    const { timeline, goods } = this.#deps;
    const good = goods.find((one) => one.item === item);
    const bus = this.#bus;
    if (bus === null || good === undefined || this.#request?.stage === 'delivering') return false;
    this.#dropRequest();
    this.#selections += 1;
    const selection = this.#selections;
    const stopWait = timeline.after(bus.maxWaitMs + z7MarginMs, () => this.#giveUp(selection, 'vmc'));
    this.#request = { selection, selectedAtMs: bus.life.clock.now(), stopWait, stage: 'requested' };
    bus.events.put({ kind: 'selected', selection, item, amount: good.price });
    this.#mayReset(bus, selection);
    return true;
  }

  withdraw(cause: 'user' | 'cash'): boolean {
    const request = this.#request;
    return request !== null && this.#giveUp(request.selection, cause);
  }

  #giveUp(selection: number, cause: 'user' | 'cash' | 'vmc'): boolean {
    if (this.#request?.selection !== selection || this.#request.stage !== 'requested') return false;
    this.#dropRequest();
    this.#bus?.events.put({ kind: 'withdrawn', selection, cause });
    return true;
  }

  /** A reset while the payer is still dialing: the request is gone, or the whole controller for a while. */
  #mayReset(bus: Bus, selection: number): void {
    const { timeline, dice, faults } = this.#deps;
    if (!faults.strikes('controller_reset', troublePerDelivery / 4)) return;
    timeline.after(dice.float() * bus.maxWaitMs, () => {
      if (this.#bus !== bus || this.#request?.selection !== selection) return;
      if (dice.happens(0.5)) {
        this.#giveUp(selection, 'vmc');
        return;
      }
      this.#dropRequest();
      bus.events.put({ kind: 'down', cause: 'bus' });
      timeline.after(dice.latency(8_000), () => bus.events.put({ kind: 'ready' }));
    });
  }

  // -- the program beside it -----------------------------------------------------------------------------------------

  #hear(bus: Bus, word: Word): void {
    const { selection } = word;
    const request = this.#request;
    const isOurs = request?.selection === selection;
    if (word.kind === 'deny') {
      // A motor that turns goes on turning.
      if (isOurs) this.#dropRequest();
      return;
    }
    if (request === null || !isOurs || request.stage !== 'requested') {
      bus.events.put({ kind: 'failed', selection, code: 'vmc_refused' });
      return;
    }
    request.stage = 'delivering';
    request.stopWait();
    const { selectedAtMs } = request;
    const goAhead = { ...word.under, selectedAtMs, goAheadAtMs: bus.life.clock.now(), maxWaitMs: bus.maxWaitMs };
    this.#deps.onGoAhead(goAhead);
    this.#deliver(bus, selection, goAhead);
  }

  #deliver(bus: Bus, selection: number, goAhead: GoAhead): void {
    const { dice, faults } = this.#deps;
    const drop = (): void => this.#deps.onDropped(goAhead, bus.life.clock.now());
    const end = (event: HardwareEvent): void => this.#end(bus, selection, event);
    const takesMs = faults.strikes('slow_delivery', troublePerDelivery)
      ? dice.int(10_000, 150_000)
      : dice.latency(deliveryMs);
    if (faults.strikes('jam', troublePerDelivery)) {
      const code = dice.pick(failures);
      this.#inMotion(takesMs, () => end({ kind: 'failed', selection, code }));
    } else if (faults.strikes('sensor_silent', troublePerDelivery)) {
      const isNoticed = dice.happens(0.3);
      this.#inMotion(takesMs, () => {
        if (dice.happens(0.7)) drop();
        if (isNoticed) end({ kind: 'lost', selection, basis: 'no_result' });
      });
    } else if (faults.strikes('controller_reset', troublePerDelivery)) {
      this.#inMotion(takesMs, () => {
        if (dice.happens(0.5)) drop();
        end({ kind: 'lost', selection, basis: 'vmc_reset' });
      });
    } else {
      this.#inMotion(takesMs, () => {
        drop();
        end({ kind: 'delivered', selection });
      });
    }
  }

  #inMotion(takesMs: DurationMs, act: () => void): void {
    const cancel = this.#deps.timeline.after(takesMs, () => {
      this.#motions.delete(stop);
      act();
    });
    const stop = (): void => {
      this.#motions.delete(stop);
      cancel();
    };
    this.#motions.add(stop);
  }

  /** The controller's word on a delivery, if anybody still listens. */
  #end(bus: Bus, selection: number, event: HardwareEvent): void {
    if (this.#bus !== bus) return;
    if (this.#request?.selection === selection) this.#dropRequest();
    bus.events.put(event);
  }

  #dropRequest(): void {
    this.#request?.stopWait();
    this.#request = null;
  }
}

/** A controller without power. */
export function createController(deps: ControllerDeps): Controller {
  return new SimController(deps);
}
