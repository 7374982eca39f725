import { expect } from 'chai';
import { createRendezvous, type Rendezvous, type Wish } from '../../src/order-board/rendezvous.ts';
import type { ChannelListener } from '../../src/order-board/subscriptions.ts';
import type { Claimed } from '../../src/purchase/order-board-port.ts';
import { Fault } from '../../src/result.ts';
import { drink } from './board-subject.ts';
import { createStillClock, type StillClock } from './still-clock.ts';

const none: Claimed = { kind: 'none' };
const claimed: Claimed = { kind: 'claimed', orderSeq: 7, order: drink, leftMs: 60_000 };

async function settled(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await Promise.resolve();
}

describe('the rendezvous', () => {
  let clock: StillClock;
  let listeners: Set<ChannelListener>;
  let claims: number;
  let reply: () => Promise<Claimed>;
  let rendezvous: Rendezvous;

  const wish = (changed: Partial<Wish> = {}): Wish => ({
    channel: 'wake',
    waitMs: 4_000,
    claim: () => {
      claims += 1;
      return reply();
    },
    ...changed,
  });
  const say = (message: string | null): void => {
    for (const listener of listeners) listener(message);
  };

  beforeEach(() => {
    clock = createStillClock();
    listeners = new Set();
    claims = 0;
    reply = async () => none;
    rendezvous = createRendezvous({
      clock,
      maxWaiters: 2,
      listen: (_, listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    });
  });

  it('does not wait where there is something to claim', async () => {
    reply = async () => claimed;
    expect(await rendezvous.claimWhenPlaced(wish())).to.equal(claimed);
    expect(listeners.size).to.equal(0);
  });
  it('does not wait for no time', async () => {
    expect(await rendezvous.claimWhenPlaced(wish({ waitMs: 0 }))).to.equal(none);
  });
  it('claims again once the subscription is confirmed', async () => {
    const waiting = rendezvous.claimWhenPlaced(wish());
    await settled();
    reply = async () => claimed;
    say(null);
    expect(await waiting).to.equal(claimed);
  });
  it('claims again at every message', async () => {
    const waiting = rendezvous.claimWhenPlaced(wish());
    for (const message of [null, '7', '8']) {
      await settled();
      say(message);
    }
    await settled();
    expect(claims).to.equal(4);
    clock.advance(4_000);
    await waiting;
  });
  it('claims again for a message that came during a claim', async () => {
    const waiting = rendezvous.claimWhenPlaced(wish());
    await settled();
    let answer: (reply: Claimed) => void = () => undefined;
    reply = () => new Promise((resolve) => (answer = resolve));
    say(null);
    await settled();
    say('7');
    reply = async () => claimed;
    answer(none);
    expect(await waiting).to.equal(claimed);
  });
  it('claims once more when the time is over', async () => {
    const waiting = rendezvous.claimWhenPlaced(wish());
    await settled();
    reply = async () => claimed;
    clock.advance(4_000);
    expect(await waiting).to.equal(claimed);
  });
  it('claims once more when the time is over during a claim', async () => {
    const waiting = rendezvous.claimWhenPlaced(wish());
    await settled();
    let answer: (reply: Claimed) => void = () => undefined;
    reply = () => new Promise((resolve) => (answer = resolve));
    say(null);
    await settled();
    clock.advance(4_000);
    reply = async () => none;
    answer(none);
    expect(await waiting).to.equal(none);
    expect(claims).to.equal(3);
  });
  it('passes a fault on', async () => {
    const waiting = rendezvous.claimWhenPlaced(wish()).catch((error: unknown) => error);
    await settled();
    reply = async () => {
      throw new Fault('board_unreachable', 'unknown');
    };
    say(null);
    expect(await waiting).to.be.instanceOf(Fault);
  });
  for (const [ending, end] of Object.entries({
    'with an order': () => {
      reply = async () => claimed;
      say('7');
    },
    'with nothing': () => clock.advance(4_000),
    'with a fault': () => {
      reply = () => Promise.reject(new Fault('board_unreachable', 'unknown'));
      say('7');
    },
    'with the process': () => rendezvous.end(),
  })) {
    it(`leaves no listener, timer or waiter when it ends ${ending}`, async () => {
      const waiting = rendezvous.claimWhenPlaced(wish()).catch(() => none);
      await settled();
      end();
      await waiting;
      expect([listeners.size, clock.pending, rendezvous.waiting]).to.deep.equal([0, 0, 0]);
    });
  }
  it('lets nobody wait beyond its number of waiters', async () => {
    const waiting = [rendezvous.claimWhenPlaced(wish()), rendezvous.claimWhenPlaced(wish())];
    await settled();
    expect(await rendezvous.claimWhenPlaced(wish())).to.equal(none);
    rendezvous.end();
    await Promise.all(waiting);
  });
  it('lets nobody wait once it has ended', async () => {
    rendezvous.end();
    expect(await rendezvous.claimWhenPlaced(wish())).to.equal(none);
  });
});
