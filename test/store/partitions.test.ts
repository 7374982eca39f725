import { expect } from 'chai';
import postgres from 'postgres';
import { migrate } from '../../src/store/migrate.ts';
import { freshDatabase, type TestDatabase } from '../support/servers.ts';

const MAKE = "SELECT make_journal_partitions('2031-05-01', 3) AS made";

describe('the partitions of the journal', () => {
  let database: TestDatabase;
  before(async () => {
    database = await freshDatabase('partitions');
    await migrate(database.owner);
  });
  after(() => database.drop());

  it('are made once by two nodes that start at the same moment', async () => {
    const one = postgres({ ...database.owner, max: 1 });
    const other = postgres({ ...database.owner, max: 1 });
    const isWaiting = async (): Promise<boolean> => {
      const rows = await one.unsafe("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
      return rows.length > 0;
    };
    try {
      await one.unsafe('BEGIN');
      const [first] = await one.unsafe(MAKE);
      const later = other.unsafe(MAKE).execute();
      while (!(await isWaiting())) continue;
      await one.unsafe('COMMIT');
      const [second] = await later;
      expect([first?.['made'], second?.['made']]).to.deep.equal([6, 0]);
    } finally {
      await Promise.all([one.end(), other.end()]);
    }
  });
});
