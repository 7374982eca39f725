/**
 * Payers: a row for each number, made at the first contact, with the number hashed and encrypted.
 */
import type { Row } from 'postgres';
import type { Msisdn, PayerId } from '../purchase/purchase.ts';
import type { Subscribers } from '../purchase/store-port.ts';
import { assert, Fault } from '../result.ts';
import type { Clock, DurationMs } from '../time.ts';
import { createBoundedCache } from './bounded-cache.ts';
import { type CommitKind, createCommitCounter } from './commit-counter.ts';
import type { JournalPool } from './journal-pool.ts';
import { assertKeys, boxMsisdn, type MsisdnKeys, msisdnMacOf, unboxMsisdn } from './msisdn-box.ts';

/** What the register of payers needs. */
export type SubscribersDeps = {
  readonly pool: JournalPool;
  readonly clock: Clock;
  readonly keys: MsisdnKeys;
  readonly onCommit?: ((kind: CommitKind) => void) | undefined;
};

type Met = Awaited<ReturnType<Subscribers['meet']>>;

const CACHED_ENTRIES = 10_000;
const CACHED_MS: DurationMs = 60_000;
/** 128 bits of the hash: nobody else's number, and short enough for keys and logs. */
const PSEUDONYM_DIGITS = 32;

function metOf(row: Row): Met {
  return { payerId: row['id'] as bigint, language: row['language'] as string | null };
}

/**
 * Creates the register. Its commits are lazy: commit 1 of a purchase is flushed after the payer's row and takes it
 * along, since the log is written in order.
 */
export function createSubscribers(deps: SubscribersDeps): Subscribers {
  const { pool, clock, keys } = deps;
  assertKeys(keys);
  const commits = createCommitCounter(deps.onCommit);
  const lifetimeOf = (): DurationMs => CACHED_MS;
  const met = createBoundedCache<Met>({ clock, entries: CACHED_ENTRIES, lifetimeOf });
  const numbers = createBoundedCache<Msisdn>({ clock, entries: CACHED_ENTRIES, lifetimeOf });
  const pseudonymOf = (msisdn: Msisdn): string => msisdnMacOf(keys, msisdn).toString('hex').slice(0, PSEUDONYM_DIGITS);

  async function find(mac: Buffer): Promise<Row | undefined> {
    const [row] = await pool.rows(
      (sql) =>
        sql`SELECT id, language, last_seen_on < current_date AS is_new_day FROM subscribers WHERE msisdn_mac = ${mac}`,
    );
    return row;
  }

  async function make(msisdn: Msisdn, mac: Buffer): Promise<Row | undefined> {
    const { key, box, keyId } = boxMsisdn(keys, msisdn, mac);
    const rows = await pool.rows(
      (sql) => sql`WITH born AS (
  INSERT INTO subscribers (msisdn_mac, msisdn_key, msisdn_box, key_id) VALUES (${mac}, ${key}, ${box}, ${keyId})
  ON CONFLICT (msisdn_mac) DO NOTHING RETURNING id, language)
SELECT id, language, set_config('synchronous_commit', 'off', true) FROM born`,
    );
    commits.lazy(rows);
    return rows[0];
  }

  async function noteDay(id: bigint): Promise<void> {
    const rows = await pool.rows(
      (
        sql,
      ) => sql`WITH seen AS (UPDATE subscribers SET last_seen_on = current_date WHERE id = ${id}::bigint RETURNING id)
SELECT id, set_config('synchronous_commit', 'off', true) FROM seen`,
    );
    commits.lazy(rows);
  }

  async function readOrMake(msisdn: Msisdn): Promise<Met> {
    const mac = msisdnMacOf(keys, msisdn);
    const found = await find(mac);
    if (found !== undefined) {
      if (found['is_new_day'] === true) await noteDay(found['id'] as bigint);
      return metOf(found);
    }
    const row = (await make(msisdn, mac)) ?? (await find(mac)); // another node may have met the payer meanwhile
    assert(row !== undefined, 'a payer who was met has a row');
    return metOf(row);
  }

  async function readMsisdn(payerId: PayerId): Promise<Msisdn> {
    const [row] = await pool.rows(
      (sql) =>
        sql`SELECT msisdn_mac, msisdn_key, msisdn_box, key_id FROM subscribers WHERE id = ${payerId}::bigint AND erased_at IS NULL`,
    );
    if (row === undefined) throw new Fault('subscriber_erased', 'no');
    const boxed = {
      key: row['msisdn_key'] as Buffer,
      box: row['msisdn_box'] as Buffer,
      keyId: row['key_id'] as string,
    };
    return unboxMsisdn(keys, boxed, row['msisdn_mac'] as Buffer);
  }

  return {
    pseudonymOf,
    meet: (msisdn) => met.get(pseudonymOf(msisdn), () => readOrMake(msisdn)),
    msisdnOf: (payerId) => numbers.get(payerId.toString(), () => readMsisdn(payerId)),
    async setLanguage(payerId, language) {
      const rows = await pool.rows(
        (
          sql,
        ) => sql`WITH told AS (UPDATE subscribers SET language = ${language} WHERE id = ${payerId}::bigint RETURNING msisdn_mac)
SELECT msisdn_mac, set_config('synchronous_commit', 'off', true) FROM told`,
      );
      commits.lazy(rows);
      const mac = rows[0]?.['msisdn_mac'] as Buffer | null | undefined;
      if (mac) met.forget(mac.toString('hex').slice(0, PSEUDONYM_DIGITS));
    },
  };
}
