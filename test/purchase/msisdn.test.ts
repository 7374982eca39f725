import { expect } from 'chai';
import fc from 'fast-check';
import { maskMsisdn, parseMsisdn } from '../../src/purchase/msisdn.ts';

const read = (text: string): string => {
  const parsed = parseMsisdn(text, '221');
  return parsed.ok ? parsed.value : parsed.refusal;
};

describe('a phone number', () => {
  for (const text of ['+221 77 123 45 01', '00221771234501', '221771234501', '77.123-45 01', '0771234501']) {
    it(`is read from ${text}`, () => {
      expect(read(text)).to.equal('221771234501');
    });
  }

  it('of another country keeps its own calling code', () => {
    expect([read('+33612345678'), read('33612345678')]).to.deep.equal(['33612345678', '33612345678']);
  });

  for (const text of [
    '',
    '12',
    '+',
    '77 123 45 0x',
    '++221771234501',
    '1234567890123456789012',
    '+012345678',
    '+1234567',
  ]) {
    it(`is none in "${text}"`, () => {
      expect(read(text)).to.equal('not_a_number');
    });
  }

  it('is shown by its first five and last two digits', () => {
    expect(maskMsisdn('221771234501')).to.equal('22177*****01');
  });

  it('is hidden whole when it is short', () => {
    expect(maskMsisdn('1234567')).to.equal('*******');
  });

  it('masked never shows more than seven digits, whatever its length', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[1-9]\d{7,14}$/), (msisdn) => {
        const masked = maskMsisdn(msisdn);
        expect([masked.length, masked.replace(/\D/g, '').length]).to.deep.equal([msisdn.length, 7]);
      }),
    );
  });
});
