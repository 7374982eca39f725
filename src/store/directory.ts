/**
 * The directory of machines and products: read by key, kept in each node for a minute.
 */
import type { Row } from 'postgres';
import type { MachineId } from '../purchase/purchase.ts';
import type { Directory, RegisteredItem, RegisteredMachine } from '../purchase/store-port.ts';
import type { Clock, DurationMs } from '../time.ts';
import { createBoundedCache } from './bounded-cache.ts';
import type { JournalPool, Sql, Statement } from './journal-pool.ts';

/** The directory with its cache in hand. */
export type CachedDirectory = Directory & {
  /** Reads all anew from now on. */
  forgetAll(): void;
};

const CACHED_ENTRIES = 50_000;
const KNOWN_MS: DurationMs = 60_000;
/** A number that nobody registered may be registered any moment, while its payer dials again. */
const UNKNOWN_MS: DurationMs = 10_000;

function machineOfRow(row: Row): RegisteredMachine {
  return {
    machineId: row['id'] as string,
    number: row['number'] as string,
    operatorId: row['operator_id'] as number,
    operatorAccount: row['account'] as string,
    name: row['name'] as string,
    place: row['place'] as string,
    currency: row['currency'] as string,
    priceMode: row['price_mode'] as RegisteredMachine['priceMode'],
    minMinor: row['min_minor'] as bigint,
    maxMinor: row['max_minor'] as bigint,
    isSuspended: row['suspended'] as boolean,
    credentialMacs: row['credential_macs'] as string[],
    language: row['language'] as string,
  };
}

function machineColumns(sql: Sql): Statement {
  return sql`m.id, m.number, m.operator_id, o.account, m.name, m.place, m.currency, m.price_mode, m.min_minor, m.max_minor,
  m.suspended, m.credential_macs, o.language`;
}

/** Creates the directory over PostgreSQL. Faults: `journal_unreachable`; what is in memory is answered without it. */
export function createDirectory(pool: JournalPool, clock: Clock): CachedDirectory {
  const lifetimeOf = (value: unknown): DurationMs => (value === null ? UNKNOWN_MS : KNOWN_MS);
  const machines = createBoundedCache<RegisteredMachine | null>({ clock, entries: CACHED_ENTRIES, lifetimeOf });
  const items = createBoundedCache<RegisteredItem | null>({ clock, entries: CACHED_ENTRIES, lifetimeOf });

  async function machine(where: (sql: Sql) => Statement): Promise<RegisteredMachine | null> {
    const [row] = await pool.rows(
      (sql) =>
        sql`SELECT ${machineColumns(sql)} FROM machines m JOIN operators o ON o.id = m.operator_id WHERE ${where(sql)}`,
    );
    return row === undefined ? null : machineOfRow(row);
  }

  async function readItem(machineId: MachineId, item: number | null): Promise<RegisteredItem | null> {
    const [row] = await pool.rows(
      (sql) => sql`SELECT p.name, coalesce(i.price_minor, p.price_minor) AS price_minor
FROM machine_items i JOIN products p ON p.id = i.product_id
WHERE i.machine_id = ${machineId} AND ${item === null ? sql`i.item IS NULL` : sql`i.item = ${item}::int`}`,
    );
    if (row === undefined) return null;
    return { productName: row['name'] as string, priceMinor: row['price_minor'] as bigint | null };
  }

  return {
    machineByNumber: (number) => machines.get(`number:${number}`, () => machine((sql) => sql`m.number = ${number}`)),
    machineById: (machineId) => machines.get(`id:${machineId}`, () => machine((sql) => sql`m.id = ${machineId}`)),
    itemOf: (machineId, item) => items.get(`${machineId}:${item}`, () => readItem(machineId, item)),
    forgetAll() {
      machines.clear();
      items.clear();
    },
  };
}
