import { expect } from 'chai';
import { buildHouse, firstId, type House, type HouseDeps } from '../support/house.ts';
import { books, sold } from './books.ts';

const secondId = '00000000-0000-7000-8000-000000000002';

async function confirmed(deps: HouseDeps = {}, before: (house: House) => void = () => undefined): Promise<House> {
  const house = await buildHouse(deps);
  before(house);
  await house.select();
  await house.confirm();
  return house;
}

const DAY_MS = 86_400_000;

describe('edges of the machine', () => {
  it('edge 4: the order is cancelled before the confirmation: refused, nothing asked of the wallet', async () => {
    const house = await buildHouse();
    await house.select();
    await house.node('a').board.orders.close({ machineId: 'M-4567', orderSeq: 17, why: 'canceled' });
    expect([await house.confirm(), house.wallet.calls]).to.deep.equal([
      { kind: 'refused', reason: 'order_changed' },
      [],
    ]);
  });

  it('edge 4: the order is replaced before the confirmation: refused, nothing asked of the wallet', async () => {
    const house = await buildHouse();
    await house.select(17);
    await house.select(18);
    expect([await house.confirm(), house.wallet.calls]).to.deep.equal([
      { kind: 'refused', reason: 'order_changed' },
      [],
    ]);
  });

  it('edge 4: the order expires before the confirmation: refused, nothing asked of the wallet', async () => {
    const house = await buildHouse();
    await house.select();
    await house.advance(61_000);
    expect([await house.confirm(), house.wallet.calls]).to.deep.equal([{ kind: 'refused', reason: 'too_late' }, []]);
  });

  it('edge 11: the machine is away and nothing was ever sent: the money goes back at the deadline', async () => {
    const house = await confirmed({ isConnected: false });
    await house.rest();
    expect([books(house), house.purchase().facts.reversalReason]).to.deep.equal([
      'reversed; sent refunded',
      'machine_unreachable',
    ]);
  });

  it('edge 11: the machine comes back in time: the approval is sent then', async () => {
    const house = await confirmed({ isConnected: false });
    await house.advance(30_000);
    house.machine.connect(house.node('b'));
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('edge 11: it may have been sent, and the machine stays away: in doubt, then in the payer’s favor', async () => {
    const house = await confirmed({}, ({ machine }) => machine.failApproval({ kind: 'lost' }));
    await house.advance(2000);
    house.machine.disconnect();
    await house.advance(60_000);
    expect(books(house)).to.equal('in_doubt in_doubt; payer -500; sent in_doubt');
    await house.rest();
    expect(books(house)).to.equal('reversed in_doubt; sent in_doubt refunded');
  });

  for (const reason of ['late', 'canceled', 'replaced', 'amount_mismatch', 'out_of_order', 'storage'] as const) {
    it(`edge 12: the machine rejects (${reason}): the money goes back at once`, async () => {
      const house = await confirmed({}, ({ machine }) => machine.failApproval({ kind: 'rejected', reason }));
      await house.advance(5000);
      expect(house.stateOf()).to.equal('reversed');
      await house.rest();
      expect(books(house)).to.equal('reversed; sent refunded');
    });
  }

  it('edge 12: unknown_order after an approval that may have been sent is no evidence', async () => {
    const house = await confirmed({}, ({ machine }) =>
      machine.failApproval({ kind: 'lost' }, { kind: 'rejected', reason: 'unknown_order' }),
    );
    await house.advance(10_000);
    expect(books(house)).to.equal('in_doubt in_doubt; payer -500; sent in_doubt');
    await house.rest();
    expect(books(house)).to.equal('reversed in_doubt; sent in_doubt refunded');
  });

  it('edge 12: unknown_order to the first approval is definite', async () => {
    const house = await confirmed({}, ({ machine }) =>
      machine.failApproval({ kind: 'rejected', reason: 'unknown_order' }),
    );
    await house.advance(5000);
    expect(house.stateOf()).to.equal('reversed');
    await house.rest();
    expect(books(house)).to.equal('reversed; sent refunded');
  });

  it('edge 13: no acceptance until the deadline: in doubt, told at once, and settled by the machine’s next hello', async () => {
    const house = await confirmed({}, ({ machine }) => {
      machine.failApproval({ kind: 'answer_lost' });
      machine.setDelivery({ kind: 'delivers' }, 1500);
    });
    await house.advance(1000);
    house.machine.disconnect();
    await house.advance(60_000);
    expect(house.stateOf()).to.equal('in_doubt in_doubt');
    house.machine.connect(house.node('a'));
    await house.rest();
    expect(books(house)).to.equal('completed; payer -500; operator +500; dropped 1; sent in_doubt receipt');
  });

  it('edge 13: the machine closed the order without a delivery: its next hello gives the money back', async () => {
    const house = await confirmed({}, ({ machine }) => machine.failApproval({ kind: 'lost' }));
    await house.advance(2000);
    house.machine.disconnect();
    await house.advance(3_600_000);
    house.machine.connect(house.node('a'));
    await house.rest(DAY_MS / 2);
    expect([books(house), house.purchase().facts.reversalReason]).to.deep.equal([
      'reversed; sent in_doubt refunded',
      'closed_by_machine',
    ]);
  });

  it('edge 14: accepted, and no result within the watchdog: in doubt until the journal of the machine decides', async () => {
    const house = await confirmed({}, ({ machine }) => machine.setDelivery({ kind: 'says_nothing' }));
    await house.advance(70_000);
    expect(books(house)).to.equal('in_doubt in_doubt; payer -500; sent in_doubt');
    house.machine.reportLate(17, { kind: 'failure', event: { type: 'vend_failed', code: 'motor' } });
    await house.rest();
    expect(books(house)).to.equal('reversed; sent in_doubt refunded');
  });

  it('edge 14: nobody ever says: after a day in the payer’s favor; a success after that is shown, and moves nothing', async () => {
    const house = await confirmed({}, ({ machine }) => machine.setDelivery({ kind: 'says_nothing' }));
    await house.rest();
    expect(books(house)).to.equal('reversed in_doubt; sent in_doubt refunded');
    house.machine.reportLate(17, { kind: 'success', event: { type: 'vend_succeeded', basis: null } });
    await house.rest();
    expect(house.stateOf()).to.equal('reversed in_doubt contradicting_result');
    expect([house.evidenceOf().securedMinor, house.evidenceOf().returnedMinor]).to.deep.equal([500n, 500n]);
  });

  for (const code of ['jam', 'sold_out', 'motor', 'door_open'] as const) {
    it(`edge 15: the vend fails (${code}): the money goes back, with the reason`, async () => {
      const house = await confirmed({}, ({ machine }) => machine.setDelivery({ kind: 'fails', code }));
      await house.rest();
      expect([books(house), house.purchase().facts.reversalReason]).to.deep.equal([
        'reversed; sent refunded',
        `failed_${code}`,
      ]);
    });
  }

  for (const basis of ['reboot', 'vmc_reset'] as const) {
    it(`edge 16: a reset between approval and result (${basis}): a presumed success, listed apart`, async () => {
      const house = await confirmed({}, ({ machine }) => machine.setDelivery({ kind: 'presumes', basis }));
      await house.rest();
      expect([books(house), house.purchase().facts.presumed]).to.deep.equal([sold, basis]);
    });
  }

  it('edge 16: the controller never said: no success is presumed', async () => {
    const house = await confirmed({}, ({ machine }) => machine.setDelivery({ kind: 'presumes', basis: 'no_result' }));
    await house.advance(10_000);
    expect(house.stateOf()).to.equal('in_doubt in_doubt');
    await house.rest();
    expect(house.stateOf()).to.equal('reversed in_doubt');
    expect(house.broken()).to.deep.equal([]);
  });

  it('edge 17: the same result twice is applied once', async () => {
    const house = await confirmed();
    await house.advance(4000);
    house.machine.repeat(17);
    await house.rest();
    house.machine.repeat(17);
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('edge 17: a result before the acceptance: the acceptance is inferred', async () => {
    const house = await confirmed({}, ({ machine }) => machine.failApproval({ kind: 'slow_answer' }));
    await house.rest();
    const path = house.node('a').changes.map(({ loaded }) => loaded.purchase.state);
    expect([books(house), path]).to.deep.equal([sold, ['authorizing', 'approving', 'settling', 'completed']]);
  });

  it('edge 17: a result that quotes another approval is kept for a person, and moves nothing', async () => {
    const house = await confirmed({}, ({ machine }) => machine.setDelivery({ kind: 'says_nothing' }));
    await house.advance(2000);
    const statement = { machineId: 'M-4567', orderSeq: 17, kind: 'failure', content: {} } as const;
    const event = { type: 'vend_failed', code: 'jam' } as const;
    const said = await house.node('a').purchases.recordStatement({ statement, event, approvalId: 'another' });
    expect([said, house.stateOf(), house.broken()]).to.deep.equal([
      { kind: 'recorded', hasLivePurchase: true },
      'vending contradicting_result',
      [],
    ]);
  });

  it('edge 18: a contradicting second result is kept for a person, and never moves money', async () => {
    const house = await confirmed();
    await house.rest();
    house.machine.reportLate(17, { kind: 'failure', event: { type: 'vend_failed', code: 'jam' } });
    await house.rest();
    expect(books(house)).to.equal(sold.replace('completed', 'completed contradicting_result'));
  });

  it('edge 18: a failure said before the wallet has answered is kept for a person', async () => {
    const house = await confirmed({}, ({ wallet }) => wallet.fail('authorize', { kind: 'late', afterMs: 5000 }));
    const statement = { machineId: 'M-4567', orderSeq: 17, kind: 'failure', content: {} } as const;
    const event = { type: 'vend_failed', code: 'jam' } as const;
    const approvalId = house.node('a').purchases.approvalIdOf(firstId);
    await house.node('a').purchases.recordStatement({ statement, event, approvalId });
    await house.rest();
    expect(books(house)).to.equal(sold.replace('completed', 'completed contradicting_result'));
  });

  it('edge 28: the order is cancelled after the confirmation, before the money is secured: it goes back, the machine is never asked', async () => {
    const house = await confirmed({}, ({ wallet }) => wallet.fail('authorize', { kind: 'late', afterMs: 5000 }));
    await house.advance(1000);
    house.machine.cancel(17);
    await house.rest();
    expect([books(house), house.purchase().facts.reversalReason, house.machine.approvals]).to.deep.equal([
      'reversed; sent refunded',
      'order_gone',
      [],
    ]);
  });

  it('edge 28: the wallet declines after the machine closed the order: declined, and the order stays closed', async () => {
    const house = await confirmed({}, ({ wallet }) => {
      wallet.fail('authorize', { kind: 'late', afterMs: 5000 });
      wallet.refuse('221771234501', 'limit_exceeded');
    });
    await house.advance(1000);
    house.machine.cancel(17);
    await house.rest();
    const order = await house.node('a').board.orders.look('M-4567');
    expect([books(house), order?.state]).to.deep.equal(['declined; sent declined', 'closed']);
  });

  it('edge 27: the operator refunds a completed purchase by hand, at most the paid amount in total', async () => {
    const house = await confirmed();
    await house.rest();
    const { store, coordinator } = house.node('a');
    const refund = async (n: number, amountMinor: bigint): Promise<string> => {
      const effect = { kind: 'refund', n, amountMinor, reason: 'paid_after_close' } as const;
      const [row] = coordinator.rowsOf(house.purchase(), [{ effect, dueInMs: 0 }]);
      if (row === undefined) return 'no row';
      const asked = { purchaseId: firstId, n, amountMinor, requestedBy: 'awa', reason: 'cold' } as const;
      return store.purchases.refund({ ...asked, effect: { ...row, isOwn: false }, opened: [] });
    };
    expect([await refund(1, 200n), await refund(2, 301n), await refund(2, 300n)]).to.deep.equal([
      'recorded',
      'above_price',
      'recorded',
    ]);
    await house.rest();
    expect([house.stateOf(), house.evidenceOf().refundedMinor, house.wallet.balanceOf('221771234501')]).to.deep.equal([
      'completed',
      500n,
      5000n,
    ]);
  });

  it('edge 27: the operator refunds a purchase in doubt: it goes back once, whatever the machine says later', async () => {
    const house = await confirmed({}, ({ machine }) => machine.setDelivery({ kind: 'says_nothing' }));
    await house.advance(70_000);
    await house.node('a').coordinator.apply(firstId, { type: 'operator_refunded', by: 'awa', reason: 'payer called' });
    await house.advance(5000);
    house.machine.reportLate(17, { kind: 'failure', event: { type: 'vend_failed', code: 'jam' } });
    await house.rest();
    expect(books(house)).to.equal('reversed; sent in_doubt refunded');
  });

  it('edge 27: the operator confirms a purchase in doubt: it is settled', async () => {
    const house = await confirmed({}, ({ machine }) => machine.setDelivery({ kind: 'says_nothing' }));
    await house.advance(70_000);
    await house.node('a').coordinator.apply(firstId, { type: 'operator_confirmed', by: 'awa', reason: 'seen' });
    await house.rest();
    expect([house.stateOf(), house.wallet.operatorMinor, secondId === firstId]).to.deep.equal([
      'completed',
      500n,
      false,
    ]);
  });
});
