/**
 * A simulated machine on a fake clock against a scripted server, for the tests of the machine agent.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulatedMachine, type MachineOptions, type SimulatedMachine } from '../../../simulators/machine.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { settle, until } from './link-world.ts';
import type { PowerDisk } from './power-file.ts';
import type { RawFrame } from './raw-machine.ts';
import { RawServer } from './raw-server.ts';

/** An approval of the first order: item 7 for 500. */
export const approval = {
  orderSeq: 1,
  orderId: 'O1',
  approvalId: 'A9',
  amount: 500,
  currency: 'XOF',
  item: 7,
  validMs: 100_000,
};

/** A machine that sells item 7, its journal on a disk that can fail or lose the power at any write. */
export function machineOnDisk(server: RawServer, clock: FakeClock, disk: PowerDisk): SimulatedMachine {
  return createSimulatedMachine({
    machineId: 'machine-1',
    key: 'k',
    url: server.url,
    folder: '/nowhere',
    currency: 'XOF',
    goods: [{ item: 7, name: 'Water', price: 500n, stock: 9 }],
    clock,
    random: () => 0,
    openJournal: () => disk.powerOn(),
  });
}

/** What one test has at hand; made anew before each, with nothing left running after it. */
export class AgentBench {
  server = new RawServer();
  clock: FakeClock = createFakeClock();
  folder = '';
  #machine: SimulatedMachine | null = null;

  get machine(): SimulatedMachine {
    this.#machine ??= this.make();
    return this.#machine;
  }

  set machine(machine: SimulatedMachine) {
    this.#machine = machine;
  }

  async open(): Promise<void> {
    this.server = await new RawServer().open();
    this.clock = createFakeClock();
    this.folder = mkdtempSync(join(tmpdir(), 'relais-agent-'));
    this.#machine = this.make();
  }

  async close(): Promise<void> {
    this.machine.stall(false);
    this.machine.powerCut();
    await this.server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  make(over: Partial<MachineOptions> = {}): SimulatedMachine {
    return createSimulatedMachine({
      machineId: 'machine-1',
      key: 'k',
      url: this.server.url,
      folder: this.folder,
      currency: 'XOF',
      random: () => 0,
      goods: [
        { item: 7, name: 'Water', price: 500n, stock: 500 },
        { item: 8, name: 'Juice', price: 700n, stock: 500 },
        { item: 9, name: 'Free', price: 0n, stock: 9 },
        { item: 10, name: 'Unpriced', price: null, stock: 9 },
      ],
      clock: this.clock,
      ...over,
    });
  }

  async connected(over: Partial<MachineOptions> = {}): Promise<void> {
    this.machine = this.make(over);
    await this.machine.powerOn();
    const isAwake = over.staysConnected ?? true;
    if (isAwake) await until('ready', () => this.machine.status().agent?.link === 'ready');
  }

  /** An order of item 7 that the server has answered. */
  async waiting(over: Partial<MachineOptions> = {}): Promise<void> {
    await this.connected(over);
    this.machine.select(7);
    await until('waiting', () => this.machine.display === '*123*4567#');
  }

  async pass(ms: number, stepMs = 500): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await settle();
      await this.clock.advance(Math.min(stepMs, left));
    }
    await settle();
  }

  approve(over: object = {}): Promise<RawFrame> {
    return this.server.call('vend.approve', { ...approval, ...over });
  }
}

/** A bench for the tests of one `describe`. */
export function agentBench(): AgentBench {
  const bench = new AgentBench();
  beforeEach(() => bench.open());
  afterEach(() => bench.close());
  return bench;
}
