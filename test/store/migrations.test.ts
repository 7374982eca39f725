/**
 * The schema's way forward.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import postgres from 'postgres';
import { migrate } from '../../src/store/migrate.ts';
import { checkoutFolder, freshDatabase, type TestDatabase } from '../support/servers.ts';

const folder = join(checkoutFolder(), 'src/store/migrations');

describe('the migrations', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await freshDatabase('migrations');
  });
  afterEach(() => database.drop());

  it('run once, in order, however many start them at the same time', async () => {
    const files = (await readdir(folder)).map((file) => file.replace(/\.sql$/, '')).sort();
    const runs = await Promise.all([1, 2, 3].map(() => migrate(database.owner)));
    expect(runs.filter((run) => run.length > 0)).to.deep.equal([files]);
    expect(await migrate(database.owner)).to.deep.equal([]);
  });

  it('reject when the server is away, and leave the caller to say so', async () => {
    const error = await migrate({ ...database.owner, host: '/nowhere' }).catch((caught: unknown) => caught);
    expect(error).to.be.instanceOf(Error);
  });

  it('leave every table of the journal without a foreign key', async () => {
    await migrate(database.owner);
    const sql = postgres({ ...database.owner, max: 1 });
    const rows = await sql<
      { name: string }[]
    >`SELECT DISTINCT conrelid::regclass::text AS name FROM pg_constraint WHERE contype = 'f'`;
    await sql.end();
    expect(rows.map((row) => row.name).sort()).to.deep.equal(['machine_items', 'machines', 'products']);
  });

  it('are files that begin with what they are for, and never go back', async () => {
    for (const file of await readdir(folder)) {
      const text = await readFile(join(folder, file), 'utf8');
      expect(file).to.match(/^\d{4}_[a-z_]+\.sql$/);
      expect(text, file).to.match(/^-- [A-Z]/);
      expect(text, file).to.not.match(/down migration/i);
    }
  });
});
