/**
 * A reader of one database that outlives the server's end, by another library than the product's: what goes wrong in that
 * one must not go wrong in the judge as well.
 */
import pg from 'pg';
import type { PostgresAddress } from '../../../src/engines/postgres-server.ts';

/** Reads rows by a statement with `$1`, `$2`. int8 comes as bigint. @throws while the server is away */
export type Reader = {
  rows<Row>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  close(): Promise<void>;
};

const INT8 = 20;
const types = new pg.TypeOverrides();
types.setTypeParser(INT8, BigInt);

/** A reader; it connects at the first use, and again whenever it must. */
export function openReader(address: PostgresAddress): Reader {
  const pool = new pg.Pool({ ...address, max: 2, connectionTimeoutMillis: 3_000, query_timeout: 10_000, types });
  // An idle connection that breaks is replaced at the next use.
  pool.on('error', () => undefined);
  return {
    rows: async <Row>(text: string, values: readonly unknown[] = []) => {
      const found = await pool.query(text, [...values]);
      return found.rows as readonly Row[];
    },
    close: () => pool.end(),
  };
}
