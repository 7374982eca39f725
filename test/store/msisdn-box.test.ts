/**
 * Phone numbers in their boxes.
 */
import { expect } from 'chai';
import { assertKeys, boxMsisdn, msisdnMacOf, unboxMsisdn } from '../../src/store/msisdn-box.ts';
import { testSecrets } from '../support/store-builders.ts';

const PHONE = '221771234501';

describe("a number's box", () => {
  const mac = msisdnMacOf(testSecrets, PHONE);

  it('opens under a master key that is being replaced', () => {
    const before = { ...testSecrets, masterKeys: testSecrets.masterKeys.slice(1) };
    const boxed = boxMsisdn(before, PHONE, mac);
    expect(boxed.keyId).to.equal('old');
    expect(unboxMsisdn(testSecrets, boxed, mac)).to.equal(PHONE);
    expect(boxMsisdn(testSecrets, PHONE, mac).keyId).to.equal('new');
  });

  it('does not open once its master key is gone', () => {
    const after = { ...testSecrets, masterKeys: testSecrets.masterKeys.slice(1) };
    expect(() => unboxMsisdn(after, boxMsisdn(testSecrets, PHONE, mac), mac)).to.throw('master key');
  });

  it('does not open for another row, nor when it was changed', () => {
    const boxed = boxMsisdn(testSecrets, PHONE, mac);
    expect(() => unboxMsisdn(testSecrets, boxed, msisdnMacOf(testSecrets, '221771234502'))).to.throw();
    const box = Buffer.from(boxed.box);
    box[14] = (box[14] ?? 0) ^ 1;
    expect(() => unboxMsisdn(testSecrets, { ...boxed, box }, mac)).to.throw();
  });

  it('is another one each time, while the hash is the same', () => {
    expect(boxMsisdn(testSecrets, PHONE, mac).box).to.not.deep.equal(boxMsisdn(testSecrets, PHONE, mac).box);
    expect(msisdnMacOf(testSecrets, PHONE)).to.deep.equal(mac);
  });

  it('is refused keys of another length, or none', () => {
    expect(() => assertKeys({ ...testSecrets, msisdnMacKey: Buffer.alloc(16) })).to.throw('32 bytes');
    expect(() => assertKeys({ ...testSecrets, masterKeys: [] })).to.throw('master key');
    expect(() => assertKeys({ ...testSecrets, masterKeys: [{ id: 'x', key: Buffer.alloc(31) }] })).to.throw('32 bytes');
  });
});
