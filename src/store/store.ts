/**
 * The journal's room: purchases, the directory, payers and readers over one pool of connections to PostgreSQL.
 */
import type { Directory, JournalReader, PurchaseStore, Subscribers } from '../purchase/store-port.ts';
import { assert, Fault } from '../result.ts';
import type { Clock, DurationMs } from '../time.ts';
import { type CommitKind, createCommitCounter } from './commit-counter.ts';
import type { StoreConnection } from './connection.ts';
import { createDirectory } from './directory.ts';
import { createJournalPool } from './journal-pool.ts';
import { createJournalReader } from './journal-reader.ts';
import type { MsisdnKeys } from './msisdn-box.ts';
import { ensurePartitions, hasTomorrow, movePast } from './partitions.ts';
import { createPurchaseStore } from './purchase-store.ts';
import { applyRegistry, hasPurchasesBesides, type Registry } from './registry.ts';
import { checkServer } from './server-check.ts';
import { createSubscribers } from './subscribers.ts';

/** The server's secrets, 32 bytes each. `machineSecret`: under which machines' keys are hashed when registered. */
export type StoreSecrets = MsisdnKeys & { readonly machineSecret: Buffer };

/** What the room needs. */
export type StoreDeps = {
  /** The role without DDL. */
  readonly connection: StoreConnection;
  /** `node:incarnation`: owner of leases, and author of events. */
  readonly node: string;
  readonly clock: Clock;
  readonly secrets: StoreSecrets;
  /** Connections at most, default 12. */
  readonly connections?: number;
  /** First lease of effects that the committing node runs itself, default 15 s: the longest call budget and 3 s. */
  readonly leaseMs?: DurationMs;
  /** How long ended purchases stay at hand, default 30 min; at least 10 min, longer than any order lives. */
  readonly hotMs?: DurationMs;
  /** Told of each transaction that wrote something. */
  readonly onCommit?: (kind: CommitKind) => void;
};

/** The journal's room. Ports as in `store-port.ts`; the rest is for the composition root. */
export interface Store {
  readonly purchases: PurchaseStore;
  readonly directory: Directory;
  readonly subscribers: Subscribers;
  readonly reader: JournalReader;
  /** Writes operators, products and machines; idempotent. @throws Fault `registry_invalid`, its message a sentence for a person. */
  applyRegistry(registry: Registry): Promise<void>;
  /** Looks whether the server keeps what it says it kept: at start. @throws Fault `journal_not_durable`, its cause says why. */
  checkServer(): Promise<void>;
  /** Makes yesterday's to next week's partitions: at start, before the doors open, then daily. */
  makePartitions(): Promise<void>;
  /** Moves up to `limit` purchases that are over to the past; answers how many. Every 10 s, 1,000 at a time. */
  movePast(limit: number): Promise<number>;
  /** One round trip. @throws Fault `journal_unreachable`; `partition_missing` when tomorrow's is not there. */
  ping(): Promise<void>;
  /** True when there are purchases of any other operator than this one: a demo must not mix with them. */
  hasPurchasesBesides(operatorName: string): Promise<boolean>;
  /** Drops the copies of the directory in memory. */
  forgetDirectory(): void;
  close(): Promise<void>;
}

const DEFAULT_CONNECTIONS = 12;
const DEFAULT_LEASE_MS: DurationMs = 15_000;
const DEFAULT_HOT_MS: DurationMs = 30 * 60_000;
const LEAST_HOT_MS: DurationMs = 10 * 60_000;

/** Creates the room; connections are made at first use. @throws Bug for secrets of another length or too short a `hotMs`. */
export function createStore(deps: StoreDeps): Store {
  const { connection, node, clock, secrets, onCommit, leaseMs = DEFAULT_LEASE_MS, hotMs = DEFAULT_HOT_MS } = deps;
  assert(hotMs >= LEAST_HOT_MS, 'ended purchases stay at hand for 10 minutes at least');
  const pool = createJournalPool({ connection, clock, connections: deps.connections ?? DEFAULT_CONNECTIONS });
  const directory = createDirectory(pool, clock);
  const commits = createCommitCounter(onCommit);
  return {
    purchases: createPurchaseStore({ pool, clock, node, leaseMs, onCommit }),
    directory,
    subscribers: createSubscribers({ pool, clock, keys: secrets, onCommit }),
    reader: createJournalReader(pool),
    async applyRegistry(registry) {
      await applyRegistry(pool, registry, secrets.machineSecret);
      directory.forgetAll();
    },
    checkServer: () => checkServer(pool),
    makePartitions: () => ensurePartitions(pool, clock.wall()),
    movePast: (limit) => movePast(pool, commits, limit, hotMs),
    async ping() {
      if (!(await hasTomorrow(pool, clock.wall()))) throw new Fault('partition_missing', 'no');
    },
    hasPurchasesBesides: (operatorName) => hasPurchasesBesides(pool, operatorName),
    forgetDirectory: () => directory.forgetAll(),
    close: () => pool.close(),
  };
}
