/**
 * A whole node in this process, on real PostgreSQL, Redis, payment centre, SMPP and WebSockets, for one journey.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulatedMachine, type SimulatedMachine } from '../../simulators/machine.ts';
import { type Smsc, startSmsc } from '../../simulators/smsc.ts';
import { startWalletFaults, type WalletFaults } from '../../simulators/wallet-faults.ts';
import { newMachineKey } from '../../src/automaton-link/server/machine-key.ts';
import { type Running, start } from '../../src/composition/start.ts';
import { type ConfigInput, checkConfig } from '../../src/config.ts';
import type { Log } from '../../src/log.ts';
import { verifyLedger } from '../../src/payment/centre/verify.ts';
import { migrate } from '../../src/store/migrate.ts';
import { systemClock } from '../../src/time.ts';
import {
  CLIENT_TOKEN,
  OPERATOR,
  openTestWallet,
  startTestCentre,
  type TestCentre,
  type TestWallet,
} from '../payment/centre-for-test.ts';
import { freshDatabase, redisForTest, type TestDatabase } from '../support/servers.ts';

/** One line of the node's log. */
export type LoggedLine = {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** A node with all that stands around it. */
export type NodeForTest = {
  readonly running: Running;
  readonly smsc: Smsc;
  readonly wallet: WalletFaults;
  readonly centre: TestCentre;
  /** Machines by number; 1000 is the first. */
  readonly machines: ReadonlyMap<string, SimulatedMachine>;
  readonly commits: { flushed: number; lazy: number };
  readonly log: readonly LoggedLine[];
  openWallet(minor: bigint): Promise<TestWallet>;
  /** What does not add up in the ledger. */
  findings(): Promise<readonly unknown[]>;
  /** Minor units: what the payer has, what the operator has. */
  balanceOf(wallet: TestWallet): Promise<bigint>;
  /** The journal's. */
  readonly database: TestDatabase;
  /** Stops all but the payment centre; its database and the journal's are left for a look. */
  halt(): Promise<void>;
  /** Stops what runs, and removes all. */
  stop(): Promise<void>;
};

/** How the node differs from the usual one. */
export type NodeOptions = { readonly machineCount: number; readonly config?: Partial<ConfigInput> };

const PRICE = 500n;
const FIRST_NUMBER = 1000;

/** Starts everything. Machines sell item 1, `Café long`, for 500 F CFA. */
export async function startNodeForTest(options: NodeOptions): Promise<NodeForTest> {
  const database = await freshDatabase('journey');
  await migrate(database.owner);
  const redis = await redisForTest();
  const centre = await startTestCentre();
  const wallet = await startWalletFaults({ target: centre.centre.url, clock: systemClock });
  const smsc = await startSmsc({ port: 0 });
  const commits = { flushed: 0, lazy: 0 };
  const log: LoggedLine[] = [];
  const config = checkConfig({ ...settings(wallet.url, smsc.port), ...options.config });
  if (!config.ok) throw new Error(config.refusal.problems.join('\n'));
  const running = await start(config.value, {
    log: collecting(log),
    database: database.app,
    redis: 'path' in redis ? redis.path : `redis://${redis.host}:${redis.port}/${redis.db}`,
    onCommit: (kind) => {
      commits[kind] += 1;
    },
  });
  const folder = await mkdtemp(join(tmpdir(), 'relais-journey-'));
  const machines = await startMachines(running, options.machineCount, folder);
  await smsc.bound(20_000);
  let halted: Promise<void> | null = null;
  const haltAll = async (): Promise<void> => {
    await Promise.all([...machines.values()].map((machine) => machine.stop()));
    await running.stop();
    await smsc.close();
    await wallet.stop();
  };
  const halt = (): Promise<void> => {
    halted ??= haltAll();
    return halted;
  };
  return {
    running,
    smsc,
    wallet,
    centre,
    database,
    halt,
    machines,
    commits,
    log,
    openWallet: (minor) => openTestWallet(centre, minor),
    findings: () => verifyLedger(centre.owner),
    balanceOf: async ({ wallet: account }) => {
      const [row] = await centre.owner<{ posted: bigint }[]>`select posted from ledger.account where id = ${account}`;
      return row?.posted ?? 0n;
    },
    stop: async () => {
      await halt();
      await centre.stop();
      await dropDatabase(database, folder);
    },
  };
}

async function dropDatabase(database: TestDatabase, folder: string): Promise<void> {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
}

/** Settings of the node of the journeys, its engines not named. */
export function settings(walletUrl: string, smscPort: number): ConfigInput {
  return {
    node: 'journey-1',
    http: { port: 0 },
    admin: { port: 0 },
    keys: {
      msisdnMac: 'a'.repeat(64),
      msisdnMaster: [{ id: 'test', key: 'b'.repeat(64) }],
      machineSecret: 'secret-of-the-journeys',
    },
    smpp: {
      accounts: { operator: { smsSource: { ton: 0, npi: 1, addr: '123' } } },
      binds: [
        {
          account: 'operator',
          name: 'one',
          hosts: [{ host: '127.0.0.1', port: smscPort }],
          systemId: 'relais',
          password: 'secret',
          windowSize: 100,
        },
      ],
    },
    payment: { wallet: { id: 'centre', baseUrl: walletUrl, clientId: 'relais', token: CLIENT_TOKEN } },
  };
}

function collecting(lines: LoggedLine[]): Log {
  const keep = (level: string) => (event: string, fields: Readonly<Record<string, unknown>>) => {
    lines.push({ level, event, fields });
  };
  return { info: keep('info'), warn: keep('warn'), error: keep('error') };
}

async function startMachines(
  running: Running,
  count: number,
  folder: string,
): Promise<ReadonlyMap<string, SimulatedMachine>> {
  const numbers = Array.from({ length: count }, (_, index) => String(FIRST_NUMBER + index));
  const keys = new Map(numbers.map((number) => [number, newMachineKey()]));
  await running.store.applyRegistry({
    operators: [
      { id: 1, name: 'Snacks', account: OPERATOR, timeZone: 'Africa/Dakar', currency: 'XOF', language: 'fr' },
    ],
    products: [{ operatorId: 1, name: 'Café long', priceMinor: PRICE }],
    machines: numbers.map((number) => ({
      id: `journey-${number}`,
      number,
      operatorId: 1,
      name: 'Test',
      place: 'Hall',
      currency: 'XOF',
      priceMode: 'machine',
      minMinor: 1n,
      maxMinor: 100_000n,
      isSuspended: false,
      key: keys.get(number) ?? null,
      items: [{ item: 1, productName: 'Café long', priceMinor: PRICE }],
    })),
  });
  const machines = numbers.map((number): [string, SimulatedMachine] => [
    number,
    createSimulatedMachine({
      machineId: `journey-${number}`,
      key: keys.get(number) ?? '',
      url: `ws://127.0.0.1:${running.httpPort}`,
      folder: join(folder, number),
      currency: 'XOF',
      clock: systemClock,
      goods: [{ item: 1, name: 'Café long', price: PRICE, stock: 100 }],
      deliveryTakesMs: 20,
    }),
  ]);
  await Promise.all(machines.map(([, machine]) => machine.powerOn()));
  return new Map(machines);
}

/** Waits, looking every 20 ms, until it is so; says what was awaited when it does not come. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const untilMs = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > untilMs) throw new Error(`it did not happen within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

/** True when the machine has no order in play and owes no statement. */
export function isFree(machine: SimulatedMachine): boolean {
  const { agent } = machine.status();
  return agent !== null && agent.order === null && agent.unacked === 0;
}

/** True when the machine shows what to dial. */
export function isWaiting(machine: SimulatedMachine): boolean {
  return machine.status().agent?.order?.state === 'waiting' && machine.display.includes('*');
}
