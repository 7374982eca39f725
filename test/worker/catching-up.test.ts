import { expect } from 'chai';
import { pause } from '../../src/time.ts';

import { abandoned, bench, many, ownOf, query } from './effect-bench.ts';

describe('the effect worker, catching up', () => {
  it('takes all that a dead node left at its first look, at most three hundred at once, each once', async () => {
    let most = 0;
    let now = 0;
    const one = await bench(async () => {
      now += 1;
      most = Math.max(most, now);
      await pause(one.clock, 10);
      now -= 1;
    });
    await many(one, 1234, query);
    one.worker.start();
    await one.clock.advance(2100);
    expect([one.seen.length, most <= 300, new Set(one.seen)]).to.deep.equal([1234, true, new Set(['query_payment 1'])]);
  });

  it('carries out its own effects at once while it is taking what another left', async () => {
    const one = await bench(() => new Promise(() => undefined));
    await many(one, 700, query);
    one.worker.start();
    await one.clock.advance(2000);
    const before = one.seen.length;
    const loaded = await abandoned(one, { kind: 'settle', n: 1 });
    one.worker.run([{ loaded, effect: ownOf(loaded, { kind: 'settle', n: 1 }), dueInMs: 0 }]);
    await one.clock.settle();
    expect([before, one.seen.at(-1)]).to.deep.equal([300, 'settle 1']);
  });

  it('looks no more in this poll for machines’ effects that are put back at once', async () => {
    const one = await bench(
      async (_loaded, effect) => void (await one.purchases.reschedule(effect, 0, 'not_here')),
      ['M-4567'],
    );
    await many(one, 250, { kind: 'query_order' });
    one.worker.start();
    await one.clock.advance(2000);
    const before = one.seen.length;
    await one.clock.advance(1999);
    expect([before, one.seen.length]).to.deep.equal([300, 300]);
  });

  it('stops in the middle of what another left', async () => {
    const one = await bench();
    await many(one, 450, query);
    const takeDue = one.purchases.takeDue.bind(one.purchases);
    let stopping: Promise<void> | undefined;
    one.purchases.takeDue = (...how) => {
      stopping ??= one.worker.stop(10_000);
      return takeDue(...how);
    };
    one.worker.start();
    await one.clock.advance(2000);
    await stopping;
    await one.clock.advance(60_000);
    expect(one.seen.length).to.equal(100);
  });

  it('goes on taking beside many effects of its own', async () => {
    const one = await bench(async (_loaded, { tries }) => (tries === 1 ? undefined : new Promise(() => undefined)));
    const loaded = await abandoned(one, { kind: 'query_order' }, false);
    const slow = { ...ownOf(loaded, query), tries: 2 };
    one.worker.run(Array.from({ length: 220 }, () => ({ loaded, effect: slow, dueInMs: 0 })));
    await many(one, 250, query);
    one.worker.start();
    await one.clock.advance(2000);
    expect(one.seen.filter((what) => what === 'query_payment 1').length).to.equal(250);
  });

  it('looks on after its usual wait while what it took is held up, up to five hundred', async () => {
    const one = await bench(() => new Promise(() => undefined));
    await many(one, 900, query);
    one.worker.start();
    const seen: number[] = [];
    for (const ms of [2000, 2000, 2000, 4000]) {
      await one.clock.advance(ms);
      seen.push(one.seen.length);
    }
    expect(seen).to.deep.equal([300, 400, 500, 500]);
  });
});
