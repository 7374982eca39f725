import { expect } from 'chai';
import { Secret } from '../../src/purchase/payment-port.ts';
import { buildHouse, firstId, type House, payer } from '../support/house.ts';
import { aRegistry, aRegistryMachine, statementOf } from '../support/store-builders.ts';
import { books, callsOf, sold } from './books.ts';

const secondId = '00000000-0000-7000-8000-000000000002';
const otherPayer = '221779999999';
const silentBegin = { on: 'begin', happened: 'unknown', isDone: false } as const;

async function confirmed(before: (house: House) => void = () => undefined): Promise<House> {
  const house = await buildHouse();
  before(house);
  await house.select();
  await house.confirm();
  return house;
}

/** The payer is asked for his PIN. */
async function asked(before: (house: House) => void = () => undefined): Promise<House> {
  const house = await confirmed((made) => {
    made.wallet.setAsking({ by: 'pin', pin: '8642' });
    before(made);
  });
  await house.advance(500);
  expect(house.purchase().state).to.equal('validating');
  return house;
}

async function during<Value>(house: House, ms: number, promise: Promise<Value>): Promise<Value> {
  await house.advance(ms);
  return promise;
}

async function thrownBy(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'nothing',
    (error: unknown) => String(error),
  );
}

const nothing = (house: House): readonly unknown[] => [house.world.tables.purchases.size, house.wallet.calls];

describe('a confirmation', () => {
  it('of an order that the machine is past is refused', async () => {
    const house = await buildHouse();
    await house.select();
    const statement = { machineId: 'M-4567', orderSeq: 17, kind: 'closed', content: {} } as const;
    await house.node('a').store.purchases.keepStatement(statement, null, []);
    expect([await house.confirm(), nothing(house)]).to.deep.equal([
      { kind: 'refused', reason: 'order_changed' },
      [0, []],
    ]);
  });

  it('at a machine that is suspended is refused, and the order is free again', async () => {
    const house = await buildHouse();
    await house.select();
    await house.world.store('a').applyRegistry(aRegistry([aRegistryMachine('M-4567', '4567', { isSuspended: true })]));
    const outcome = await house.confirm();
    const order = await house.node('a').board.orders.look('M-4567');
    expect([outcome, order?.state]).to.deep.equal([{ kind: 'refused', reason: 'machine_suspended' }, 'open']);
  });

  it('at a machine that is no longer registered is refused', async () => {
    const house = await buildHouse();
    await house.select();
    house.world.tables.machines.delete('M-4567');
    expect(await house.confirm()).to.deep.equal({ kind: 'refused', reason: 'machine_suspended' });
  });

  it('is refused by the board’s word while the journal is away', async () => {
    const house = await buildHouse();
    await house.select();
    await house.node('a').board.orders.close({ machineId: 'M-4567', orderSeq: 17, why: 'canceled' });
    house.node('a').failJournal({ on: 'load', happened: 'no', isDone: false });
    expect(await house.confirm()).to.deep.equal({ kind: 'refused', reason: 'order_changed' });
  });

  it('ends with a bug of ours, whatever call met it', async () => {
    const house = await buildHouse();
    await house.select();
    house.node('a').failJournal({ on: 'begin', happened: 'bug', isDone: false });
    const first = await thrownBy(house.confirm());
    house.node('a').failJournal({ on: 'load', happened: 'bug', isDone: false });
    expect([first, await thrownBy(house.confirm())]).to.deep.equal(Array(2).fill('Error: a bug of the journal'));
  });

  it('is refused though its order could not be given back', async () => {
    const house = await buildHouse();
    await house.select();
    const meanwhile = (): void => house.redis.setReachable(false);
    house.node('a').failJournal({ on: 'begin', happened: 'no', isDone: false, meanwhile });
    expect([await house.confirm(), house.node('a').troubles]).to.deep.equal([
      { kind: 'refused', reason: 'service_down' },
      ['board_not_told'],
    ]);
  });

  it('again, of an order taken by a node that died before commit 1, goes on', async () => {
    const house = await buildHouse();
    await house.select();
    house.node('a').dieAtCommit(1, 'before');
    void house.confirm();
    await house.advance(1000);
    house.machine.connect(house.node('b'));
    expect((await house.confirm({ node: 'b' })).kind).to.equal('begun');
    await house.rest();
    expect([books(house), callsOf(house)]).to.deep.equal([sold, 'authorize/1, settle/1']);
  });

  it('again, with less than the cut-off left of such an order, is too late, and the order is free', async () => {
    const house = await buildHouse();
    await house.select();
    house.node('a').dieAtCommit(1, 'before');
    void house.confirm();
    await house.advance(45_000);
    const outcome = await house.confirm({ node: 'b' });
    const order = await house.node('b').board.orders.look('M-4567');
    expect([outcome, order?.state]).to.deep.equal([{ kind: 'refused', reason: 'too_late' }, 'open']);
  });

  it('again, while the journal is away, is in progress, since the first may have begun', async () => {
    const house = await buildHouse();
    await house.select();
    house.node('a').dieAtCommit(1, 'after');
    void house.confirm();
    await house.clock.settle();
    const away = { happened: 'no', isDone: false } as const;
    house
      .node('b')
      .failJournal({ on: 'load', ...away }, ...Array.from({ length: 14 }, () => ({ on: 'begin', ...away }) as const));
    const again = house.confirm({ node: 'b' });
    expect((await during(house, 8000, again)).kind).to.equal('unknown');
    house.machine.connect(house.node('b'));
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('without an answer until the cut-off passes is in progress, never “too late”', async () => {
    const house = await buildHouse();
    await house.select(17, 25_200);
    house.node('a').failJournal(silentBegin);
    expect((await during(house, 1000, house.confirm())).kind).to.equal('unknown');
  });

  it('found out later to be refused gives its order back to the purchase that holds it', async () => {
    const house = await buildHouse();
    house.machine.setDelivery({ kind: 'delivers' }, 25_000);
    await house.select();
    house.node('a').failJournal(...Array.from({ length: 15 }, () => silentBegin));
    const first = house.confirm();
    await house.advance(7500);
    expect((await first).kind).to.equal('unknown');
    house.redis.wipe();
    const order = { orderId: 'o', item: 3, amountMinor: 500n, currency: 'XOF', deliveryMs: 30_000 };
    await house.node('b').board.orders.place({ machineId: 'M-4567', orderSeq: 17, print: '17', order, waitMs: 50_000 });
    await house.confirm({ purchaseId: secondId, payer: otherPayer, node: 'b' });
    await house.advance(6000);
    const seen = await house.node('a').board.orders.look('M-4567');
    expect(seen?.holder).to.equal(secondId);
    await house.rest();
    expect([house.wallet.balanceOf(payer), house.stateOf(secondId), house.broken()]).to.deep.equal([
      5000n,
      'completed',
      [],
    ]);
  });

  it('whose answer was lost for so long that the call could outlive its lease is left to the lease', async () => {
    const house = await buildHouse();
    await house.select();
    const away = { on: 'begin', happened: 'no', isDone: false } as const;
    house.node('a').failJournal({ ...silentBegin, isDone: true }, ...Array.from({ length: 7 }, () => away));
    expect((await during(house, 5000, house.confirm())).kind).to.equal('exists');
    await house.rest();
    expect([books(house), callsOf(house)]).to.deep.equal([sold, 'query authorize/1, authorize/1, settle/1']);
  });

  it('repeated records what is left of the order by then', async () => {
    const house = await buildHouse();
    await house.select();
    house.node('a').failJournal(silentBegin);
    const confirming = house.confirm();
    await house.advance(1000);
    await confirming;
    const kept = house.world.tables.find(firstId);
    expect([kept?.confirmedAt, kept?.deadlineAt]).to.deep.equal([500, 60_000]);
  });
});

describe('the payer’s answer to the wallet', () => {
  it('is not passed on for a purchase that never was', async () => {
    const house = await buildHouse();
    const given = await house.node('a').purchases.giveValidation(firstId, new Secret('8642'));
    expect(given).to.deep.equal({ kind: 'service_down' });
  });

  it('is not passed on once the purchase has ended', async () => {
    const house = await confirmed();
    await house.rest();
    const given = await house.node('a').purchases.giveValidation(firstId, new Secret('8642'));
    expect([given.kind, callsOf(house)]).to.deep.equal(['not_passed_on', 'authorize/1, settle/1']);
  });

  it('is not passed on while the journal is away', async () => {
    const house = await asked();
    house.world.setReachable(false);
    const given = await house.node('b').purchases.giveValidation(firstId, new Secret('8642'));
    expect([given, callsOf(house)]).to.deep.equal([{ kind: 'service_down' }, 'authorize/1']);
  });

  it('whose commit has no answer is unanswered, and was not passed on', async () => {
    const house = await asked();
    house.node('a').failJournal({ on: 'commit', happened: 'unknown', isDone: true });
    const given = await house.node('a').purchases.giveValidation(firstId, new Secret('8642'));
    expect([given.kind, callsOf(house)]).to.deep.equal(['unanswered', 'authorize/1']);
  });

  it('is answered by the attempt’s state when the race is lost too often', async () => {
    const house = await asked();
    const lost = { on: 'commit', happened: 'lost_race', isDone: false } as const;
    const giving = house.node('a').purchases.giveValidation(firstId, new Secret('8642'));
    await house.clock.settle();
    house.node('a').failJournal(lost, lost, lost, lost, lost);
    const given = await during(house, 1000, giving);
    expect(given.kind === 'passed_on' && given.view.state).to.equal('validating');
    await house.rest();
    // No dialog is there to ask: the payer is asked by SMS meanwhile.
    expect(books(house)).to.equal(sold.replace('sent receipt', 'sent sms_validate receipt'));
  });

  it('ends with a bug of the connector, and the wallet is asked what became of it', async () => {
    const house = await asked((made) => made.wallet.fail('validate', { kind: 'bug' }));
    const thrown = await thrownBy(house.node('a').purchases.giveValidation(firstId, new Secret('8642')));
    await house.rest();
    expect([thrown, books(house)]).to.deep.equal([
      'Error: a bug of the connector',
      'declined; sent sms_validate declined',
    ]);
  });
});

describe('the outcome that a dialog waits for', () => {
  it('of a purchase that never was is none', async () => {
    const house = await buildHouse();
    const { purchases } = house.node('a');
    expect([await purchases.outcome(firstId, 1000), await purchases.view(firstId)]).to.deep.equal([null, null]);
  });

  it('is there as soon as the machine has accepted', async () => {
    const house = await confirmed();
    let toldAtMs = -1;
    const waiting = house
      .node('a')
      .purchases.outcome(firstId, 7000)
      .then((view) => {
        toldAtMs = house.clock.now();
        return view;
      });
    const view = await during(house, 7000, waiting);
    expect([view?.isAccepted, toldAtMs]).to.deep.equal([true, 250]);
  });

  it('is read every second where the machine is on another node', async () => {
    const house = await confirmed();
    const view = await during(house, 5000, house.node('b').purchases.outcome(firstId, 5000));
    expect(view?.isAccepted).to.equal(true);
  });

  it('is what is true when its time is over', async () => {
    const house = await confirmed(({ wallet }) => wallet.setAway(true));
    const view = await during(house, 3000, house.node('b').purchases.outcome(firstId, 2500));
    expect(view?.state).to.equal('authorizing');
  });
});

describe('what machines and phones ask of purchases', () => {
  it('finds the purchase of an order, of a machine, of a payer', async () => {
    const house = await confirmed();
    const { purchases } = house.node('a');
    const { payerId } = await house.world.store('a').subscribers.meet(payer);
    const ids = async (): Promise<readonly unknown[]> => [
      (await purchases.ofOrder('M-4567', 17))?.id,
      (await purchases.ofOrder('M-4567', 18))?.id,
      (await purchases.liveOfMachine('M-4567')).map(({ id }) => id),
      (await purchases.recentOf(payerId, 60_000)).map(({ id }) => id),
      await purchases.seqFloorOf('M-4567'),
      (await purchases.view(firstId))?.id,
    ];
    expect(await ids()).to.deep.equal([firstId, undefined, [firstId], [firstId], 17, firstId]);
  });

  it('shows a purchase as the journal knows it, not as this node remembers it', async () => {
    const house = await confirmed(({ wallet }) => wallet.setAway(true));
    await house.advance(13_000);
    const authorized = { type: 'authorized', ref: firstId, holdExpiresInMs: null, leftMs: 40_000 } as const;
    await house.node('b').coordinator.apply(firstId, authorized);
    expect((await house.node('a').purchases.view(firstId))?.state).to.equal('approving');
  });

  it('advises before the quote by the wallet’s word', async () => {
    const house = await buildHouse();
    house.wallet.fund(payer, 499n);
    const check = await house.node('a').purchases.check(payer, { minor: 500n, currency: 'XOF' });
    expect(check).to.deep.equal({ account: 'available', affordable: 'no', validation: 'none' });
  });

  it('infers the acceptance from an answer that quotes the approval, and from no other', async () => {
    const house = await confirmed(({ machine }) => machine.failApproval({ kind: 'lost' }));
    await house.advance(500);
    const { purchases, coordinator } = house.node('a');
    await purchases.noteAccepted('M-4567', 18, purchases.approvalIdOf(firstId));
    await purchases.noteAccepted('M-4567', 17, 'another');
    const before = coordinator.isAccepted(firstId);
    await purchases.noteAccepted('M-4567', 17, purchases.approvalIdOf(firstId));
    await house.advance(1500);
    const after = [coordinator.isAccepted(firstId), house.purchase().state];
    await purchases.noteAccepted('M-4567', 17, purchases.approvalIdOf(firstId));
    expect([before, after]).to.deep.equal([false, [true, 'vending']]);
  });

  it('keeps a statement on an order that nobody bought, and says so', async () => {
    const house = await buildHouse();
    const statement = { machineId: 'M-4567', orderSeq: 17, kind: 'closed', content: {} } as const;
    const event = { type: 'vend_closed', result: 'expired' } as const;
    const said = await house.node('a').purchases.recordStatement({ statement, event, approvalId: null });
    expect([said, house.world.tables.statements.size]).to.deep.equal([{ kind: 'recorded', hasLivePurchase: false }, 1]);
  });

  it('acknowledges no statement that lost its race too often, or met a journal that is away', async () => {
    const house = await confirmed(({ machine }) => machine.setDelivery({ kind: 'says_nothing' }));
    await house.advance(2000);
    const { purchases } = house.node('a');
    const approvalId = purchases.approvalIdOf(firstId);
    const event = { type: 'vend_failed', code: 'jam' } as const;
    const say = () =>
      purchases.recordStatement({ statement: statementOf(house.purchase(), 'failure'), event, approvalId });
    const lost = { on: 'commit', happened: 'lost_race', isDone: false } as const;
    house.node('a').failJournal(lost, lost, lost, lost, lost);
    const first = await say();
    house.world.setReachable(false);
    const second = await say();
    house.world.setReachable(true);
    expect([first, second, await say()]).to.deep.equal([
      { kind: 'busy' },
      { kind: 'busy' },
      { kind: 'recorded', hasLivePurchase: true },
    ]);
  });

  it('ends a statement that met a bug of ours, unacknowledged', async () => {
    const house = await confirmed(({ machine }) => machine.setDelivery({ kind: 'says_nothing' }));
    await house.advance(2000);
    const { purchases } = house.node('a');
    house.node('a').failJournal({ on: 'commit', happened: 'bug', isDone: false });
    const event = { type: 'vend_failed', code: 'jam' } as const;
    const saying = purchases.recordStatement({
      statement: statementOf(house.purchase(), 'failure'),
      event,
      approvalId: purchases.approvalIdOf(firstId),
    });
    expect(await thrownBy(saying)).to.equal('Error: a bug of the journal');
  });
});
