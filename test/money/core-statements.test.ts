import { expect } from 'chai';
import { buildHouse, firstId, type House } from '../support/house.ts';
import { keyOf } from '../support/house-node.ts';

const success = { machineId: 'M-4567', orderSeq: 17, kind: 'success', content: { orderSeq: 17 } } as const;

/** A good that comes out 10 s after the approval; 5 s are over. */
async function delivering(): Promise<House> {
  const house = await buildHouse();
  house.machine.setDelivery({ kind: 'delivers' }, 10_000);
  await house.select();
  await house.confirm();
  await house.advance(5000);
  return house;
}

describe('a machine’s statement that is stored already', () => {
  it('is applied all the same when what was stored was under another approval', async () => {
    const house = await delivering();
    const said = { statement: success, event: { type: 'vend_succeeded', basis: null } } as const;
    await house.node('a').purchases.recordStatement({ ...said, approvalId: 'of another purchase' });
    await house.rest();
    expect([house.stateOf(), house.machine.dropped(17), house.broken()]).to.deep.equal([
      'completed contradicting_result',
      1,
      [],
    ]);
  });

  it('is applied all the same when the first one only said that nothing is known', async () => {
    const house = await delivering();
    const approvalId = keyOf(firstId, 'approve', 1);
    const say = async (basis: 'no_result' | null): Promise<string> => {
      await house
        .node('a')
        .purchases.recordStatement({ statement: success, event: { type: 'vend_succeeded', basis }, approvalId });
      return house.purchase().state;
    };
    expect([await say('no_result'), await say(null)]).to.deep.equal(['in_doubt', 'settling']);
  });

  it('is applied once, however often it is said', async () => {
    const house = await delivering();
    await house.advance(10_000);
    house.machine.repeat(17);
    await house.rest();
    const versions = house.world.tables.events.get(firstId)?.map(({ event }) => event);
    expect(versions?.filter((event) => event === 'vend_succeeded')).to.have.length(1);
  });
});
