import { expect } from 'chai';
import type { Capabilities } from '../../src/purchase/payment-port.ts';
import { attemptDelayMs, choosePlan, givesBackParts, type Rules } from '../../src/purchase/rules.ts';
import { rules } from '../support/purchase-builders.ts';

const capabilities: Capabilities = {
  holds: { maxMs: 7 * 86_400_000 },
  release: true,
  partialReverse: true,
  affordability: true,
  reverseByKey: true,
  replay: 'first_answer',
  validation: ['pin'],
  maxPendingMs: 120_000,
  currencies: ['XOF'],
};

function plan(maxHoldMs: number | null, own: Partial<Rules> = {}): string {
  const holds = maxHoldMs === null ? null : { maxMs: maxHoldMs };
  const question = { capabilities: { ...capabilities, holds }, leftMs: 60_000, deliveryMs: 30_000 };
  const chosen = choosePlan({ ...question, rules: { ...rules, ...own } });
  return `${chosen.plan} ${chosen.holdMs}`;
}

describe('the choice of plan', () => {
  it('holds for order, delivery, result, doubt and grace where the wallet can', () => {
    expect(plan(7 * 86_400_000)).to.equal(`hold_capture ${60_000 + 30_000 + 30_000 + 86_400_000 + 3_600_000}`);
  });

  it('holds as long as the wallet can when that covers order, result and a minute', () => {
    expect(plan(180_000)).to.equal('hold_capture 180000');
  });

  it('debits when a hold would not cover order, result and a minute', () => {
    expect(plan(179_999)).to.equal('debit_refund null');
  });

  it('debits where the wallet knows no hold', () => {
    expect(plan(null)).to.equal('debit_refund null');
  });

  it('debits when the configuration says so', () => {
    expect(plan(7 * 86_400_000, { plan: 'debit_refund' })).to.equal('debit_refund null');
  });
});

describe('the wait before a next attempt', () => {
  it('doubles from 1 s to 15 min', () => {
    expect([1, 2, 3, 10, 11, 99].map(attemptDelayMs)).to.deep.equal([1000, 2000, 4000, 512_000, 900_000, 900_000]);
  });
});

describe('a part of the price', () => {
  it('is given back by a wallet that can, unless a call of its again would give back again', () => {
    const by = (own: Partial<Capabilities>): boolean => givesBackParts({ ...capabilities, ...own });
    expect([
      by({}),
      by({ replay: 'rejects_duplicate' }),
      by({ partialReverse: false }),
      by({ replay: 'none' }),
    ]).to.deep.equal([true, true, false, false]);
  });
});
