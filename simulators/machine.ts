/**
 * A whole simulated machine: the real machine agent on simulated hardware, with its journal in a folder, its own clock
 * and a radio that can be cut.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Agent, type AgentStatus, createAgent } from '../src/automaton-link/agent/agent.ts';
import { type AgentLog, type AgentTimers, defaultAgentTimers } from '../src/automaton-link/agent/agent-config.ts';
import { type Dial, dialWebSocket } from '../src/automaton-link/agent/dial.ts';
import { createJournalFile, type JournalFile } from '../src/automaton-link/agent/journal-file.ts';
import { exponentOf } from '../src/money.ts';
import type { Clock, DurationMs } from '../src/time.ts';
import { createMachineClock, type MachineClock } from './machine-clock.ts';
import { type Good, type HardwareFault, type HardwareNote, SimulatedHardware } from './machine-hardware.ts';
import { createCuttableLink } from './machine-link-cut.ts';

/**
 * Where the power can go: before the approval is in the journal; after `accepted` was sent, before the delivery is
 * journaled; when it is journaled, before the controller gets the go-ahead; when the good has dropped, before that is
 * journaled; when the result was answered, before that is noted.
 */
export type PowerCutPoint =
  | 'before_acceptance'
  | 'after_acceptance'
  | 'before_delivery'
  | 'after_delivery'
  | 'before_acknowledgement';

/** What a simulated machine is made of. */
export type MachineOptions = {
  readonly machineId: string;
  readonly key: string;
  /** `ws://127.0.0.1:port`. */
  readonly url: string;
  /** For the journal; made if it is not there. The journal is `<machineId>.journal`. */
  readonly folder: string;
  readonly currency: string;
  readonly goods: readonly Good[];
  readonly clock: Clock;
  /** True when left out; false: sleeps when idle, as a machine with a battery does. */
  readonly staysConnected?: boolean;
  readonly timers?: Partial<AgentTimers>;
  readonly deliveryTakesMs?: DurationMs;
  readonly dial?: Dial;
  /** 0 to below 1; the machine's own chance when left out. */
  readonly random?: () => number;
  /** Another journal than the file in the folder: a disk that fails, for tests. */
  readonly openJournal?: () => JournalFile;
  readonly onFrame?: (frame: { to: 'server' | 'machine'; text: string }) => void;
  readonly onNote?: (note: HardwareNote | { readonly kind: 'power'; readonly isOn: boolean }) => void;
  readonly log?: AgentLog;
};

/** What a simulated machine is doing; `agent` is null without power. */
export type MachineStatus = { readonly isOn: boolean; readonly isOnline: boolean; readonly agent: AgentStatus | null };

const silentLog: AgentLog = { note: () => undefined, alarm: () => undefined };

/** Lines of the journal before which a power cut may strike. */
const pointsOfLines: Readonly<Record<string, PowerCutPoint>> = {
  A: 'before_acceptance',
  D: 'after_acceptance',
  K: 'before_acknowledgement',
};

/** A simulated machine. It is off until `powerOn`. */
export class SimulatedMachine {
  readonly machineId: string;
  /** The keys and faults of the hardware that have no method of their own here. */
  readonly hardware: SimulatedHardware;
  readonly clock: MachineClock;
  readonly #options: MachineOptions;
  readonly #link;
  #agent: Agent | null = null;
  #cutPoint: PowerCutPoint | null = null;
  #cutFile: () => void = () => undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.machineId = options.machineId;
    this.clock = createMachineClock(options.clock);
    this.#link = createCuttableLink(options.dial ?? dialWebSocket);
    this.hardware = new SimulatedHardware({
      goods: options.goods,
      clock: this.clock,
      ...(options.deliveryTakesMs === undefined ? {} : { deliveryTakesMs: options.deliveryTakesMs }),
      onNote: (note) => options.onNote?.(note),
      onPoint: (point) => this.#pass(point),
    });
  }

  /** Boots from the journal in the folder. Harmless when it is on. @throws Fault as `createAgent`. */
  async powerOn(): Promise<void> {
    if (this.#agent !== null) return;
    const { machineId, key, url, currency } = this.#options;
    const agent = createAgent({
      config: {
        ...defaultAgentTimers,
        ...this.#options.timers,
        machineId,
        url,
        keys: [key],
        currency,
        exponent: exponentOf(currency),
        firmware: 'simulated 1',
        staysConnected: this.#options.staysConnected ?? true,
      },
      hardware: this.hardware,
      journalFile: this.#journalFile(),
      clock: this.clock,
      dial: this.#link.dial,
      random: this.#options.random ?? Math.random,
      newId: randomUUID,
      log: this.#options.log ?? silentLog,
      onFrame: (frame) => this.#options.onFrame?.(frame),
    });
    this.#agent = agent;
    this.#options.onNote?.({ kind: 'power', isOn: true });
    await agent.start();
  }

  /** The power goes: no word, no write. What is in the journal is all that is left. */
  powerCut(): void {
    const agent = this.#agent;
    if (agent === null) return;
    this.#agent = null;
    agent.kill();
    this.hardware.powerOff();
    this.#cutFile();
    this.#options.onNote?.({ kind: 'power', isOn: false });
  }

  /** The power goes the next time this point is reached; null: it does not. */
  powerCutAt(point: PowerCutPoint | null): void {
    this.#cutPoint = point;
  }

  /** Ends in order. */
  async stop(): Promise<void> {
    const agent = this.#agent;
    this.#agent = null;
    await agent?.stop();
  }

  /** A product key; see `SimulatedHardware.select`. */
  select(item: number): boolean {
    return this.hardware.select(item);
  }

  /** The cancel key. */
  cancel(): void {
    this.hardware.cancel();
  }

  /** What goes wrong at each delivery from now on; null: nothing any more. */
  setFault(fault: HardwareFault | null): void {
    this.hardware.setFault(fault);
  }

  /** The radio is cut: the server sees nothing but silence. */
  goOffline(): void {
    this.#link.setOnline(false);
  }

  /** The radio is back, and the machine connects. */
  goOnline(): void {
    this.#link.setOnline(true);
    this.#agent?.contact();
  }

  /** TCP lives, nothing passes. */
  stall(isStalled: boolean): void {
    this.#link.setStalled(isStalled);
  }

  /** Time passes at this machine alone. */
  skip(ms: DurationMs): void {
    this.clock.skip(ms);
  }

  /** Goods that left, by the machine's own count; see `SimulatedHardware.dropped`. */
  dropped(item?: number): number {
    return this.hardware.dropped(item);
  }

  /** What the display shows; empty without power. */
  get display(): string {
    return this.hardware.shown;
  }

  status(): MachineStatus {
    return { isOn: this.#agent !== null, isOnline: this.#link.isOnline, agent: this.#agent?.status() ?? null };
  }

  #pass(point: PowerCutPoint): void {
    if (this.#cutPoint !== point) return;
    this.#cutPoint = null;
    this.powerCut();
  }

  #openFile(): JournalFile {
    const { folder, machineId, openJournal } = this.#options;
    if (openJournal !== undefined) return openJournal();
    mkdirSync(folder, { recursive: true });
    return createJournalFile(join(folder, `${machineId}.journal`));
  }

  /** The journal, as long as there is power. */
  #journalFile(): JournalFile {
    const file = this.#openFile();
    let isDead = false;
    this.#cutFile = () => {
      isDead = true;
      file.close();
    };
    const guard = (): void => {
      if (isDead) throw new Error('no power');
    };
    return {
      read: () => file.read(),
      append: (text) => {
        const point = pointsOfLines[/"t":"([A-Z])"/.exec(text)?.[1] ?? ''];
        if (point !== undefined) this.#pass(point);
        guard();
        file.append(text);
      },
      sync: () => {
        guard();
        file.sync();
      },
      replace: (content) => {
        guard();
        file.replace(content);
      },
      close: () => file.close(),
    };
  }
}

/** A simulated machine, off. */
export function createSimulatedMachine(options: MachineOptions): SimulatedMachine {
  return new SimulatedMachine(options);
}
