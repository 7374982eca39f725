/**
 * A simulated machine: the real machine agent beside a simulated controller, on a disk and with a power supply that fail.
 */
import { type Agent, type AgentStatus, createAgent } from '../../src/automaton-link/agent/agent.ts';
import { type AgentLog, type AgentTimers, defaultAgentTimers } from '../../src/automaton-link/agent/agent-config.ts';
import { exponentOf } from '../../src/money.ts';
import { Fault } from '../../src/result.ts';
import type { DurationMs } from '../../src/time.ts';
import type { Dice } from './chance.ts';
import { createDisk, type Disk, type DiskDeps } from './disk.ts';
import type { FaultPlan } from './faults.ts';
import { type Controller, createController, type Delivering, type SimGood } from './hardware.ts';
import { createLife, type Life } from './life.ts';
import { createJournalWatch, type JournalWatch } from './machine-journal.ts';
import type { MachineNetwork } from './machine-wire.ts';
import type { MachineNotes } from './notes.ts';
import type { Timeline } from './timeline.ts';

/** Chance of a power cut in each waiting time, and in each delivery. */
const powerCutPerOrder = 0.01;
const wallJumpPerOrder = 0.005;
const newJournalPerBoot = 0.02;
/** Until somebody turns a machine off and on that is out of order. */
const serviceMs: DurationMs = 60_000;

/** What a machine is made of. */
export type SimMachineOptions = {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: FaultPlan;
  readonly network: MachineNetwork;
  readonly notes: MachineNotes;
  readonly trace: (line: string) => void;
  readonly machineId: string;
  readonly key: string;
  /** What a payer dials. */
  readonly number: string;
  readonly goods: readonly SimGood[];
  readonly currency: string;
  readonly timers?: Partial<AgentTimers>;
  /** True when left out; false: no socket between orders. */
  readonly staysConnected?: boolean;
  /** For tests: what happens at each write of the journal, instead of chance. */
  readonly planWrite?: DiskDeps['plan'];
};

/**
 * What the machine shows. `asking`: it waits for the server; `waiting`: the text to dial is there; `paid`: the go-ahead
 * was given; `denied`; `free`: choose a product; `dark`: no power.
 */
export type Shown = {
  readonly kind: 'asking' | 'waiting' | 'paid' | 'denied' | 'free' | 'dark';
  readonly text: string;
};

/** A machine. It is off until `powerOn`. */
export interface SimMachine {
  readonly machineId: string;
  readonly number: string;
  /** True when a key would begin an order and end none. */
  isFree(): boolean;
  /** A product key; pressed while an order waits, it replaces that order. False: nothing happens. */
  select(item: number): boolean;
  /** Cancel key, or coins; false: nothing waits. */
  withdraw(cause?: 'user' | 'cash'): boolean;
  /** Harmless when it is off. It comes back after `offMs`, by chance between seconds and an hour when left out. */
  powerCut(offMs?: DurationMs): void;
  /** Harmless when it is on. */
  powerOn(): void;
  isOn(): boolean;
  /** The end of faults: power and disk are good from now on. */
  repair(): void;
  /** What its program is doing; null without power. */
  status(): AgentStatus | null;
  /** Everybody who looks at the display. */
  onShown(listener: (shown: Shown) => void): void;
  /** Goods that dropped, by the controller's own count. */
  readonly dropCount: number;
  /** Writes of its journal so far. */
  readonly writeCount: number;
}

type Boot = { readonly life: Life; agent: Agent | null };

function shownOf(text: string): Shown {
  switch (text) {
    case '':
      return { kind: 'free', text };
    case 'Please wait':
      return { kind: 'asking', text };
    case 'Thank you':
      return { kind: 'paid', text };
    case 'Not available':
    case 'Not paid':
      return { kind: 'denied', text };
    default:
      return { kind: 'waiting', text };
  }
}

class Machine implements SimMachine {
  readonly machineId: string;
  readonly number: string;
  readonly #options: SimMachineOptions;
  readonly #disk: Disk;
  readonly #watch: JournalWatch;
  readonly #controller: Controller;
  readonly #listeners: ((shown: Shown) => void)[] = [];
  #boot: Boot | null = null;
  #bootCount = 0;
  #dropCount = 0;
  #isRepaired = false;
  #isServiceCalled = false;
  #approval: Delivering = { orderSeq: 0, approvalId: null };
  #cancelReturn: () => void = () => undefined;

  constructor(options: SimMachineOptions) {
    const { machineId, notes, timeline, dice, faults, goods, planWrite } = options;
    this.#options = options;
    this.machineId = machineId;
    this.number = options.number;
    this.#watch = createJournalWatch(machineId, notes);
    this.#disk = createDisk({
      timeline,
      dice,
      faults,
      onPowerCut: () => this.powerCut(),
      onDurable: (text) => this.#watch.durable(text),
      ...(planWrite === undefined ? {} : { plan: planWrite }),
    });
    this.#controller = createController({
      timeline,
      dice,
      faults,
      goods,
      delivering: () => this.#delivering(),
      onGoAhead: (goAhead) => {
        this.#trace(`go-ahead ${goAhead.orderSeq}`);
        notes.goAhead({ machineId, ...goAhead });
        this.#mayLosePower(6_000);
      },
      onDropped: (goAhead, droppedAtMs) => {
        this.#dropCount += 1;
        this.#trace(`dropped ${goAhead.orderSeq}`);
        notes.dropped({ machineId, ...goAhead, droppedAtMs });
      },
      onDisplay: (text) => this.#show(shownOf(text)),
    });
  }

  get dropCount(): number {
    return this.#dropCount;
  }

  get writeCount(): number {
    return this.#disk.writes;
  }

  isFree(): boolean {
    return this.#controller.isFree;
  }

  isOn(): boolean {
    return this.#boot !== null;
  }

  status(): AgentStatus | null {
    return this.#boot?.agent?.status() ?? null;
  }

  onShown(listener: (shown: Shown) => void): void {
    this.#listeners.push(listener);
  }

  select(item: number): boolean {
    const life = this.#boot?.life;
    if (life === undefined || !this.#controller.select(item)) return false;
    const { faults, dice, timeline } = this.#options;
    const maxWaitMs = this.#options.timers?.maxWaitMs ?? defaultAgentTimers.maxWaitMs;
    this.#trace(`selected ${item}`);
    this.#mayLosePower(maxWaitMs);
    if (faults.strikes('wall_jump', wallJumpPerOrder)) {
      const byMs = dice.pick([-3_600_000, -10_000, 10_000, 3_600_000]);
      timeline.after(dice.float() * maxWaitMs, () => life.jumpWall(byMs));
    }
    return true;
  }

  withdraw(cause: 'user' | 'cash' = 'user'): boolean {
    return this.#controller.withdraw(cause);
  }

  repair(): void {
    this.#isRepaired = true;
    this.#disk.repair();
    if (this.status()?.outOfOrder === 'storage') this.powerCut(0);
    this.powerOn();
  }

  // -- power ---------------------------------------------------------------------------------------------------------

  powerCut(offMs: DurationMs = this.#someTimeOff()): void {
    const boot = this.#boot;
    if (boot === null) return;
    this.#boot = null;
    this.#trace('power off');
    boot.life.kill();
    boot.agent?.kill();
    this.#controller.powerCut();
    this.#disk.powerCut();
    this.#show({ kind: 'dark', text: '' });
    this.#cancelReturn = this.#options.timeline.after(offMs, () => this.powerOn());
  }

  powerOn(): void {
    if (this.#boot !== null) return;
    this.#cancelReturn();
    const { faults, timeline, dice, machineId } = this.#options;
    if (this.#bootCount > 0 && faults.strikes('journal_replaced', newJournalPerBoot)) {
      this.#disk.replace();
      this.#watch.lost();
    }
    this.#bootCount += 1;
    this.#trace(`power on ${this.#bootCount}`);
    const life = createLife(`${machineId}#${this.#bootCount}`, timeline, dice.int(0, 1_000_000));
    const boot: Boot = { life, agent: null };
    this.#boot = boot;
    try {
      boot.agent = this.#agentOf(life);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'journal_write_failed') throw error;
      // The power went during the boot, or the disk does not write: off, and on again later.
      if (this.#boot === boot) this.powerCut();
      return;
    }
    this.#isServiceCalled = false;
    void boot.agent.start();
  }

  #someTimeOff(): DurationMs {
    const { dice } = this.#options;
    const share = dice.float();
    if (share < 0.6) return dice.int(1_000, 20_000);
    return share < 0.9 ? dice.int(20_000, 300_000) : dice.int(300_000, 3_000_000);
  }

  #mayLosePower(withinMs: DurationMs): void {
    const { faults, dice, timeline } = this.#options;
    const boot = this.#boot;
    if (!faults.strikes('power_cut', powerCutPerOrder)) return;
    timeline.after(dice.float() * withinMs, () => {
      if (this.#boot === boot && !this.#isRepaired) this.powerCut();
    });
  }

  /** A machine out of order is turned off and on by somebody, some time. */
  #callService(): void {
    const boot = this.#boot;
    if (this.#isServiceCalled || boot === null) return;
    this.#isServiceCalled = true;
    const { timeline, dice } = this.#options;
    timeline.after(dice.latency(serviceMs), () => {
      if (this.#boot === boot) this.powerCut(dice.int(1_000, 5_000));
    });
  }

  // -- the program ---------------------------------------------------------------------------------------------------

  #agentOf(life: Life): Agent {
    const { machineId, key, currency, timers, staysConnected, network, dice } = this.#options;
    const boot = this.#bootCount.toString(36);
    let names = 0;
    const log: AgentLog = {
      note: () => undefined,
      alarm: (event) => {
        this.#trace(`alarm ${event}`);
        if (event === 'journal_failed') this.#callService();
      },
    };
    return createAgent({
      config: {
        ...defaultAgentTimers,
        ...timers,
        machineId,
        url: 'wss://relais',
        keys: [key],
        currency,
        exponent: exponentOf(currency),
        firmware: 'simulated 2',
        staysConnected: staysConnected ?? true,
      },
      hardware: this.#controller.portOf(life),
      journalFile: this.#watch.watched(this.#disk.open()),
      clock: life.clock,
      dial: network.dialFrom(life),
      random: () => dice.float(),
      newId: () => {
        names += 1;
        return `${boot}-${names.toString(36)}`;
      },
      log,
      onFrame: ({ to, text }) => {
        this.#trace(to === 'server' ? `> ${text}` : `< ${text}`);
        if (to === 'machine') this.#hear(text);
      },
    });
  }

  #hear(text: string): void {
    if (!text.includes('"vend.approve"')) return;
    const orderSeq = Number(/"orderSeq":(\d+)/.exec(text)?.[1]);
    const approvalId = /"approvalId":"([^"]+)"/.exec(text)?.[1] ?? '';
    this.#approval = { orderSeq, approvalId };
    this.#options.notes.approvalPut(this.machineId, orderSeq, approvalId);
  }

  /** The go-ahead is given in the step in which its approval came. */
  #delivering(): Delivering {
    const orderSeq = this.status()?.order?.orderSeq ?? 0;
    return orderSeq === this.#approval.orderSeq ? this.#approval : { orderSeq, approvalId: null };
  }

  #show(shown: Shown): void {
    for (const listener of this.#listeners) listener(shown);
  }

  #trace(line: string): void {
    this.#options.trace(`${this.machineId} ${line}`);
  }
}

/** A machine that is off, with an empty journal. */
export function createSimMachine(options: SimMachineOptions): SimMachine {
  return new Machine(options);
}
