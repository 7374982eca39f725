/**
 * The storm's world: PostgreSQL, Redis, payment centre, two gateway nodes and the machines as processes that can be
 * killed and stopped, the phones' network in this process, and a wire of our own between any two of them.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CURRENCY } from '../../../simulators/cast.ts';
import { createLedgerReader } from '../../../simulators/ledger-reader.ts';
import { type Smsc, startSmsc } from '../../../simulators/smsc.ts';
import { newMachineKey } from '../../../src/automaton-link/server/machine-key.ts';
import { type ChildProcess, startChild } from '../../../src/composition/child-process.ts';
import type { Engines } from '../../../src/composition/demo-engines.ts';
import {
  drawSecrets,
  freePort,
  gatewaySettings,
  type RunSecrets,
  registerMachines,
} from '../../../src/composition/demo-house.ts';
import { type PostgresAddress, type PostgresServer, postgresUrl } from '../../../src/engines/postgres-server.ts';
import type { RedisServer } from '../../../src/engines/redis-server.ts';
import type { CentreConfigInput } from '../../../src/payment/centre/centre-config.ts';
import { migrate } from '../../../src/store/migrate.ts';
import type { DurationMs } from '../../../src/time.ts';
import { startOwnPostgres, startOwnRedis } from '../../support/servers.ts';
import { createMachineHall, type HallPlan, type MachineHall } from './machine-hall.ts';
import { drawPayers, GOODS, openAccounts, registryOf, type StormPayer } from './storm-people.ts';
import { openReader, type Reader } from './storm-reader.ts';
import { layWire, type Wire } from './wire.ts';

const BIND_MS: DurationMs = 30_000;

/** Who a wire of a node leads to. */
export const parties = ['postgres', 'redis', 'centre', 'machines', 'smsc'] as const;
/** One of them. */
export type Party = (typeof parties)[number];

/** A process of ours: down, it is started again by `start`. `pid` changes with each start. */
export type Victim = {
  readonly pid: () => number;
  /** False once it has ended, be it by itself. */
  isRunning(): boolean;
  kill9(): Promise<void>;
  start(): Promise<void>;
};

/** A node with its wires. */
export type StormNode = Victim & { readonly name: string; readonly wires: Readonly<Record<Party, Wire>> };

/** How long things take, and how many there are. */
export type StormScale = {
  readonly machines: number;
  readonly halls: number;
  readonly plan: 'hold_capture' | 'debit_refund';
  readonly maxWaitMs: DurationMs;
  readonly inDoubtMs: DurationMs;
  /** No stall lasts longer. */
  readonly longestStallMs: DurationMs;
  /** Logs of the processes go here; null: nowhere. */
  readonly logs: string | null;
};

/** A running world. */
export type StormWorld = {
  readonly scale: StormScale;
  readonly payers: readonly StormPayer[];
  readonly smsc: Smsc;
  readonly nodes: readonly StormNode[];
  readonly centre: Victim;
  readonly redis: Victim & { wipe(): Promise<void> };
  readonly database: Victim;
  readonly halls: readonly MachineHall[];
  /** The journal and the ledger as an outsider reads them, by no wire that is ever cut. */
  readonly journal: Reader;
  readonly ledger: Reader;
  /** The ledger's own check, by the centre's face for tellers. @throws while the centre is away */
  verify(): Promise<readonly string[]>;
  close(): Promise<void>;
};

/** Opens the world; what was started before a failure is stopped. */
export async function openStormWorld(scale: StormScale): Promise<StormWorld> {
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closing.splice(0).toReversed()) await each().catch(() => undefined);
  };
  try {
    return await build(scale, closing, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Stops a process for so long. A shell of its own wakes it, so that nothing stays stopped when we are killed. */
export async function stopFor(pid: number, ms: DurationMs): Promise<void> {
  const seconds = (ms / 1000).toFixed(3);
  const waker = spawn('/bin/sh', ['-c', 'sleep $2; kill -CONT $1', 'stop-for', String(pid), seconds], {
    stdio: 'ignore',
    detached: true,
  });
  const woken = new Promise((resolve) => {
    waker.once('close', resolve);
  });
  signal(pid, 'SIGSTOP');
  await woken;
}

function isAlive(pid: number): boolean {
  try {
    return pid > 1 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** To one process, never to a group; harmless when it is gone. */
function signal(pid: number, name: NodeJS.Signals): void {
  if (pid <= 1) return;
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}

type Place = {
  readonly scale: StormScale;
  readonly secrets: RunSecrets;
  readonly folder: string;
  readonly closing: (() => Promise<void>)[];
  readonly database: PostgresServer;
  readonly redis: RedisServer;
};

async function build(
  scale: StormScale,
  closing: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<StormWorld> {
  const database = await startOwnPostgres();
  closing.push(() => database.stop());
  const redis = await startOwnRedis();
  closing.push(() => redis.stop());
  await migrate(database.addressOf('relais_owner', 'relais'));
  const folder = await mkdtemp(join(tmpdir(), 'relais-storm-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const place: Place = { scale, secrets: drawSecrets(), folder, closing, database, redis };
  const payers = drawPayers(scale);
  const keys = new Map(payers.map(({ machineId }) => [machineId, newMachineKey()]));
  await registerMachines(enginesOf(place, null), place.secrets, registryOf(payers, keys));

  const centre = await openCentre(place);
  await openAccounts(centre.adminUrl, place.secrets.adminToken, payers);
  const smsc = await startSmsc({ port: 0, accounts: { relais: place.secrets.smppPassword }, receipts: null });
  closing.push(() => smsc.close());
  const nodes = await openNodes(place, centre.port, smsc.port);
  await smsc.bound(BIND_MS);
  const front = await layWire(
    nodes.map(({ httpPort }) => ({ host: '127.0.0.1', port: httpPort })),
    WIRE_DELAYS_MS.machines,
  );
  closing.push(() => front.close());
  const halls = await openHalls(place, payers, keys, front);
  const journal = openReader(database.addressOf('relais_owner', 'relais'));
  const ledger = openReader(database.addressOf('centre_owner', 'relais_centre'));
  closing.push(
    () => journal.close(),
    () => ledger.close(),
  );
  return {
    scale,
    payers,
    smsc,
    nodes: nodes.map((node) => ({ ...node, wires: { ...node.wires, machines: front } })),
    centre,
    redis: {
      pid: () => redis.pid,
      isRunning: () => isAlive(redis.pid),
      kill9: () => redis.kill9(),
      start: () => redis.restart(),
      wipe: () => wipe(redis.socketPath),
    },
    database: {
      pid: () => database.pid,
      isRunning: () => isAlive(database.pid),
      // Immediate shutdown: what a power cut leaves, with its children gone.
      kill9: () => Promise.resolve(signal(database.pid, 'SIGQUIT')),
      start: () => database.restart(),
    },
    halls,
    journal,
    ledger,
    verify: () => createLedgerReader(centre.adminUrl, place.secrets.adminToken, CURRENCY).verify(),
    close,
  };
}

/** So that each state lasts long enough to be struck in. */
const WIRE_DELAYS_MS: Readonly<Record<Party, DurationMs>> = {
  postgres: 0,
  redis: 0,
  centre: 350,
  machines: 300,
  smsc: 0,
};

/** The servers as the product reaches them: by these wires, or without any. */
function enginesOf({ database, redis }: Place, wires: { postgres: Wire; redis: Wire } | null): Engines {
  const by = (address: PostgresAddress): PostgresAddress =>
    wires === null ? address : { ...address, host: '127.0.0.1', port: wires.postgres.port };
  const journal = by(database.addressOf('relais_app', 'relais'));
  return {
    journal,
    journalUrl: postgresUrl(journal),
    ledgerUrl: postgresUrl(database.addressOf('centre_owner', 'relais_centre')),
    ledgerAppUrl: postgresUrl(database.addressOf('centre_app', 'relais_centre')),
    redisUrl: wires === null ? `unix://${redis.socketPath}` : `redis://127.0.0.1:${wires.redis.port}`,
    isGivenJournal: false,
    wipeRedis: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}

function lineWriter({ scale, closing }: Place, name: string): (line: string) => void {
  if (scale.logs === null) return () => undefined;
  mkdirSync(scale.logs, { recursive: true });
  const file = createWriteStream(join(scale.logs, `${name}.log`));
  closing.push(() => new Promise((resolve) => file.end(resolve)));
  return (line) => file.write(`${line}\n`);
}

/** A process that is started again and again. */
async function victimOf(closing: (() => Promise<void>)[], launch: () => Promise<ChildProcess>): Promise<Victim> {
  let child = await launch();
  closing.push(() => child.kill9());
  return {
    pid: () => child.pid,
    isRunning: () => isAlive(child.pid),
    kill9: () => child.kill9(),
    start: async () => {
      child = await launch();
    },
  };
}

async function openCentre(place: Place): Promise<Victim & { readonly port: number; readonly adminUrl: string }> {
  const { secrets, folder, closing } = place;
  const engines = enginesOf(place, null);
  const port = await freePort();
  const adminPort = await freePort();
  const centre: CentreConfigInput = {
    databaseUrl: engines.ledgerUrl,
    appDatabaseUrl: engines.ledgerAppUrl,
    listen: { port },
    admin: { token: secrets.adminToken, port: adminPort },
    clients: [{ id: 'relais', token: secrets.walletToken }],
    pepper: secrets.pepper,
    policy: { validationMs: 20_000 },
  };
  const onLine = lineWriter(place, 'centre');
  const victim = await victimOf(closing, () =>
    startChild({ name: 'centre', command: 'centre', settings: { centre }, folder, onLine }),
  );
  return { ...victim, port, adminUrl: `http://127.0.0.1:${adminPort}` };
}

type OpenNode = Omit<StormNode, 'wires'> & {
  readonly httpPort: number;
  readonly wires: Omit<StormNode['wires'], 'machines'>;
};

function openNodes(place: Place, centrePort: number, smscPort: number): Promise<readonly OpenNode[]> {
  const { scale, secrets, folder, closing, database, redis } = place;
  const open = async (name: string): Promise<OpenNode> => {
    const postgresSocket = join(database.addressOf('relais_app', 'relais').host, '.s.PGSQL.5432');
    const wires = {
      postgres: await layWire([{ path: postgresSocket }], WIRE_DELAYS_MS.postgres),
      redis: await layWire([{ path: redis.socketPath }], WIRE_DELAYS_MS.redis),
      centre: await layWire([{ host: '127.0.0.1', port: centrePort }], WIRE_DELAYS_MS.centre),
      smsc: await layWire([{ host: '127.0.0.1', port: smscPort }], WIRE_DELAYS_MS.smsc),
    };
    closing.push(...Object.values(wires).map((wire) => () => wire.close()));
    const httpPort = await freePort();
    const at = {
      walletUrl: `http://127.0.0.1:${wires.centre.port}`,
      smscPort: wires.smsc.port,
      httpPort,
      language: 'fr',
    };
    const base = gatewaySettings({ engines: enginesOf(place, wires), secrets, folder, onLine: () => undefined }, at);
    const settings = {
      ...base,
      node: name,
      payment: { ...base.payment, plan: scale.plan, cutoffMs: 5_000 },
      delivery: { inDoubtMs: scale.inDoubtMs, resultMarginMs: 5_000 },
      link: { marginMs: 2_000 },
      ussd: { paidAgainMs: 1_000 },
      drainMs: 2_000,
    };
    const onLine = lineWriter(place, name);
    const victim = await victimOf(closing, () => startChild({ name, command: 'serve', settings, folder, onLine }));
    return { ...victim, name, httpPort, wires };
  };
  return Promise.all(['relais-1', 'relais-2'].map(open));
}

async function openHalls(
  { scale, folder, closing }: Place,
  payers: readonly StormPayer[],
  keys: ReadonlyMap<string, string>,
  front: Wire,
): Promise<readonly MachineHall[]> {
  const halls = Array.from({ length: scale.halls }, (_, index) => {
    const plan: HallPlan = {
      url: `ws://127.0.0.1:${front.port}`,
      folder: join(folder, `hall-${index}`),
      currency: CURRENCY,
      machines: payers
        .filter(({ hall }) => hall === index)
        .map(({ machineId }) => ({ machineId, key: keys.get(machineId) ?? '' })),
      goods: GOODS,
      maxWaitMs: scale.maxWaitMs,
      deliveryMs: 10_000,
    };
    return createMachineHall(plan);
  });
  for (const hall of halls) closing.push(() => hall.kill9());
  await Promise.all(halls.map((hall) => hall.start()));
  return halls;
}

/** FLUSHALL, by the inline form of its protocol. */
function wipe(socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath, () => socket.write('FLUSHALL\r\n'));
    socket.once('error', reject);
    socket.once('data', () => {
      socket.destroy();
      resolve();
    });
  });
}
