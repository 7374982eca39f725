import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createLedgerReader, type LedgerReader } from '../../simulators/ledger-reader.ts';
import { type ChildProcess, startChild } from '../../src/composition/child-process.ts';
import { postgresUrl } from '../../src/engines/postgres-server.ts';
import { isEscapedDriverFault } from '../../src/store/driver-faults.ts';
import { freshDatabase } from '../support/servers.ts';
import { until } from './node-for-test.ts';
import { layWire, type Wire } from './support/wire.ts';

const SECRET = 'a secret of this test alone';

type Bench = { readonly wire: Wire; readonly ledger: LedgerReader; readonly lines: readonly string[] };

/** A centre in a process of its own, whose database is at the other end of a wire. */
async function withCentre(
  settings: Readonly<Record<string, unknown>>,
  act: (bench: Bench) => Promise<void>,
): Promise<void> {
  const database = await freshDatabase('broken_connection');
  const folder = await mkdtemp(join(tmpdir(), 'relais-lost-'));
  const { host, port } = database.owner;
  const wire = await layWire([host.startsWith('/') ? { path: join(host, `.s.PGSQL.${port}`) } : { host, port }]);
  const databaseUrl = postgresUrl({ ...database.owner, host: '127.0.0.1', port: wire.port });
  const clients = [{ id: 'relais', token: SECRET }];
  const lines: string[] = [];
  const centre = { databaseUrl, admin: { token: SECRET }, clients, pepper: SECRET, ...settings };
  const child: ChildProcess = await startChild({
    name: 'centre',
    command: 'centre',
    settings: { centre },
    folder,
    onLine: (line) => lines.push(line),
  });
  try {
    await act({ wire, ledger: createLedgerReader(String(child.where['admin']), SECRET, 'XOF'), lines });
  } finally {
    await child.stop();
    await wire.close();
    await rm(folder, { recursive: true, force: true });
    await database.drop();
  }
}

describe('a connection to PostgreSQL that breaks while it is opened', () => {
  it('does not end the process: the next one serves', async function () {
    this.timeout(60_000);
    await withCentre({}, async ({ wire, ledger, lines }) => {
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
    });
  });
});

describe('a connection to PostgreSQL that breaks while the ledger is verified', () => {
  it('leaves the centre whole: its only other connection serves, in the same process', async function () {
    this.timeout(60_000);
    await withCentre({ connections: 1 }, async ({ wire, ledger, lines }) => {
      for (let time = 0; time < 3; time += 1) {
        // Among the last of the questions, within the snapshot.
        wire.cutAt('there', 'tgenabled');
        await until('the answer is an error', async () => (await ledger.verify().catch(() => null)) === null);
        expect(await ledger.operator('NOBODY').catch(String)).to.include('404');
      }
      // The role of this bare database owns its tables and more; the rest adds up.
      const findings = await ledger.verify();
      expect(findings.filter((finding) => !finding.includes('only the owner writes'))).to.deep.equal([]);
      expect(lines.filter((line) => line.includes('"bug"'))).to.deep.equal([]);
    });
  });
});

describe('an error that nobody caught', () => {
  it('is harmless only where the driver left it behind at the opening of a connection', () => {
    const types = Object.assign(new Error('read ECONNRESET'), { query: 'select b.typarray from pg_catalog.pg_type a' });
    const late = new TypeError("Cannot read properties of null (reading 'write')");
    late.stack = `${late.message}\n    at Immediate.nextWrite (file:///x/node_modules/postgres/src/connection.js:255:22)`;
    expect(isEscapedDriverFault(types)).to.equal(true);
    const ours = Object.assign(new Error('read ECONNRESET'), { query: 'select * from purchases' });
    // The place of the pool that a late write belonged to may never connect again: the process starts anew.
    expect([ours, late, 'nextWrite', null].map(isEscapedDriverFault)).to.deep.equal([false, false, false, false]);
  });
});
