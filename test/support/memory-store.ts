/**
 * The whole store in memory, for unit tests and simulation: the same ports as `createStore`, a clock handed in, no
 * timers, nothing random. Several nodes may share one world.
 */
import { createHmac } from 'node:crypto';
import type { MachineId, Msisdn } from '../../src/purchase/purchase.ts';
import type { Directory, RegisteredItem, RegisteredMachine, Subscribers } from '../../src/purchase/store-port.ts';
import { Fault } from '../../src/result.ts';
import { credentialMacOf, type Registry, type RegistryMachine } from '../../src/store/registry.ts';
import type { Store } from '../../src/store/store.ts';
import type { Clock, DurationMs } from '../../src/time.ts';
import { MemoryJournal } from './memory-journal.ts';
import { MemoryTables } from './memory-tables.ts';
import { testSecrets } from './store-builders.ts';

/** What a world needs. Leases and hot time as in `createStore`. */
export type MemoryWorldDeps = {
  readonly clock: Clock;
  readonly leaseMs?: DurationMs;
  readonly hotMs?: DurationMs;
};

/** One journal and the nodes that share it. */
export interface MemoryWorld {
  /** A node's store. `node`: owner of its leases, author of its events. */
  store(node: string): Store;
  /** The tables, for assertions. */
  readonly tables: MemoryTables;
  /** Transactions that wrote something, over all nodes. */
  readonly commits: { flushed: number; lazy: number };
  /** While false each call throws Fault `journal_unreachable`, happened no. */
  setReachable(isReachable: boolean): void;
}

/** The registry in memory: the last one applied of each machine, operator and product counts. */
class MemoryRegister implements Directory {
  readonly #tables: MemoryTables;
  readonly #reach: () => void;
  readonly #operators = new Map<number, Registry['operators'][number]>();
  readonly #prices = new Map<string, bigint | null>();
  readonly #machines = new Map<MachineId, RegistryMachine & { readonly macs: readonly string[] }>();

  constructor(tables: MemoryTables, reach: () => void) {
    this.#tables = tables;
    this.#reach = reach;
  }

  apply({ operators, products, machines }: Registry): void {
    this.#reach();
    for (const operator of operators) this.#operators.set(operator.id, operator);
    for (const { operatorId, name, priceMinor } of products) this.#prices.set(`${operatorId}/${name}`, priceMinor);
    for (const machine of machines) {
      const old = this.#machines.get(machine.id)?.macs ?? [];
      const mac = machine.key === null ? old[0] : credentialMacOf(testSecrets.machineSecret, machine.key);
      const macs = mac === undefined || mac === old[0] ? old : [mac, ...old.slice(0, 1)];
      this.#machines.set(machine.id, { ...machine, macs });
      const seqFloor = this.#tables.machines.get(machine.id)?.seqFloor ?? 0;
      this.#tables.machines.set(machine.id, { isSuspended: machine.isSuspended, seqFloor });
    }
  }

  #registered(found: (RegistryMachine & { readonly macs: readonly string[] }) | undefined): RegisteredMachine | null {
    const operator = found === undefined ? undefined : this.#operators.get(found.operatorId);
    if (found === undefined || operator === undefined) return null;
    const { id, number, operatorId, name, place, currency, priceMode, minMinor, maxMinor, isSuspended, macs } = found;
    const own = { number, operatorId, name, place, currency, priceMode, minMinor, maxMinor, isSuspended };
    const { account: operatorAccount, language } = operator;
    return { machineId: id, ...own, operatorAccount, credentialMacs: macs, language };
  }

  /** As `Store.hasPurchasesBesides`. */
  hasPurchasesBesides(operatorName: string): boolean {
    this.#reach();
    const kept = [...this.#tables.purchases.values(), ...this.#tables.past.values()];
    return kept.some(({ purchase }) => this.#operators.get(purchase.order.operatorId)?.name !== operatorName);
  }

  async machineByNumber(number: string): Promise<RegisteredMachine | null> {
    this.#reach();
    return this.#registered([...this.#machines.values()].find((machine) => machine.number === number));
  }

  async machineById(machineId: MachineId): Promise<RegisteredMachine | null> {
    this.#reach();
    return this.#registered(this.#machines.get(machineId));
  }

  async itemOf(machineId: MachineId, item: number | null): Promise<RegisteredItem | null> {
    this.#reach();
    const machine = this.#machines.get(machineId);
    const sold = machine?.items.find((one) => one.item === item);
    if (machine === undefined || sold === undefined) return null;
    const { productName, priceMinor } = sold;
    return { productName, priceMinor: priceMinor ?? this.#prices.get(`${machine.operatorId}/${productName}`) ?? null };
  }
}

/** Payers in memory, numbered in the order in which they are met. */
class MemorySubscribers implements Subscribers {
  readonly #reach: () => void;
  readonly #rows: { readonly msisdn: Msisdn; language: string | null }[] = [];
  readonly #pseudonyms = new Map<Msisdn, string>();

  constructor(reach: () => void) {
    this.#reach = reach;
  }

  async meet(msisdn: Msisdn): ReturnType<Subscribers['meet']> {
    this.#reach();
    let index = this.#rows.findIndex((row) => row.msisdn === msisdn);
    if (index < 0) index = this.#rows.push({ msisdn, language: null }) - 1;
    return { payerId: BigInt(index + 1), language: this.#rows[index]?.language ?? null };
  }

  async msisdnOf(payerId: bigint): Promise<Msisdn> {
    this.#reach();
    const row = this.#rows[Number(payerId) - 1];
    if (row === undefined) throw new Fault('subscriber_erased', 'no');
    return row.msisdn;
  }

  async setLanguage(payerId: bigint, language: string): Promise<void> {
    this.#reach();
    const row = this.#rows[Number(payerId) - 1];
    if (row !== undefined) row.language = language;
  }

  pseudonymOf(msisdn: Msisdn): string {
    const known = this.#pseudonyms.get(msisdn);
    if (known !== undefined) return known;
    const mac = createHmac('sha256', testSecrets.msisdnMacKey).update(`msisdn:${msisdn}`).digest('hex').slice(0, 32);
    this.#pseudonyms.set(msisdn, mac);
    return mac;
  }
}

const DEFAULT_LEASE_MS: DurationMs = 15_000;
const DEFAULT_HOT_MS: DurationMs = 30 * 60_000;

/** Creates an empty world. */
export function createMemoryWorld(deps: MemoryWorldDeps): MemoryWorld {
  const { clock, leaseMs = DEFAULT_LEASE_MS, hotMs = DEFAULT_HOT_MS } = deps;
  const tables = new MemoryTables();
  const commits = { flushed: 0, lazy: 0 };
  let isReachable = true;
  const reach = (): void => {
    if (!isReachable) throw new Fault('journal_unreachable', 'no');
  };
  const register = new MemoryRegister(tables, reach);
  const subscribers = new MemorySubscribers(reach);
  const onCommit = (kind: 'flushed' | 'lazy'): void => {
    commits[kind] += 1;
  };

  function store(node: string): Store {
    const purchases = new MemoryJournal({ tables, node, clock, leaseMs, reach, onCommit });
    return {
      purchases,
      directory: register,
      subscribers,
      reader: {
        timeline: async (id) => {
          reach();
          return [...(tables.events.get(id) ?? [])];
        },
      },
      applyRegistry: async (registry) => register.apply(registry),
      checkServer: async () => reach(),
      makePartitions: async () => reach(),
      movePast: async (limit) => purchases.movePast(limit, hotMs),
      ping: async () => reach(),
      hasPurchasesBesides: async (operatorName) => register.hasPurchasesBesides(operatorName),
      forgetDirectory: () => undefined,
      close: async () => undefined,
    };
  }

  return {
    store,
    tables,
    commits,
    setReachable(yes) {
      isReachable = yes;
    },
  };
}
