/**
 * What every order board does when several callers meet on it, when the payer comes first, and when it is wiped.
 */
import { expect } from 'chai';
import type { Board } from '../../src/order-board/board.ts';
import {
  type BoardSubject,
  claiming,
  countKinds,
  drink,
  type OpenSubject,
  placing,
  shortMs,
  taking,
} from './board-subject.ts';

type Orders = Board['orders'];
type Given = { readonly subject: () => BoardSubject; readonly orders: () => Orders; readonly far: () => Orders };

const closing = { machineId: 'm1', orderSeq: 7, why: 'canceled' };
const releasing = (purchaseId: string) => ({ machineId: 'm1', purchaseId, fromPaying: false });

function describeRendezvous({ orders, far, subject }: Given): void {
  const waiting = (purchaseId: string, waitMs = 60_000) => ({ ...claiming(purchaseId), waitMs });

  it('claims an order that is there already', async () => {
    await orders().place(placing());
    expect(await orders().claimWhenPlaced(waiting('p1'))).to.have.property('kind', 'claimed');
  });
  it('claims an order that another node places later', async () => {
    const claimed = orders().claimWhenPlaced(waiting('p1'));
    await orders().look('m1');
    await far().place(placing());
    expect(await claimed).to.deep.include({ kind: 'claimed', order: drink });
  });
  it('gives an order to one of two who wait for it', async () => {
    const claims = [orders().claimWhenPlaced(waiting('p1')), far().claimWhenPlaced(waiting('p2'))];
    await orders().look('m1');
    await far().place(placing());
    expect(countKinds(await Promise.all(claims))).to.deep.equal({ claimed: 1, taken: 1 });
  });
  it('says none when the time is over', async () => {
    const claimed = orders().claimWhenPlaced(waiting('p1', shortMs));
    await orders().look('m1');
    await subject().pass(shortMs);
    expect(await claimed).to.deep.equal({ kind: 'none' });
  });
  it('answers those who wait when the node ends', async () => {
    const claimed = subject().near.orders.claimWhenPlaced(waiting('p1'));
    await orders().look('m1');
    await subject().near.close();
    expect(await claimed.catch(() => ({ kind: 'unreachable' })))
      .to.have.property('kind')
      .oneOf(['none', 'unreachable']);
  });
}

function describeRaces({ orders, far }: Given): void {
  it('gives one order to one of 200 callers on two nodes', async () => {
    await orders().place(placing());
    const callers = Array.from({ length: 200 }, (_, number) => (number % 2 === 0 ? orders() : far()));
    const replies = await Promise.all(callers.map((node, number) => node.claim(claiming(`p${number}`))));
    expect(countKinds(replies)).to.deep.equal({ claimed: 1, taken: 199 });
  });
  it('takes once for 100 confirmations of the holder and for none of 100 others', async () => {
    await orders().place(placing());
    await orders().claim(claiming('own'));
    const callers = Array.from({ length: 200 }, (_, number) => (number % 2 === 0 ? 'own' : `other${number}`));
    const replies = await Promise.all(
      callers.map((purchaseId, number) => (number % 4 < 2 ? orders() : far()).takeForPayment(taking(purchaseId))),
    );
    expect(countKinds(replies)).to.deep.equal({ taken: 1, again: 99, lost: 100 });
  });
  it('never lets a close and a take both find the order open', async () => {
    await orders().place(placing());
    const [taken, closed] = await Promise.all([orders().takeForPayment(taking('p1')), far().close(closing)]);
    const holder = closed.kind === 'closed' ? closed.holder : null;
    expect([taken.kind, holder]).to.deep.equal(taken.kind === 'taken' ? ['taken', 'p1'] : ['closed', null]);
  });
}

const placeIn: Record<string, (orders: Orders) => Promise<unknown>> = {
  open: (orders) => orders.place(placing()),
  claimed: (orders) => orders.claim(claiming('p1')),
  paying: (orders) => orders.takeForPayment(taking('p1')),
  closed: (orders) => orders.close(closing),
};

function describeWiping({ orders, subject }: Given): void {
  for (const [state, bring] of Object.entries(placeIn)) {
    const wiped = async (): Promise<void> => {
      await orders().place(placing());
      await bring(orders());
      await subject().wipe();
    };
    it(`has no order to claim after it was wiped while ${state}`, async () => {
      await wiped();
      expect(await orders().claim(claiming('p1'))).to.deep.equal({ kind: 'none' });
    });
    it(`has no order to take after it was wiped while ${state}`, async () => {
      await wiped();
      expect(await orders().takeForPayment(taking('p1'))).to.deep.equal({ kind: 'none' });
    });
    it(`has nothing to release or close after it was wiped while ${state}`, async () => {
      await wiped();
      expect([await orders().release(releasing('p1')), await orders().close(closing)]).to.deep.equal([
        'not_held',
        { kind: 'none' },
      ]);
    });
    it(`takes the same order again after it was wiped while ${state}`, async () => {
      await wiped();
      expect(await orders().place(placing())).to.have.property('kind', 'placed');
    });
  }
}

/** The contract of `OrderBoard` between callers, over the boards that `open` makes. */
export function describeMeetings(name: string, open: OpenSubject): void {
  describe(`callers on the ${name}`, () => {
    let opened: BoardSubject;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.close());
    const given: Given = { subject: () => opened, orders: () => opened.near.orders, far: () => opened.far.orders };
    describe('claim when placed', () => describeRendezvous(given));
    describe('races', () => describeRaces(given));
    describe('a wiped board', () => describeWiping(given));
  });
}
