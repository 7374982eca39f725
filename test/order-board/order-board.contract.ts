/**
 * What every order board does, whatever it is made of: each reply of each call, and each call repeated.
 */
import { expect } from 'chai';
import type { Board } from '../../src/order-board/board.ts';
import {
  type BoardSubject,
  claiming,
  drink,
  type OpenSubject,
  placing,
  repeatedAfterCut,
  shortMs,
  taking,
} from './board-subject.ts';

type Orders = Board['orders'];
/** Where the tests of one group find their subject. */
type Given = { readonly subject: () => BoardSubject; readonly orders: () => Orders; readonly far: () => Orders };

const closing = { machineId: 'm1', orderSeq: 7, why: 'canceled' };
const releasing = (purchaseId: string, fromPaying = false) => ({ machineId: 'm1', purchaseId, fromPaying });

function describePlace({ orders, subject }: Given): void {
  it('places an order with the whole waiting time', async () => {
    expect(await orders().place(placing())).to.deep.equal({ kind: 'placed', leftMs: 60_000, replaced: null });
  });
  it('answers a repetition with the order as it stands', async () => {
    await orders().place(placing());
    const again = await orders().place(placing());
    expect(again).to.include({ kind: 'same', state: 'open', holder: null, why: null });
  });
  it('answers a repetition with the amount to the last unit', async () => {
    await orders().place(placing());
    expect(await orders().place(placing())).to.have.deep.property('order', drink);
  });
  it('does not prolong an order that is placed again', async () => {
    await orders().place(placing());
    expect(await orders().place(placing({ waitMs: 90_000 })))
      .to.have.property('leftMs')
      .at.most(60_000);
  });
  it('shortens an order that is placed again with less to wait', async () => {
    await orders().place(placing());
    await orders().place(placing({ waitMs: 5_000 }));
    expect(await orders().claim(claiming('p1'))).to.have.property('kind', 'late');
  });
  it('refuses other content under the same number', async () => {
    await orders().place(placing());
    expect(await orders().place(placing({ print: 'other' }))).to.deep.equal({ kind: 'conflict' });
  });
  it('refuses a lower number and names the one there', async () => {
    await orders().place(placing());
    expect(await orders().place(placing({ orderSeq: 6 }))).to.deep.equal({ kind: 'stale', seq: 7 });
  });
  it('replaces by a higher number and names the state and holder before', async () => {
    await orders().place(placing());
    await orders().takeForPayment(taking('p1'));
    const placed = await orders().place(placing({ orderSeq: 8, print: 'print of 8' }));
    expect(placed).to.have.deep.property('replaced', { state: 'paying', holder: 'p1' });
  });
  it('keeps nothing of a replaced order', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1'));
    await orders().close(closing);
    await orders().place(placing({ orderSeq: 8, print: 'print of 8' }));
    const again = await orders().place(placing({ orderSeq: 8, print: 'print of 8' }));
    expect(again).to.include({ state: 'open', holder: null, why: null });
  });
  it('takes the largest number a machine can count to', async () => {
    await orders().place(placing({ orderSeq: 4_294_967_295 }));
    expect(await orders().claim(claiming('p1'))).to.have.property('orderSeq', 4_294_967_295);
  });
  for (const waitMs of [0, -1]) {
    it(`refuses an order with ${waitMs} ms to wait`, async () => {
      expect(await orders().place(placing({ waitMs }))).to.deep.equal({ kind: 'late' });
    });
  }
  it('answers same when the first reply was cut off', async () => {
    const again = await repeatedAfterCut(subject(), 'order:', () => orders().place(placing()));
    expect(again).to.have.property('kind', 'same');
  });
}

function describeClaim({ orders, far, subject }: Given): void {
  it('says none where there is no order', async () => {
    expect(await orders().claim(claiming('p1'))).to.deep.equal({ kind: 'none' });
  });
  it('gives the order to the first caller', async () => {
    await orders().place(placing());
    const { leftMs, ...claimed } = { leftMs: 0, ...(await orders().claim(claiming('p1'))) };
    expect(claimed).to.deep.equal({ kind: 'claimed', orderSeq: 7, order: drink });
    expect(leftMs).to.be.within(50_000, 60_000);
  });
  it('renews the hold of the same purchase', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1', { holdMs: 1_000 }));
    await orders().claim(claiming('p1'));
    expect(await far().claim(claiming('p2')))
      .to.have.property('holdLeftMs')
      .within(20_000, 30_000);
  });
  it('refuses a second caller while the hold lasts', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1'));
    expect(await far().claim(claiming('p2'))).to.include({ kind: 'taken', state: 'claimed' });
  });
  it('gives the order to a second caller when the hold has lapsed', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1', { holdMs: shortMs }));
    await subject().pass(shortMs);
    expect(await far().claim(claiming('p2'))).to.have.property('kind', 'claimed');
  });
  it('ends no hold later than the order', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1', { holdMs: 600_000 }));
    expect(await far().claim(claiming('p2')))
      .to.have.property('holdLeftMs')
      .at.most(60_000);
  });
  it('says paying to the purchase that pays', async () => {
    await orders().place(placing());
    await orders().takeForPayment(taking('p1'));
    expect(await orders().claim(claiming('p1'))).to.deep.include({ kind: 'paying', orderSeq: 7, order: drink });
  });
  it('says taken to others while a purchase pays', async () => {
    await orders().place(placing());
    await orders().takeForPayment(taking('p1'));
    expect(await far().claim(claiming('p2'))).to.include({ kind: 'taken', state: 'paying' });
  });
  it('says why a closed order is closed', async () => {
    await orders().place(placing());
    await orders().close(closing);
    expect(await orders().claim(claiming('p1'))).to.deep.equal({ kind: 'closed', why: 'canceled' });
  });
  it('refuses with less left than asked for', async () => {
    await orders().place(placing({ waitMs: 19_999 }));
    expect(await orders().claim(claiming('p1'))).to.have.property('kind', 'late');
  });
  it('refuses after the deadline', async () => {
    await orders().place(placing({ waitMs: shortMs }));
    await subject().pass(shortMs);
    expect(await orders().claim(claiming('p1', { minLeftMs: 0 }))).to.deep.equal({ kind: 'expired' });
  });
  it('keeps machines apart', async () => {
    await orders().place(placing());
    expect(await orders().claim({ ...claiming('p1'), machineId: 'm2' })).to.deep.equal({ kind: 'none' });
  });
  it('answers claimed again when the first reply was cut off', async () => {
    await orders().place(placing());
    const again = await repeatedAfterCut(subject(), 'order:', () => orders().claim(claiming('p1')));
    expect(again).to.have.property('kind', 'claimed');
  });
}

function describeTake({ orders, far, subject }: Given): void {
  it('says none where there is no order', async () => {
    expect(await orders().takeForPayment(taking('p1'))).to.deep.equal({ kind: 'none' });
  });
  it('takes from the own claim', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1'));
    expect(await orders().takeForPayment(taking('p1'))).to.have.property('kind', 'taken');
  });
  it('takes an open order that nobody holds', async () => {
    await orders().place(placing());
    expect(await orders().takeForPayment(taking('p1')))
      .to.have.property('leftMs')
      .within(50_000, 60_000);
  });
  it('says again to the purchase that pays, however little is left', async () => {
    await orders().place(placing());
    await orders().takeForPayment(taking('p1'));
    expect(await orders().takeForPayment(taking('p1', { minLeftMs: 90_000 }))).to.have.property('kind', 'again');
  });
  it('loses to another claim', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1'));
    expect(await far().takeForPayment(taking('p2'))).to.deep.equal({ kind: 'lost', state: 'claimed' });
  });
  it('loses to another purchase that pays', async () => {
    await orders().place(placing());
    await orders().takeForPayment(taking('p1'));
    expect(await far().takeForPayment(taking('p2'))).to.deep.equal({ kind: 'lost', state: 'paying' });
  });
  it('takes from a claim that has lapsed', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1', { holdMs: shortMs }));
    await subject().pass(shortMs);
    expect(await far().takeForPayment(taking('p2'))).to.have.property('kind', 'taken');
  });
  it('takes no other order than the one shown', async () => {
    await orders().place(placing());
    await orders().place(placing({ orderSeq: 8, print: 'print of 8' }));
    expect(await orders().takeForPayment(taking('p1'))).to.deep.equal({ kind: 'replaced', orderSeq: 8 });
  });
  it('says why a closed order is closed', async () => {
    await orders().place(placing());
    await orders().close(closing);
    expect(await orders().takeForPayment(taking('p1'))).to.deep.equal({ kind: 'closed', why: 'canceled' });
  });
  it('refuses with less left than asked for', async () => {
    await orders().place(placing({ waitMs: 19_999 }));
    expect(await orders().takeForPayment(taking('p1'))).to.deep.equal({ kind: 'late' });
  });
  it('refuses after the deadline', async () => {
    await orders().place(placing({ waitMs: shortMs }));
    await subject().pass(shortMs);
    expect(await orders().takeForPayment(taking('p1', { minLeftMs: 0 }))).to.deep.equal({ kind: 'expired' });
  });
  it('answers again when the first reply was cut off', async () => {
    await orders().place(placing());
    const again = await repeatedAfterCut(subject(), 'order:', () => orders().takeForPayment(taking('p1')));
    expect(again).to.have.property('kind', 'again');
  });
}

function describeRelease({ orders, far, subject }: Given): void {
  it('opens the order that the purchase had claimed', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1'));
    expect(await orders().release(releasing('p1'))).to.equal('released');
    expect(await far().claim(claiming('p2'))).to.have.property('kind', 'claimed');
  });
  it('says paying, and changes nothing, when the purchase pays', async () => {
    await orders().place(placing());
    await orders().takeForPayment(taking('p1'));
    expect(await orders().release(releasing('p1'))).to.equal('paying');
    expect(await orders().look('m1')).to.include({ state: 'paying', holder: 'p1' });
  });
  it('opens the order of a declined purchase', async () => {
    await orders().place(placing());
    await orders().takeForPayment(taking('p1'));
    expect(await orders().release(releasing('p1', true))).to.equal('released');
    expect(await orders().look('m1')).to.include({ state: 'open', holder: null });
  });
  it('releases nothing that another purchase holds', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1'));
    expect(await far().release(releasing('p2', true))).to.equal('not_held');
  });
  it('releases nothing that is closed', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1'));
    await orders().close(closing);
    expect(await orders().release(releasing('p1', true))).to.equal('not_held');
  });
  it('releases nothing where nothing is', async () => {
    expect(await orders().release(releasing('p1'))).to.equal('not_held');
  });
  it('answers not_held when the first reply was cut off', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1'));
    const again = await repeatedAfterCut(subject(), 'order:', () => orders().release(releasing('p1')));
    expect(again).to.equal('not_held');
  });
}

function describeClose({ orders, subject }: Given): void {
  it('closes an open order', async () => {
    await orders().place(placing());
    expect(await orders().close(closing)).to.deep.equal({ kind: 'closed', stateBefore: 'open', holder: null });
  });
  it('names the purchase that was paying', async () => {
    await orders().place(placing());
    await orders().takeForPayment(taking('p1'));
    expect(await orders().close(closing)).to.deep.equal({ kind: 'closed', stateBefore: 'paying', holder: 'p1' });
  });
  it('keeps the first reason', async () => {
    await orders().place(placing());
    await orders().close(closing);
    expect(await orders().close({ ...closing, why: 'sold' })).to.deep.equal({ kind: 'again', why: 'canceled' });
  });
  it('closes no other order', async () => {
    await orders().place(placing({ orderSeq: 8 }));
    expect(await orders().close(closing)).to.deep.equal({ kind: 'other', orderSeq: 8 });
  });
  it('says none where there is no order', async () => {
    expect(await orders().close(closing)).to.deep.equal({ kind: 'none' });
  });
  it('answers again when the first reply was cut off', async () => {
    await orders().place(placing());
    const again = await repeatedAfterCut(subject(), 'order:', () => orders().close(closing));
    expect(again).to.deep.equal({ kind: 'again', why: 'canceled' });
  });
}

function describeLook({ orders, subject }: Given): void {
  it('sees nothing where there is no order', async () => {
    expect(await orders().look('m1')).to.equal(null);
  });
  it('sees the order, its state and its holder', async () => {
    await orders().place(placing());
    await orders().claim(claiming('p1'));
    expect(await orders().look('m1')).to.deep.include({ orderSeq: 7, state: 'claimed', order: drink, holder: 'p1' });
  });
  it('sees nothing left after the deadline', async () => {
    await orders().place(placing({ waitMs: shortMs }));
    await subject().pass(shortMs);
    expect(await orders().look('m1')).to.include({ state: 'open', leftMs: 0 });
  });
}

/** The contract of `OrderBoard`, over the boards that `open` makes. */
export function describeOrders(name: string, open: OpenSubject): void {
  describe(`orders on the ${name}`, () => {
    let opened: BoardSubject;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.close());
    const given: Given = { subject: () => opened, orders: () => opened.near.orders, far: () => opened.far.orders };
    describe('place', () => describePlace(given));
    describe('claim', () => describeClaim(given));
    describe('take for payment', () => describeTake(given));
    describe('release', () => describeRelease(given));
    describe('close', () => describeClose(given));
    describe('look', () => describeLook(given));
  });
}
