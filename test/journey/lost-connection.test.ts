import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createLedgerReader } from '../../simulators/ledger-reader.ts';
import { type ChildProcess, startChild } from '../../src/composition/child-process.ts';
import { type PostgresAddress, postgresUrl } from '../../src/engines/postgres-server.ts';
import { isEscapedDriverFault } from '../../src/store/driver-faults.ts';
import { freshDatabase, type TestDatabase } from '../support/servers.ts';
import { until } from './node-for-test.ts';
import { layWire, type Wire } from './support/wire.ts';

const SECRET = 'a secret of this test alone';

describe('a connection to PostgreSQL that breaks while it is opened', () => {
  let database: TestDatabase;
  let folder: string;
  let wire: Wire;
  before(async () => {
    database = await freshDatabase('broken_opening');
    folder = await mkdtemp(join(tmpdir(), 'relais-lost-'));
    const { host, port } = database.owner;
    const target = host.startsWith('/') ? { path: join(host, `.s.PGSQL.${port}`) } : { host, port };
    wire = await layWire([target]);
  });
  after(async () => {
    await wire.close();
    await rm(folder, { recursive: true, force: true });
    await database.drop();
  });

  it('does not end the process: the next one serves', async function () {
    this.timeout(60_000);
    const by = (address: PostgresAddress): string => postgresUrl({ ...address, host: '127.0.0.1', port: wire.port });
    const lines: string[] = [];
    const child: ChildProcess = await startChild({
      name: 'centre',
      command: 'centre',
      settings: {
        centre: {
          databaseUrl: by(database.owner),
          admin: { token: SECRET },
          clients: [{ id: 'relais', token: SECRET }],
          pepper: SECRET,
        },
      },
      folder,
      onLine: (line) => lines.push(line),
    });
    try {
      const { admin } = child.where;
      const ledger = createLedgerReader(String(admin), SECRET, 'XOF');
      const isServing = async (): Promise<boolean> => (await ledger.verify().catch(() => null)) !== null;
      await until('it serves', isServing);
      wire.cut();
      wire.resume();
      // The driver asks for the types of arrays before anything else; nobody handles the rejection of that question.
      wire.cutAt('there', 'typarray');
      await until('it was cut there', async () => {
        await isServing();
        return lines.some((line) => line.includes('database_connection_broke'));
      });
      await until('it serves again', isServing);
    } finally {
      await child.stop();
    }
  });
});

describe('an error that nobody caught', () => {
  it('is harmless only where the driver left it behind', () => {
    const types = Object.assign(new Error('read ECONNRESET'), { query: 'select b.typarray from pg_catalog.pg_type a' });
    const late = new TypeError("Cannot read properties of null (reading 'write')");
    late.stack = `${late.message}\n    at Immediate.nextWrite (file:///x/node_modules/postgres/src/connection.js:255:22)`;
    expect([types, late].map(isEscapedDriverFault)).to.deep.equal([true, true]);
    const ours = Object.assign(new Error('read ECONNRESET'), { query: 'select * from purchases' });
    expect([ours, new TypeError('x'), 'nextWrite', null].map(isEscapedDriverFault)).to.deep.equal([
      false,
      false,
      false,
      false,
    ]);
  });
});
