/**
 * The contract of the journal, over PostgreSQL and over memory.
 */
import { machineEffectContract } from './approval.contract.ts';
import { afterwardsContract, deadlineContract, leaseContract } from './effect.contract.ts';
import { type Harness, type HarnessMaker, memoryHarness, postgresHarness } from './harness.ts';
import { registerContract } from './register.contract.ts';
import { beginContract, commitContract, readContract } from './store.contract.ts';

function contract(name: string, open: () => Promise<HarnessMaker>): void {
  describe(`the journal in ${name}`, () => {
    let maker: HarnessMaker | undefined;
    let harness: Harness | undefined;
    const the = (): Harness => {
      if (harness === undefined) throw new Error('no test runs');
      return harness;
    };

    before(async () => {
      maker = await open();
    });
    beforeEach(async () => {
      harness = await maker?.fresh();
    });
    after(async () => {
      await maker?.close();
    });

    beginContract(the);
    commitContract(the);
    readContract(the);
    leaseContract(the);
    machineEffectContract(the);
    deadlineContract(the);
    afterwardsContract(the);
    registerContract(the);
  });
}

contract('memory', memoryHarness);
contract('PostgreSQL', postgresHarness);
