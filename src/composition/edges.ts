/**
 * The rooms that speak to servers: journal, board and wallet.
 */
import { v7 } from 'uuid';
import type { OpenDoor } from '../automaton-link/server/link-server.ts';
import type { Config } from '../config.ts';
import { fieldsFirst, type Log } from '../log.ts';
import { type Board, createBoard } from '../order-board/board.ts';
import { createGsmaConnector } from '../payment/gsma.ts';
import type { PaymentPort } from '../purchase/payment-port.ts';
import { defaultRules, type Rules } from '../purchase/rules.ts';
import { Fault } from '../result.ts';
import { connectionOfUrl, type StoreConnection } from '../store/connection.ts';
import { createStore, type Store } from '../store/store.ts';
import type { Clock } from '../time.ts';
import { type Chance, systemChance } from './names.ts';

/** What a node is started with besides its configuration. */
export type StartDeps = {
  readonly log: Log;
  /** Default: the clock of this process. */
  readonly clock?: Clock;
  /** Servers found or started by the caller; they win over the configuration's URLs. */
  readonly database?: StoreConnection;
  readonly redis?: string;
  /** Counts the journal's commits; for tests and figures. */
  readonly onCommit?: (kind: 'flushed' | 'lazy') => void;
};

/** The rules' numbers from the configuration. */
export function rulesOf(config: Config): Rules {
  return {
    ...defaultRules,
    plan: config.payment.plan,
    validateMs: config.payment.wallet.budgets.authorizeMs,
    cutoffMs: config.payment.cutoffMs,
    settleGraceMs: config.payment.settleGraceMs,
    dispatchMarginMs: config.link.dispatchMarginMs,
    inDoubtMs: config.delivery.inDoubtMs,
    resultMarginMs: config.delivery.resultMarginMs,
  };
}

/** What is built first, and handed on. */
export type Rooms = {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly rules: Rules;
  readonly store: Store;
  readonly board: Board;
  readonly chance: Chance;
  readonly wallet: PaymentPort & { close(): Promise<void> };
  /** How machines come in; by WebSocket when left out. */
  readonly openDoor?: OpenDoor;
};

/** The journal of one node. @throws Fault `database_not_configured` */
export function buildStore(config: Config, deps: StartDeps, clock: Clock): Store {
  const database = deps.database ?? (config.database.url === null ? null : connectionOfUrl(config.database.url));
  if (database === null) throw new Fault('database_not_configured', 'no');
  return createStore({
    connection: database,
    // A new incarnation at each start, so that the leases of the dead one are told apart.
    node: `${config.node}:${v7().slice(-12)}`,
    clock,
    connections: config.database.connections,
    leaseMs: config.effects.leaseMs,
    secrets: {
      msisdnMacKey: Buffer.from(config.keys.msisdnMac, 'hex'),
      masterKeys: config.keys.msisdnMaster.map(({ id, key }) => ({ id, key: Buffer.from(key, 'hex') })),
      machineSecret: Buffer.from(config.keys.machineSecret, 'utf8'),
    },
    ...(deps.onCommit === undefined ? {} : { onCommit: deps.onCommit }),
  });
}

/** Journal, board and wallet: the rooms that speak to servers. */
export function buildEdges(config: Config, deps: StartDeps, clock: Clock): Rooms {
  const { log } = deps;
  const redis = deps.redis ?? config.redis.url;
  if (redis === null) throw new Fault('redis_not_configured', 'no');
  const store = buildStore(config, deps, clock);
  const board = createBoard({
    address: redis,
    node: config.node,
    clock,
    payerMac: (payer) => store.subscribers.pseudonymOf(payer),
    log: fieldsFirst(log),
  });
  const wallet = createGsmaConnector(config.payment.wallet, { clock });
  return { config, log, clock, rules: rulesOf(config), store, board, chance: systemChance, wallet };
}
