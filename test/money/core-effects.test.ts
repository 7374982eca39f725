import { expect } from 'chai';
import type { Effect, HeldEffect } from '../../src/purchase/effect.ts';
import { keyPartsOf } from '../../src/purchase/effect.ts';
import type { Outcome } from '../../src/purchase/payment-port.ts';
import { Secret } from '../../src/purchase/payment-port.ts';
import type { Loaded } from '../../src/purchase/store-port.ts';
import { buildHouse, firstId, type House } from '../support/house.ts';
import { keyOf } from '../support/house-node.ts';

const refused: Outcome = { kind: 'declined', code: 'wallet_refused' };
const refusing = { kind: 'answers', outcome: refused } as const;

/** An effect just leased. */
function leaseOf(house: House, effect: Effect): HeldEffect {
  const { operation, n } = keyPartsOf(effect);
  const key = keyOf(firstId, operation, n);
  const lease = { tries: 1, leaseLeftMs: 15_000, leaseEndsAtMs: house.clock.now() + 15_000 };
  return { purchaseId: firstId, key, effect, maySent: false, maySentBefore: false, ...lease };
}

async function loadedOf(house: House): Promise<Loaded> {
  const loaded = await house.node('a').store.purchases.load(firstId);
  if (loaded === null) throw new Error('the purchase is there');
  return loaded;
}

/** A purchase whose wallet was away when it should have settled or reversed; the wallet is back. */
async function overdue(delivery: 'delivers' | 'fails'): Promise<House> {
  const house = await buildHouse();
  if (delivery === 'fails') house.machine.setDelivery({ kind: 'fails', code: 'jam' });
  await house.select();
  await house.confirm();
  await house.advance(1000);
  house.wallet.setAway(true);
  await house.advance(13_500);
  house.wallet.setAway(false);
  return house;
}

describe('an effect carried out by two nodes', () => {
  it('advances the attempt of a refused reversal once', async () => {
    const house = await overdue('fails');
    const loaded = await loadedOf(house);
    house.wallet.fail('reverse', refusing, refusing);
    house.wallet.fail('query', refusing, refusing);
    const effect = leaseOf(house, { kind: 'reverse', n: 1, reason: 'failed_jam' });
    const own = { loaded, effect, dueInMs: 0 };
    house.node('a').effects.run([own]);
    house.node('b').effects.run([own]);
    await house.clock.advance(500);
    expect([loaded.purchase.state, house.purchase().facts.reverseAttempt]).to.deep.equal(['reversing', 2]);
  });

  it('advances the attempt of a refused settlement once', async () => {
    const house = await overdue('delivers');
    const loaded = await loadedOf(house);
    house.wallet.fail('settle', refusing, refusing);
    house.wallet.fail('query', refusing, refusing);
    const own = { loaded, effect: leaseOf(house, { kind: 'settle', n: 1 }), dueInMs: 0 };
    house.node('a').effects.run([own]);
    house.node('b').effects.run([own]);
    await house.clock.advance(500);
    expect([loaded.purchase.state, house.purchase().facts.settleAttempt]).to.deep.equal(['settling', 2]);
  });
});

describe('money that turns out to be secured on a declined purchase', () => {
  it('by the late answer to the authorization itself goes back at once', async () => {
    const house = await buildHouse({ capabilities: { reverseByKey: false, replay: 'none', maxPendingMs: 60_000 } });
    house.wallet.fail('authorize', { kind: 'request_lost' });
    await house.select();
    await house.confirm();
    const loaded = await loadedOf(house);
    await house.advance(400_000);
    const before = house.purchase().state;
    const effect = leaseOf(house, { kind: 'authorize', expiresInMs: 50_000, holdMs: null, isResend: false });
    house.node('a').effects.run([{ loaded, effect, dueInMs: 0 }]);
    await house.advance(60_000);
    expect([before, house.stateOf(), house.evidenceOf().refundedMinor]).to.deep.equal([
      'declined',
      'declined paid_after_close',
      500n,
    ]);
  });

  it('by the late answer to the payer’s validation goes back', async () => {
    const house = await buildHouse();
    house.wallet.setAsking({ by: 'pin', pin: '1234' });
    await house.select();
    await house.confirm();
    await house.advance(1000);
    house.wallet.fail('validate', { kind: 'late', afterMs: 5000 });
    const given = house.node('a').purchases.giveValidation(firstId, new Secret('1234'));
    await house.clock.advance(100);
    await house.node('b').coordinator.apply(firstId, { type: 'authorize_declined', code: 'payer_silent', leftMs: 0 });
    const before = house.purchase().state;
    await house.advance(6000);
    await given;
    await house.advance(60_000);
    expect([before, house.stateOf(), house.evidenceOf().refundedMinor]).to.deep.equal([
      'declined',
      'declined paid_after_close',
      500n,
    ]);
  });
});

describe('a confirmation for the second time', () => {
  it('after the cut-off, with the journal away, is in progress, never “too late”', async () => {
    const house = await buildHouse();
    await house.select();
    house.node('a').dieAtCommit(1, 'after');
    void house.confirm();
    await house.advance(42_000);
    const away = { on: 'load', happened: 'no', isDone: false } as const;
    house.node('b').failJournal(away, away);
    const again = await house.confirm({ node: 'b' });
    const order = await house.node('b').board.orders.look('M-4567');
    expect([again.kind, order?.state]).to.deep.equal(['unknown', 'paying']);
  });
});

describe('a wallet that turns a repeated key away', () => {
  const turnedAway = { kind: 'answers', outcome: { kind: 'unknown', cause: 'status' } } as const;
  const away = Array.from({ length: 200 }, () => turnedAway);

  for (const [verb, delivery, state] of [
    ['reverse', 'fails', 'reversed'],
    ['settle', 'delivers', 'completed'],
  ] as const) {
    it(`is asked what became of a ${verb} whose answer was lost`, async () => {
      const house = await buildHouse({ capabilities: { replay: 'rejects_duplicate' } });
      if (delivery === 'fails') house.machine.setDelivery({ kind: 'fails', code: 'jam' });
      house.wallet.fail(verb, { kind: 'answer_lost' }, ...away);
      await house.select();
      await house.confirm();
      await house.advance(120_000);
      expect([house.stateOf(), house.broken()]).to.deep.equal([state, []]);
    });
  }

  it('is asked what became of a refund whose answer was lost', async () => {
    const house = await buildHouse({ capabilities: { reverseByKey: false, replay: 'none', maxPendingMs: 60_000 } });
    house.wallet.fail('authorize', { kind: 'request_lost' });
    house.wallet.fail('reverse', { kind: 'answer_lost' }, ...away);
    await house.select();
    await house.confirm();
    const loaded = await loadedOf(house);
    await house.advance(400_000);
    const effect = leaseOf(house, { kind: 'authorize', expiresInMs: 50_000, holdMs: null, isResend: false });
    house.node('a').effects.run([{ loaded, effect, dueInMs: 0 }]);
    await house.advance(120_000);
    const refunds = [...house.world.tables.refunds.values()].map(({ n, state }) => `${n} ${state}`);
    expect([refunds, house.evidenceOf().refundedMinor]).to.deep.equal([['1 settled'], 500n]);
  });
});
