/**
 * The machine link on a real HTTP server with real WebSockets; board and purchases in memory, one clock moved by hand.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulatedMachine, type MachineOptions, type SimulatedMachine } from '../../../simulators/machine.ts';
import {
  defaultMachineLinkConfig,
  type LinkLog,
  type MachineLinkConfig,
} from '../../../src/automaton-link/server/link-config.ts';
import type { RefusedUpgrade } from '../../../src/automaton-link/server/link-server.ts';
import { machineKeyMac } from '../../../src/automaton-link/server/machine-key.ts';
import {
  createMachineLink,
  type LateAnswer,
  type MachineLink,
} from '../../../src/automaton-link/server/machine-link.ts';
import type { OrderBoard, Presence } from '../../../src/purchase/order-board-port.ts';
import type { Order } from '../../../src/purchase/purchase.ts';
import type { Directory, RegisteredItem, RegisteredMachine } from '../../../src/purchase/store-port.ts';
import { Fault } from '../../../src/result.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createMemoryRedis, type MemoryRedis } from '../../support/memory-order-board.ts';
import { FakePurchases } from './fake-purchases.ts';

/** Under which the server of the tests hashes machines' keys. */
export const serverSecret = 'secret of the test';
/** Key of every machine of the tests. */
export const machineKey = 'k'.repeat(43);

/** A machine as registered; `machine-1` with number 4567 in XOF, between 50 and 5000. */
export function aMachine(over: Partial<RegisteredMachine> = {}): RegisteredMachine {
  return {
    machineId: 'machine-1',
    number: '4567',
    operatorId: 1,
    operatorAccount: 'operator-1',
    name: 'Machine 1',
    place: 'Hall',
    currency: 'XOF',
    priceMode: 'machine',
    minMinor: 50n,
    maxMinor: 5_000n,
    isSuspended: false,
    credentialMacs: [machineKeyMac(serverSecret, machineKey)],
    language: 'fr',
    ...over,
  };
}

/** An order of `machine-1` as a purchase has it. */
export function anOrder(over: Partial<Order> = {}): Order {
  return {
    machineId: 'machine-1',
    machineNumber: '4567',
    operatorId: 1,
    operatorAccount: 'operator-1',
    orderSeq: 1,
    orderId: 'O1',
    item: 7,
    productName: 'Water',
    price: { minor: 500n, currency: 'XOF' },
    deliveryMs: 60_000,
    ...over,
  };
}

class TestDirectory implements Directory {
  readonly machines = new Map<string, RegisteredMachine>();
  readonly items = new Map<string, RegisteredItem>();
  isAway = false;

  machineByNumber(): Promise<RegisteredMachine | null> {
    return Promise.resolve(null);
  }
  machineById(machineId: string): Promise<RegisteredMachine | null> {
    if (this.isAway) return Promise.reject(new Fault('journal_unreachable', 'no'));
    return Promise.resolve(this.machines.get(machineId) ?? null);
  }
  itemOf(machineId: string, item: number | null): Promise<RegisteredItem | null> {
    return Promise.resolve(this.items.get(`${machineId}/${item}`) ?? null);
  }
}

/** Frame as seen at the server. */
export type SeenFrame = { readonly machineId: string; readonly to: 'machine' | 'server'; readonly text: string };

/** Lets sockets and promises do what needs no time. */
export async function settle(turns = 12): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until it holds; for what sockets bring about without any clock. @throws Error after 5 s of real time. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const startedMs = performance.now();
  while (!holds()) {
    if (performance.now() - startedMs > 5_000) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The link with all around it. */
export type LinkWorld = {
  readonly clock: FakeClock;
  readonly redis: MemoryRedis;
  readonly board: OrderBoard;
  readonly presence: Presence;
  readonly purchases: FakePurchases;
  readonly directory: TestDirectory;
  readonly link: MachineLink;
  readonly http: Server;
  readonly url: string;
  readonly frames: SeenFrame[];
  readonly refused: RefusedUpgrade[];
  readonly late: LateAnswer[];
  readonly woken: string[];
  readonly logged: { event: string; fields: Readonly<Record<string, unknown>> }[];
  readonly folder: string;
  /** Time passes, second by second, so that pings are answered meanwhile. */
  pass(ms: number, stepMs?: number): Promise<void>;
  /** A simulated machine at this link, off, ended with the world. */
  machine(over?: Partial<MachineOptions>): SimulatedMachine;
  /** Actions of the calls seen, in order: `>hello` to the server, `<vend.approve` to the machine. */
  calls(): string[];
  close(): Promise<void>;
};

/**
 * No frame to a machine has anything like a phone number: 8 to 15 digits that are not part of a name of ours.
 * @throws Error that quotes the frame.
 */
export function expectNoNumbers(frames: readonly SeenFrame[]): void {
  for (const { to, text } of frames) {
    const bare = text.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-Z]{26}/g, '');
    if (to === 'machine' && /\d{8,15}/.test(bare)) throw new Error(`a number went to a machine: ${text}`);
  }
}

/** Opens a world. `machines`: registered; `machine-1` alone when left out. */
export async function openWorld(
  config: Partial<MachineLinkConfig> = {},
  machines: readonly RegisteredMachine[] = [aMachine()],
): Promise<LinkWorld> {
  const clock = createFakeClock();
  const redis = createMemoryRedis(clock);
  const boards = redis.board('node-1');
  await boards.start();
  const purchases = new FakePurchases();
  const directory = new TestDirectory();
  for (const machine of machines) directory.machines.set(machine.machineId, machine);
  const frames: SeenFrame[] = [];
  const refused: RefusedUpgrade[] = [];
  const late: LateAnswer[] = [];
  const woken: string[] = [];
  const logged: LinkWorld['logged'] = [];
  const write = (event: string, fields: Readonly<Record<string, unknown>>): void => {
    logged.push({ event, fields });
  };
  const log: LinkLog = { info: write, warn: write, error: write };
  const link = createMachineLink({
    config: { ...defaultMachineLinkConfig, ...config },
    clock,
    newId: randomUUID,
    random: Math.random,
    board: boards.orders,
    presence: boards.presence,
    purchases,
    directory,
    waker: { machineReady: (machineId) => woken.push(machineId) },
    serverSecret,
    log,
    onLateAnswer: (answer) => late.push(answer),
    onRejected: (one) => refused.push(one),
    onFrame: (frame) => frames.push(frame),
  });
  const http = createServer();
  link.attach(http);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = `ws://127.0.0.1:${address.port}`;
  const folder = mkdtempSync(join(tmpdir(), 'relais-machine-'));
  const made: SimulatedMachine[] = [];
  return {
    clock,
    redis,
    board: boards.orders,
    presence: boards.presence,
    purchases,
    directory,
    link,
    http,
    url,
    frames,
    refused,
    late,
    woken,
    logged,
    folder,
    pass: async (ms, stepMs = 500) => {
      for (let left = ms; left > 0; left -= stepMs) {
        await settle();
        await clock.advance(Math.min(stepMs, left));
      }
      await settle();
    },
    machine: (over = {}) => {
      const machine = createSimulatedMachine({
        machineId: 'machine-1',
        key: machineKey,
        url,
        folder,
        currency: 'XOF',
        goods: [
          { item: 7, name: 'Water', price: 500n, stock: 9 },
          { item: 8, name: 'Juice', price: 700n, stock: 9 },
          { item: 9, name: 'Free', price: 0n, stock: 9 },
          { item: 10, name: 'Unpriced', price: null, stock: 9 },
        ],
        clock,
        random: () => 0,
        ...over,
      });
      made.push(machine);
      return machine;
    },
    calls: () =>
      frames.flatMap(({ to, text }) => {
        const action = /^\[2,"[^"]+","([^"]+)"/.exec(text)?.[1];
        return action === undefined ? [] : [`${to === 'server' ? '>' : '<'}${action}`];
      }),
    close: async () => {
      expectNoNumbers(frames);
      for (const machine of made) {
        machine.stall(false);
        machine.powerCut();
      }
      const closing = link.close();
      await settle(4);
      await clock.advance(5_000);
      await closing;
      await boards.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
