/**
 * What a whole purchase costs on this machine, beside a floor measured in the same run: PostgreSQL's own durable commits.
 * Everything runs here, in one process but the engines: node, centre, simulated network, wallet relay and machines. The
 * ratio is the figure to keep; the absolute ones drift with the machine's load.
 */
import { cpus } from 'node:os';
import postgres from 'postgres';
import { isFree, isWaiting, type NodeForTest, startNodeForTest, until } from '../test/journey/node-for-test.ts';
import { freshDatabase } from '../test/support/servers.ts';

const MACHINES = 24;
const ROUNDS = 10;
const FLOOR_COMMITS = 2000;
const FLOOR_CONNECTIONS = 8;

function print(line: string): void {
  process.stdout.write(`    ${line}\n`);
}

/** Durable commits a second of a bare insert, over as many connections as a pool has. */
async function floor(): Promise<number> {
  const database = await freshDatabase('floor');
  const sql = postgres({ ...database.owner, max: FLOOR_CONNECTIONS });
  try {
    await sql`create table commits (id bigint generated always as identity primary key, at timestamptz default now())`;
    await Promise.all(Array.from({ length: FLOOR_CONNECTIONS }, () => sql`select 1`));
    const startMs = performance.now();
    await Promise.all(Array.from({ length: FLOOR_COMMITS }, () => sql`insert into commits default values`));
    return (FLOOR_COMMITS * 1000) / (performance.now() - startMs);
  } finally {
    await sql.end();
    await database.drop();
  }
}

/** One purchase by USSD at one machine: milliseconds from dial to price, and from key to "paid". */
async function buy(node: NodeForTest, number: string, msisdn: string): Promise<readonly [number, number]> {
  const machine = node.machines.get(number);
  if (machine === undefined) throw new Error(`no machine ${number}`);
  machine.select(1);
  await until('the machine waits', () => isWaiting(machine), 60_000);
  const call = node.smsc.dial(msisdn, `*123*${number}#`);
  const quote = await call.nextScreen(30_000);
  call.key('1');
  const paid = await call.nextScreen(30_000);
  await until('the machine is free', () => isFree(machine), 60_000);
  return [quote.waitedMs, paid.waitedMs];
}

function percentile(values: readonly number[], share: number): string {
  const sorted = values.toSorted((one, other) => one - other);
  return `${(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(0)} ms`;
}

describe('whole purchases by USSD', () => {
  let node: NodeForTest;
  before(async function () {
    this.timeout(120_000);
    node = await startNodeForTest({ machineCount: MACHINES });
  });
  after(async function () {
    this.timeout(60_000);
    await node.stop();
  });

  it('costs', async function () {
    this.timeout(600_000);
    const numbers = [...node.machines.keys()];
    await until(
      'machines are connected',
      () => [...node.machines.values()].every((each) => each.status().agent?.link === 'ready'),
      60_000,
    );
    // A payer a purchase: within a minute the same payer would be asked whether to buy the same thing again.
    const payers = await Promise.all(Array.from({ length: MACHINES * ROUNDS }, () => node.openWallet(1_000n)));
    const commitsBefore = await floor();
    const before = { ...node.commits };
    const [cpuBefore, startMs] = [process.cpuUsage(), performance.now()];
    const waits: (readonly [number, number])[] = [];
    await Promise.all(
      numbers.map(async (number, machine) => {
        for (let round = 0; round < ROUNDS; round += 1) {
          waits.push(await buy(node, number, payers[round * MACHINES + machine]?.msisdn ?? ''));
        }
      }),
    );
    const seconds = (performance.now() - startMs) / 1000;
    const cpu = process.cpuUsage(cpuBefore);
    const purchases = MACHINES * ROUNDS;
    const commits = (commitsBefore + (await floor())) / 2;
    print(`${cpus().length} cores, Node ${process.version}, ${purchases} purchases over ${MACHINES} machines at once`);
    print(
      `${(purchases / seconds).toFixed(0)} purchases/s; floor ${commits.toFixed(0)} bare commits/s; ratio ${(purchases / seconds / commits).toFixed(3)}`,
    );
    print(
      `price after p50 ${percentile(
        waits.map(([quote]) => quote),
        0.5,
      )}, p95 ${percentile(
        waits.map(([quote]) => quote),
        0.95,
      )}`,
    );
    print(
      `"paid" after p50 ${percentile(
        waits.map(([, paid]) => paid),
        0.5,
      )}, p95 ${percentile(
        waits.map(([, paid]) => paid),
        0.95,
      )}`,
    );
    print(
      `${((node.commits.flushed - before.flushed) / purchases).toFixed(2)} flushed and ${((node.commits.lazy - before.lazy) / purchases).toFixed(2)} lazy commits a purchase`,
    );
    print(
      `${((cpu.user + cpu.system) / 1000 / purchases).toFixed(1)} ms of CPU a purchase in this process, simulators and centre included`,
    );
  });
});
