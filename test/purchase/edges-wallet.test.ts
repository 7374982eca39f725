import { expect } from 'chai';
import type { WalletFault } from '../support/fake-wallet.ts';
import { buildHouse, firstId, type House, type HouseDeps } from '../support/house.ts';
import { keyOf } from '../support/house-node.ts';
import { books, callsOf, sold } from './books.ts';

const lost: WalletFault = { kind: 'request_lost' };
const answerLost: WalletFault = { kind: 'answer_lost' };
const late = (afterMs: number): WalletFault => ({ kind: 'late', afterMs });
const declines: WalletFault = { kind: 'answers', outcome: { kind: 'declined', code: 'insufficient_funds' } };

async function confirmed(deps: HouseDeps = {}, before: (house: House) => void = () => undefined): Promise<House> {
  const house = await buildHouse(deps);
  before(house);
  await house.select();
  await house.confirm();
  return house;
}

describe('edges of the wallet', () => {
  it('edge 8: the wallet does not answer in time: it is asked, and never asked to pay again', async () => {
    const house = await confirmed({}, ({ wallet }) => wallet.fail('authorize', answerLost));
    await house.advance(12_000);
    expect(house.stateOf()).to.equal('authorizing');
    await house.rest();
    expect([books(house), callsOf(house)]).to.deep.equal([sold, 'authorize/1, query authorize/1, settle/1']);
  });

  for (const cause of ['connection', 'status', 'shape', 'mismatch'] as const) {
    it(`edge 8: the wallet’s answer is no answer (${cause}): it is asked what became of the call`, async () => {
      const outcome = { kind: 'unknown', cause } as const;
      const house = await confirmed({}, ({ wallet }) => wallet.fail('authorize', { kind: 'answers', outcome }));
      await house.advance(300);
      expect(house.stateOf()).to.equal('authorizing');
      await house.rest();
      expect(books(house)).to.equal(sold);
    });
  }

  it('edge 8: the wallet stays silent for ever: no second debit, no delivery, and a person is called after an hour', async () => {
    const house = await confirmed({}, ({ wallet }) => wallet.setAway(true));
    await house.advance(2 * 3_600_000);
    expect([books(house), house.wallet.calls.filter((call) => call.startsWith('authorize')).length]).to.deep.equal([
      'authorizing payment_overdue',
      1,
    ]);
    house.wallet.setAway(false);
    await house.rest();
    expect(books(house)).to.equal('reversed; sent declined');
  });

  it('edge 9: a success comes to light after the deadline: the money goes back', async () => {
    const house = await confirmed({}, ({ wallet }) => {
      wallet.fail('authorize', answerLost);
      wallet.fail('query', lost, lost, lost, lost);
    });
    await house.rest();
    const { facts } = house.purchase();
    expect([books(house), facts.reversalReason, house.machine.approvals]).to.deep.equal([
      'reversed; sent refunded',
      'secured_late',
      [],
    ]);
  });

  it('edge 10: the wallet never heard of the key: the same key again, in time', async () => {
    const house = await confirmed({}, ({ wallet }) => wallet.fail('authorize', lost));
    await house.rest();
    expect([books(house), callsOf(house)]).to.deep.equal([
      sold,
      'authorize/1, query authorize/1, authorize/1, settle/1',
    ]);
  });

  it('edge 10: a refusal of the repeated call counts only once a query confirms it', async () => {
    const house = await confirmed({}, ({ wallet }) => {
      // The first call is on its way for 20 s; the repetition is judged by a balance that it has used already.
      wallet.fail('authorize', late(15_000), declines);
    });
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('edge 10: too late for a repetition: reversed by key, so that the call on its way can never succeed', async () => {
    const house = await confirmed({}, ({ wallet }) => {
      wallet.fail('authorize', late(120_000));
      wallet.fail('query', lost, lost, lost);
    });
    await house.rest();
    const { facts } = house.purchase();
    expect([books(house), facts.reversalReason]).to.deep.equal(['reversed; sent declined', 'never_seen']);
  });

  it('edge 10: a wallet that cannot reverse by key is asked until nothing can be pending, and a day later until that is sure again', async () => {
    const capabilities = { reverseByKey: false, replay: 'none' } as const;
    const house = await confirmed({ capabilities }, ({ wallet }) => wallet.fail('authorize', lost));
    await house.advance(10 * 60_000);
    expect([books(house), house.purchase().facts.declineCode]).to.deep.equal([
      'declined; sent declined',
      'wallet_unavailable',
    ]);
    const before = house.wallet.calls.length;
    await house.rest();
    expect([books(house), house.wallet.calls.length - before]).to.deep.equal(['declined; sent declined', 2]);
  });

  it('edge 19: the reversal fails for a day: it goes on, a person is called, the payer hears of it', async () => {
    const house = await confirmed({}, ({ wallet, machine }) => {
      machine.setDelivery({ kind: 'fails', code: 'jam' });
      wallet.fail('reverse', ...Array.from({ length: 200 }, () => lost));
    });
    await house.advance(25 * 3_600_000);
    expect(books(house)).to.equal('reversing reversal_overdue; payer -500; sent refund_pending');
    await house.rest();
    expect(books(house)).to.equal('reversed; sent refund_pending refunded');
  });

  it('edge 19: a refused reversal is confirmed by a query before the next attempt, and every earlier one is asked again', async () => {
    const refused: WalletFault = { kind: 'answers', outcome: { kind: 'declined', code: 'wallet_refused' } };
    const house = await confirmed({}, ({ wallet, machine }) => {
      machine.setDelivery({ kind: 'fails', code: 'jam' });
      wallet.fail('reverse', refused);
      wallet.fail('query', refused);
    });
    await house.rest();
    expect([books(house), callsOf(house)]).to.deep.equal([
      'reversed; sent refunded',
      'authorize/1, reverse/1, query reverse/1, query reverse/1, reverse/2',
    ]);
  });

  it('edge 19: the answer of the reversal is lost: the same key again, and the money comes back once', async () => {
    const house = await confirmed({}, ({ wallet, machine }) => {
      machine.setDelivery({ kind: 'fails', code: 'jam' });
      wallet.fail('reverse', answerLost, { kind: 'double' });
    });
    await house.rest();
    expect([books(house), house.evidenceOf().reversals]).to.deep.equal(['reversed; sent refunded', 1]);
  });

  it('edge 20: settling fails after the delivery: retried until definite', async () => {
    const house = await confirmed({}, ({ wallet }) =>
      wallet.fail('settle', lost, answerLost, { kind: 'answers', outcome: { kind: 'unknown', cause: 'status' } }),
    );
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('edge 20: a settlement that fails for a day is seen by a person, and goes on', async () => {
    const house = await confirmed({ capabilities: { holds: null } }, ({ wallet }) =>
      wallet.fail('settle', ...Array.from({ length: 200 }, () => lost)),
    );
    await house.advance(25 * 3_600_000);
    expect(books(house)).to.equal('settling settlement_overdue; payer -500; dropped 1; sent receipt');
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('edge 20: the hold is gone: the operator’s loss, once a person accepts it', async () => {
    const capabilities = { holds: { maxMs: 86_400_000 } };
    const house = await confirmed({ capabilities }, ({ wallet }) =>
      wallet.fail('settle', ...Array.from({ length: 200 }, () => lost)),
    );
    await house.advance(2 * 86_400_000 + 12 * 3_600_000);
    expect(books(house)).to.equal('settling settlement_overdue; dropped 1; sent receipt');
    await house.node('a').coordinator.apply(firstId, { type: 'loss_accepted', by: 'awa', reason: 'hold expired' });
    await house.rest();
    expect([books(house), house.purchase().facts.isUncollected]).to.deep.equal([
      'completed; dropped 1; sent receipt',
      true,
    ]);
  });

  it('edge 26: money turns out to be secured after the end: one refund of the whole price', async () => {
    const capabilities = { reverseByKey: false, replay: 'none' } as const;
    const house = await confirmed({ capabilities }, ({ wallet }) => wallet.fail('authorize', late(3_600_000)));
    await house.advance(3_700_000);
    expect(house.stateOf()).to.equal('declined');
    // The wallet's callback: it is recorded, and the wallet is asked.
    const { store, coordinator } = house.node('a');
    const [row] = coordinator.rowsOf(house.purchase(), [{ effect: { kind: 'query_payment' }, dueInMs: 0 }]);
    if (row !== undefined) await store.purchases.planQuery(firstId, { ...row, isOwn: false });
    await house.rest();
    expect([books(house), house.evidenceOf().refundedMinor, house.world.tables.refunds.size]).to.deep.equal([
      'declined paid_after_close; sent declined',
      500n,
      1,
    ]);
  });

  it('edge 26: money found by the last look, a day later, goes back likewise', async () => {
    const capabilities = { reverseByKey: false, replay: 'none' } as const;
    const house = await confirmed({ capabilities }, ({ wallet }) => {
      wallet.fail('authorize', late(3_600_000));
      wallet.fail('reverse', answerLost);
    });
    await house.rest();
    expect([books(house), house.evidenceOf().refundedMinor]).to.deep.equal([
      'declined paid_after_close; sent declined',
      500n,
    ]);
  });

  it('edge 26: a late callback that only confirms the decline changes nothing', async () => {
    const house = await confirmed({}, ({ wallet }) => wallet.refuse('221771234501', 'account_blocked'));
    await house.rest();
    const row = {
      key: keyOf(firstId, 'query_payment', 1),
      effect: { kind: 'query_payment' },
      dueInMs: 0,
      isOwn: false,
    } as const;
    await house.node('a').store.purchases.planQuery(firstId, row);
    await house.rest();
    expect(books(house)).to.equal('declined; sent declined');
  });
});
