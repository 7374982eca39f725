/**
 * What the memory store offers beside the ports, for unit tests and simulation.
 */
import { expect } from 'chai';
import { Fault } from '../../src/result.ts';
import { createMemoryWorld, type MemoryWorld } from '../support/memory-store.ts';
import { aPurchase, aRegistry, authorizedOf, beginOf } from '../support/store-builders.ts';
import { handClock } from './harness.ts';

describe('a world in memory', () => {
  let world: MemoryWorld;

  beforeEach(async () => {
    world = createMemoryWorld({ clock: handClock() });
    await world.store('one:1').applyRegistry(aRegistry());
  });

  it('can be out of reach, and then keeps nothing', async () => {
    const { purchases } = world.store('one:1');
    world.setReachable(false);
    const fault = await purchases.begin(beginOf(aPurchase())).catch((caught: unknown) => caught);
    expect(fault).to.be.instanceOf(Fault).and.to.include({ code: 'journal_unreachable', happened: 'no' });
    world.setReachable(true);
    expect(await purchases.liveOfMachine('M-4567')).to.deep.equal([]);
  });

  it('counts the commits of all nodes by their kind', async () => {
    const purchase = aPurchase();
    await world.store('one:1').purchases.begin(beginOf(purchase));
    await world.store('two:1').purchases.commit(authorizedOf(purchase, { isLazy: true }));
    await world.store('two:1').purchases.takeDue(1, 1_000);
    expect(world.commits).to.deep.equal({ flushed: 1, lazy: 1 });
  });
});
