import { expect } from 'chai';
import { postgresUrl } from '../../src/engines/postgres-server.ts';
import { migrateLedger } from '../../src/payment/centre/migrate.ts';
import { freshDatabase, type TestDatabase } from '../support/servers.ts';
import { collectingLog } from './centre-for-test.ts';

describe('centres that start at once on a new database', () => {
  let database: TestDatabase;
  before(async () => {
    database = await freshDatabase('centres');
  });
  after(() => database.drop());

  it('all come up: one brings the schema, the others wait for it', async () => {
    const one = (): Promise<void> =>
      migrateLedger(postgresUrl(database.owner), postgresUrl(database.app), collectingLog([]));
    const ends = await Promise.allSettled([one(), one(), one(), one()]);
    expect(ends.map((end) => (end.status === 'fulfilled' ? 'up' : String(end.reason)))).to.deep.equal([
      'up',
      'up',
      'up',
      'up',
    ]);
  });
});
