import { expect } from 'chai';
import fc from 'fast-check';
import {
  currencies,
  decimalOf,
  displayMoney,
  exponentOf,
  isCurrency,
  isSameMoney,
  type Money,
  parseDecimal,
} from '../src/money.ts';
import { Bug } from '../src/result.ts';

const money = (minor: bigint, currency: string): Money => ({ minor, currency });
const anyMoney = fc
  .record({ minor: fc.bigInt({ min: 0n, max: 10n ** 15n - 1n }), currency: fc.constantFrom(...currencies) })
  .map(({ minor, currency }) => money(minor, currency));

describe('an amount on a phone', () => {
  const rows: readonly (readonly [Money, string])[] = [
    [money(500n, 'XOF'), '500 F CFA'],
    [money(500n, 'XAF'), '500 FCFA'],
    [money(5000n, 'KES'), 'KES 50'],
    [money(1250n, 'GHS'), 'GHS 12.50'],
    [money(250n, 'EUR'), '2,50 €'],
    [money(5n, 'GHS'), 'GHS 0.05'],
    [money(1500n, 'TND'), '1.500 TND'],
    [money(0n, 'XOF'), '0 F CFA'],
    [money(-1250n, 'GHS'), 'GHS -12.50'],
  ];
  for (const [amount, text] of rows) {
    it(`of ${amount.minor} ${amount.currency} reads ${text}`, () => {
      expect(displayMoney(amount)).to.equal(text);
    });
  }

  it('stays within the characters of GSM 03.38', () => {
    fc.assert(fc.property(anyMoney, (amount) => /^[A-Za-z0-9 .,€-]+$/.test(displayMoney(amount))));
  });
});

describe('an amount on a wire', () => {
  it('is written in its shortest form', () => {
    const amounts = [money(500n, 'XOF'), money(150n, 'GHS'), money(100n, 'GHS'), money(1n, 'TND'), money(-150n, 'GHS')];
    expect(amounts.map(decimalOf)).to.deep.equal(['500', '1.5', '1', '0.001', '-1.5']);
  });

  it('is read back as what it was', () => {
    fc.assert(
      fc.property(anyMoney, (amount) => {
        expect(parseDecimal(decimalOf(amount), amount.currency)).to.deep.equal({ ok: true, value: amount });
      }),
    );
  });

  for (const text of ['5', '5.0', '05.00', '5.000000000']) {
    it(`is read from ${text}`, () => {
      expect(parseDecimal(text, 'GHS')).to.deep.equal({ ok: true, value: money(500n, 'GHS') });
    });
  }

  for (const text of [
    '',
    '.5',
    '5.',
    '-5',
    '+5',
    '5,0',
    '1e3',
    ' 5',
    '5 ',
    '0x5',
    '1.001',
    '1234567890123456789',
    '٥',
  ]) {
    it(`is none in "${text}"`, () => {
      expect(parseDecimal(text, 'GHS')).to.deep.equal({ ok: false, refusal: 'not_an_amount' });
    });
  }

  it('is refused in an unknown currency', () => {
    expect(parseDecimal('5', 'toString')).to.deep.equal({ ok: false, refusal: 'unknown_currency' });
  });
});

describe('a currency', () => {
  it('has the exponent of ISO 4217, also where Intl errs', () => {
    expect(['XOF', 'MGA', 'TND', 'EUR'].map(exponentOf)).to.deep.equal([0, 2, 3, 2]);
  });

  it('outside the table is a bug', () => {
    expect(() => exponentOf('ZZZ')).to.throw(Bug, 'ZZZ');
  });

  it('is known by its code alone', () => {
    expect(['XOF', 'xof', 'constructor'].map(isCurrency)).to.deep.equal([true, false, false]);
  });

  it('tells amounts apart', () => {
    const one = money(5n, 'XOF');
    expect([
      isSameMoney(one, money(5n, 'XOF')),
      isSameMoney(one, money(5n, 'XAF')),
      isSameMoney(one, money(6n, 'XOF')),
    ]).to.deep.equal([true, false, false]);
  });
});
