/**
 * Starts one node: builds its rooms in order, stops them in reverse. No rule lives here.
 */
import { createServer, type Server } from 'node:http';
import type { Config } from '../config.ts';
import { createHealthServer, type PartHealth } from '../health.ts';
import type { Board } from '../order-board/board.ts';
import type { Coordinator } from '../purchase/coordinator.ts';
import type { Purchases } from '../purchase/purchases-port.ts';
import { Fault } from '../result.ts';
import type { SmppAccount } from '../smpp/account.ts';
import type { Store } from '../store/store.ts';
import { systemClock } from '../time.ts';
import { buildCore } from './core.ts';
import { buildEdges, type Rooms, type StartDeps } from './edges.ts';
import { buildPhones } from './phones.ts';

const HOUSEKEEPING_MS = 10_000;
const PARTITIONS_MS = 6 * 3_600_000;
const MOST_MOVED = 1000;

/** A running node. */
export type Running = {
  /** Where machines connect, and the admin port. */
  readonly httpPort: number;
  readonly adminPort: number;
  readonly store: Store;
  readonly board: Board;
  readonly purchases: Purchases;
  readonly coordinator: Coordinator;
  readonly accounts: readonly SmppAccount[];
  /** Drains and stops: new dialogs hear "maintenance", what runs is finished, then everything is closed. */
  stop(): Promise<void>;
};

/** Starts a node. @throws Fault when a port is taken or PostgreSQL cannot be reached. */
export async function start(config: Config, deps: StartDeps): Promise<Running> {
  const clock = deps.clock ?? systemClock;
  const { log } = deps;
  const rooms = buildEdges(config, deps, clock);
  const { store, board } = rooms;
  await store.checkServer();
  await store.makePartitions();
  await board.start().catch((error: unknown) => log.warn('board_not_ready', { error }));
  const core = buildCore(rooms);
  const phones = buildPhones(rooms, core);
  const chores = startChores(rooms);
  const http = createServer((_request, response) => response.writeHead(404).end());
  core.link.attach(http);
  let isClosed = true;
  const admin = createHealthServer({
    look: () => lookAt(rooms, phones.accounts),
    isClosed: () => isClosed,
    status: () => ({
      node: config.node,
      binds: phones.accounts.flatMap((each) => each.status()),
      figures: phones.figures(),
    }),
  });
  const httpPort = await listen(http, config.http);
  const adminPort = await listen(admin, config.admin);
  core.worker.start();
  core.deadlines.start();
  for (const account of phones.accounts) account.start();
  isClosed = false;
  log.info('started', { node: config.node, httpPort, adminPort });
  return {
    httpPort,
    adminPort,
    store,
    board,
    purchases: core.purchases,
    coordinator: core.coordinator,
    accounts: phones.accounts,
    stop: async () => {
      isClosed = true;
      await phones.drain();
      await core.link.close();
      await core.deadlines.stop();
      await core.worker.stop(config.drainMs);
      chores();
      await Promise.all([close(http), close(admin)]);
      await rooms.wallet.close();
      await board.close();
      await store.close();
      log.info('stopped', { node: config.node });
    },
  };
}

/** Moves ended purchases on and keeps partitions ahead; on every node, harmless on many. */
function startChores({ store, clock, log }: Rooms): () => void {
  let isStopped = false;
  const every = (ms: number, what: string, chore: () => Promise<unknown>): void => {
    clock.after(ms, () => {
      if (isStopped) return;
      chore()
        .catch((error: unknown) => log.warn('chore_failed', { what, error }))
        .finally(() => every(ms, what, chore));
    });
  };
  every(HOUSEKEEPING_MS, 'move_past', () => store.movePast(MOST_MOVED));
  every(PARTITIONS_MS, 'make_partitions', () => store.makePartitions());
  return () => {
    isStopped = true;
  };
}

async function lookAt(rooms: Rooms, accounts: readonly SmppAccount[]): Promise<readonly PartHealth[]> {
  const see = async (part: string, bad: 'degraded' | 'down', ping: () => Promise<void>): Promise<PartHealth> => {
    try {
      await ping();
      return { part, state: 'ok', reason: null };
    } catch (error) {
      return { part, state: bad, reason: error instanceof Fault ? error.code : 'failed' };
    }
  };
  const isBound = accounts.some((account) => account.status().some((bind) => bind.state === 'bound'));
  return Promise.all([
    see('journal', 'down', () => rooms.store.ping()),
    see('board', 'degraded', () => rooms.board.ping()),
    see('smpp', 'degraded', () => (isBound ? Promise.resolve() : Promise.reject(new Fault('no_bind', 'no')))),
  ]);
}

function listen(server: Server, at: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Fault('port_taken', 'no', error)));
    server.listen(at.port, at.host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : at.port);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
