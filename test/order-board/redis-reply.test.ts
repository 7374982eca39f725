import { expect } from 'chai';
import fc from 'fast-check';
import { numberAt, readOrder, stateAt, textAt, writeOrder } from '../../src/order-board/redis-reply.ts';
import { Bug } from '../../src/result.ts';

const orders = fc.record({
  orderId: fc.string({ maxLength: 40 }),
  item: fc.option(fc.nat(65_534), { nil: null }),
  amountMinor: fc.bigInt(0n, 999_999_999_999_999_999n),
  currency: fc.constantFrom('XOF', 'KES', 'EUR'),
  deliveryMs: fc.nat(600_000),
});

describe('the body of an order', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(orders, (order) => {
        expect(readOrder(writeOrder(order))).to.deep.equal(order);
      }),
    );
  });
  it('holds the amount as text', () => {
    const body = writeOrder({ orderId: 'o', item: 1, amountMinor: 500n, currency: 'XOF', deliveryMs: 1_000 });
    expect(body).to.equal('["o",1,"500","XOF",1000]');
  });
  for (const body of [
    '{}',
    '[]',
    '["o",1,500,"XOF",1000]',
    '["o",1,"5.0","XOF",1000]',
    '["o","1","500","XOF",1000]',
    '["o",1,"500","XOF"]',
  ]) {
    it(`is no ${body}`, () => {
      expect(() => readOrder(body)).to.throw(Bug);
    });
  }
});

describe('a reply', () => {
  it('with no text where one should be is a bug', () => {
    expect(() => textAt(['claimed'], 1)).to.throw(Bug);
  });
  it('with no number where one should be is a bug', () => {
    expect(() => numberAt(['claimed', '7'], 1)).to.throw(Bug);
  });
  it('with an unknown state is a bug', () => {
    expect(() => stateAt(['taken', 'sold'], 1)).to.throw(Bug);
  });
});
