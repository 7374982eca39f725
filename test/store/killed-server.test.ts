/**
 * PostgreSQL killed in the middle of purchases.
 */
import { expect } from 'chai';
import postgres from 'postgres';
import type { PostgresServer } from '../../src/engines/postgres-server.ts';
import type { Purchase } from '../../src/purchase/purchase.ts';
import { Fault } from '../../src/result.ts';
import { migrate } from '../../src/store/migrate.ts';
import { createStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/time.ts';
import { startOwnPostgres } from '../support/servers.ts';
import {
  aPurchase,
  aRegistry,
  authorizedOf,
  beginOf,
  moved,
  succeededOf,
  testSecrets,
} from '../support/store-builders.ts';

const BUYERS = 12;

describe('the journal on a server that is killed', () => {
  let server: PostgresServer;
  let store: Store;
  let isKilled = false;
  const acknowledged = new Map<string, number>();

  before(async function () {
    this.timeout(60_000);
    server = await startOwnPostgres();
    await migrate(server.addressOf('relais_owner', 'relais'));
    const connection = server.addressOf('relais_app', 'relais');
    store = createStore({ connection, node: 'one:1', clock: systemClock, secrets: testSecrets });
    await store.makePartitions();
    await store.applyRegistry(aRegistry());
  });
  after(async () => {
    await store.close();
    await server.stop();
  });

  /** Buys until the server is gone; notes each version whose commit was acknowledged. */
  async function buy(first: number): Promise<void> {
    for (let orderSeq = first; !isKilled; orderSeq += BUYERS) {
      const purchase = aPurchase({ orderSeq });
      const approving: Purchase = moved(purchase, 'approving');
      await store.purchases.begin(beginOf(purchase));
      acknowledged.set(purchase.id, 1);
      await store.purchases.commit(authorizedOf(purchase));
      acknowledged.set(purchase.id, 2);
      await store.purchases.commit(succeededOf(approving));
      acknowledged.set(purchase.id, 3);
      if (acknowledged.size > 60) {
        isKilled = true;
        await server.kill9();
      }
    }
  }

  it('loses nothing that it acknowledged, keeps nothing by half, and goes on by itself', async function () {
    this.timeout(60_000);
    const ends = await Promise.allSettled(Array.from({ length: BUYERS }, (_, n) => buy(n + 1)));
    const faults = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    expect(faults.every((fault) => fault instanceof Fault && fault.code === 'journal_unreachable')).to.equal(true);
    await server.restart();

    const sql = postgres({ ...server.addressOf('relais_owner', 'relais'), max: 1 });
    const rows = await sql<{ id: string; version: number; events: number; effects: number }[]>`
      SELECT p.id, p.version, (SELECT count(*)::int FROM purchase_events e WHERE e.purchase_id = p.id) AS events,
        (SELECT count(*)::int FROM effects f WHERE f.purchase_id = p.id) AS effects
      FROM purchases p`;
    await sql.end();
    const versions = new Map(rows.map((row) => [row.id, row.version]));
    for (const [id, version] of acknowledged) expect(versions.get(id) ?? 0).to.be.at.least(version);
    for (const row of rows) {
      expect(row.events).to.equal(row.version);
      expect(row.effects).to.equal(row.version === 3 ? 2 : 1);
    }
    const [known] = acknowledged.keys();
    const read = (): Promise<unknown> => store.purchases.load(known ?? '');
    expect(await read().catch(() => read())).to.not.equal(null);
  });
});
