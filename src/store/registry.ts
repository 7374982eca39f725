/**
 * Writing what operators register: operators, products, machines and what each machine sells.
 */
import { createHmac } from 'node:crypto';
import type { MachineId } from '../purchase/purchase.ts';
import type { RegisteredMachine } from '../purchase/store-port.ts';
import { Fault } from '../result.ts';
import { type JournalPool, RowRefused, type Sql, type Statement } from './journal-pool.ts';

/** A vending operator. `account`: his name at the payment centre; `timeZone`: an IANA name, whose days his sales count by. */
export type RegistryOperator = {
  readonly id: number;
  readonly name: string;
  readonly account: string;
  readonly timeZone: string;
  readonly currency: string;
  readonly language: string;
};

/** A product of an operator, named once. `priceMinor`: null where only the machine knows. */
export type RegistryProduct = {
  readonly operatorId: number;
  readonly name: string;
  readonly priceMinor: bigint | null;
};

/** What a machine sells under a selection; `item` null: the one thing it sells. `priceMinor`: null for the product's. */
export type RegistryItem = {
  readonly item: number | null;
  readonly productName: string;
  readonly priceMinor: bigint | null;
};

/** A machine. `key`: its credential in clear, kept only as a hash; null leaves the credentials as they are. */
export type RegistryMachine = Pick<
  RegisteredMachine,
  'number' | 'operatorId' | 'name' | 'place' | 'currency' | 'priceMode' | 'minMinor' | 'maxMinor' | 'isSuspended'
> & {
  readonly id: MachineId;
  readonly key: string | null;
  readonly items: readonly RegistryItem[];
};

/** A whole registry, or a part of one: what is not named stays as it is, but a named machine sells exactly its items. */
export type Registry = {
  readonly operators: readonly RegistryOperator[];
  readonly products: readonly RegistryProduct[];
  readonly machines: readonly RegistryMachine[];
};

/** What may be wrong with a registry: a sentence for a person stands in `message`. */
class RegistryFault extends Fault {
  constructor(sentence: string) {
    super('registry_invalid', 'no');
    this.message = sentence;
  }
}

/** A machine's credential as it is kept and compared: HMAC-SHA-256 of the key's UTF-8 under the server's secret, hexadecimal. */
export function credentialMacOf(machineSecret: Buffer, key: string): string {
  return createHmac('sha256', machineSecret).update(key, 'utf8').digest('hex');
}

function operatorStatement(sql: Sql, operator: RegistryOperator): Statement {
  const { id, name, account, timeZone, currency, language } = operator;
  return sql`INSERT INTO operators (id, name, account, time_zone, currency, language)
VALUES (${id}::int, ${name}, ${account}, ${timeZone}, ${currency}, ${language})
ON CONFLICT (id) DO UPDATE SET name = excluded.name, account = excluded.account, time_zone = excluded.time_zone,
  currency = excluded.currency, language = excluded.language RETURNING id`;
}

function productStatement(sql: Sql, product: RegistryProduct): Statement {
  return sql`INSERT INTO products (operator_id, name, price_minor)
VALUES (${product.operatorId}::int, ${product.name}, ${product.priceMinor?.toString() ?? null}::bigint)
ON CONFLICT (operator_id, name) DO UPDATE SET price_minor = excluded.price_minor RETURNING id`;
}

/**
 * The machine with its items, in one statement. A new key goes before the old one, so that a machine that has not heard
 * of it yet still gets in.
 */
function machineStatement(sql: Sql, machine: RegistryMachine, mac: string | null): Statement {
  const { id, number, operatorId, name, place, currency, priceMode, minMinor, maxMinor, isSuspended } = machine;
  const macs = mac === null ? [] : [mac];
  const items = machine.items.map((item) => ({ ...item, priceMinor: item.priceMinor?.toString() ?? null }));
  return sql`WITH written AS (
  INSERT INTO machines AS m (id, number, operator_id, name, place, currency, price_mode, min_minor, max_minor, credential_macs, suspended)
  VALUES (${id}, ${number}, ${operatorId}::int, ${name}, ${place}, ${currency}, ${priceMode}, ${minMinor}::bigint, ${maxMinor}::bigint,
    ${macs}::text[], ${isSuspended}::boolean)
  ON CONFLICT (id) DO UPDATE SET number = excluded.number, operator_id = excluded.operator_id, name = excluded.name, place = excluded.place,
    currency = excluded.currency, price_mode = excluded.price_mode, min_minor = excluded.min_minor, max_minor = excluded.max_minor,
    suspended = excluded.suspended, credential_macs = CASE
      WHEN excluded.credential_macs <@ m.credential_macs[1:1] THEN m.credential_macs
      ELSE excluded.credential_macs || m.credential_macs[1:1] END
  RETURNING id, operator_id),
wanted AS (
  SELECT w.id AS machine_id, v.item, v."priceMinor" AS price_minor, v."productName" AS product_name, p.id AS product_id
  FROM jsonb_to_recordset(${sql.json(items)}::jsonb) AS v (item int, "productName" text, "priceMinor" bigint)
  CROSS JOIN written w LEFT JOIN products p ON p.operator_id = w.operator_id AND p.name = v."productName"),
sold AS (
  INSERT INTO machine_items (machine_id, item, product_id, price_minor)
  SELECT machine_id, item, product_id, price_minor FROM wanted
  ON CONFLICT (machine_id, item) DO UPDATE SET product_id = excluded.product_id, price_minor = excluded.price_minor),
gone AS (
  DELETE FROM machine_items i USING written w
  WHERE i.machine_id = w.id AND NOT EXISTS (SELECT FROM wanted v WHERE v.item IS NOT DISTINCT FROM i.item))
SELECT id FROM written`;
}

/**
 * Writes a registry: operators, then products, then machines with their items, each row by itself, so that a repetition
 * after a failure is harmless and changes nothing where nothing differs.
 * @throws Fault `registry_invalid` (happened no), its message a sentence that names the row at fault; Fault as every statement.
 */
export async function applyRegistry(pool: JournalPool, registry: Registry, machineSecret: Buffer): Promise<void> {
  const write = async (what: string, build: (sql: Sql) => Statement): Promise<void> => {
    try {
      await pool.rows(build);
    } catch (error) {
      if (!(error instanceof RowRefused)) throw error;
      throw new RegistryFault(
        `${what} cannot be registered: it breaks the rule ${error.constraint || 'that each value is of its kind, the time zone a known one'}.`,
      );
    }
  };
  for (const operator of registry.operators) {
    await write(`Operator ${operator.id}`, (sql) => operatorStatement(sql, operator));
  }
  for (const product of registry.products) {
    await write(`Product "${product.name}" of operator ${product.operatorId}`, (sql) => productStatement(sql, product));
  }
  for (const machine of registry.machines) {
    const mac = machine.key === null ? null : credentialMacOf(machineSecret, machine.key);
    await write(`Machine ${machine.id}`, (sql) => machineStatement(sql, machine, mac));
  }
}

/** True when the journal holds purchases of any other operator than the one of this name. */
export async function hasPurchasesBesides(pool: JournalPool, operatorName: string): Promise<boolean> {
  const [row] = await pool.rows(
    (sql) => sql`
      SELECT EXISTS (
        SELECT 1 FROM purchases_all p LEFT JOIN operators o ON o.id = p.operator_id
        WHERE o.name IS DISTINCT FROM ${operatorName} LIMIT 1
      ) AS found`,
  );
  return row?.['found'] === true;
}
