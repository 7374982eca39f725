import { expect } from 'chai';
import { postgresUrl } from '../../src/engines/postgres-server.ts';
import { buyAt, machineOf } from '../journey/buying.ts';
import { type NodeForTest, startNodeForTest, until } from '../journey/node-for-test.ts';
import { findingsIn } from './audited-world.ts';

const NUMBERS = ['1000', '1001', '1002', '1003', '1004', '1005'] as const;
const ROUNDS = 3;

describe('the audit of a system at work', function () {
  this.timeout(120_000);
  let node: NodeForTest;

  before(async () => {
    node = await startNodeForTest({ machineCount: NUMBERS.length, config: { drainMs: 500 } });
    await until('machines are connected', () =>
      NUMBERS.every((number) => machineOf(node, number).status().agent?.link === 'ready'),
    );
  });
  after(() => node.stop());

  it('takes nothing that is on its way for a disagreement, and holds nothing up', async () => {
    // One machine jams, one payer has too little: reversals and declines are on their way too.
    machineOf(node, '1000').setFault('jam');
    const ends = { '1000': 'reversed', '1001': 'declined' } as const;
    let isBuying = true;
    const buying = Promise.all(
      NUMBERS.map(async (number) => {
        for (let round = 0; round < ROUNDS; round += 1) {
          const end = number === '1000' || number === '1001' ? ends[number] : 'completed';
          await buyAt(node, number, end === 'declined' ? 100n : 1_000n, end);
        }
      }),
    ).finally(() => {
      isBuying = false;
    });
    const seen: unknown[] = [];
    let audits = 0;
    while (isBuying) {
      seen.push(...(await findingsIn(node.database, postgresUrl(node.centre.database.app), 300)));
      audits += 1;
    }
    await buying;
    expect(seen).to.deep.equal([]);
    expect(audits).to.be.greaterThan(1);
    expect(await node.findings()).to.deep.equal([]);
  });
});
