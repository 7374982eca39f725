import { expect } from 'chai';
import fc from 'fast-check';
import smpp from 'smpp';
import {
  countSeptets,
  decodeGsm,
  encodeGsm,
  packSeptets,
  septetsOfCharacter,
  unpackSeptets,
} from '../../src/smpp/gsm0338.ts';

const CHARACTERS = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).filter(
  (one) => septetsOfCharacter(one) > 0,
);
const gsmText = fc.array(fc.constantFrom(...CHARACTERS), { maxLength: 200 }).map((characters) => characters.join(''));

describe('the GSM 7-bit alphabet', () => {
  it('has 127 characters of one septet and ten of two', () => {
    expect(CHARACTERS.filter((one) => septetsOfCharacter(one) === 1)).to.have.length(127);
    expect(CHARACTERS.filter((one) => septetsOfCharacter(one) === 2)).to.have.length(10);
  });

  it('gives each text back as it was', () => {
    fc.assert(
      fc.property(gsmText, (text) => {
        expect(decodeGsm(encodeGsm(text) ?? Buffer.alloc(0))).to.deep.equal({ text, damaged: false });
      }),
    );
  });

  it('gives each text back through packed octets, but for a CR at the end of a full group', () => {
    fc.assert(
      fc.property(gsmText, (text) => {
        const septets = encodeGsm(text) ?? Buffer.alloc(0);
        fc.pre(!(septets.length % 8 === 0 && septets.at(-1) === 0x0d));
        expect(unpackSeptets(packSeptets(septets)).equals(septets)).to.equal(true);
      }),
    );
  });

  it('writes the octets npm smpp writes', () => {
    for (const character of CHARACTERS) {
      const pdu = new smpp.PDU('submit_sm', { data_coding: 0, short_message: character }).toBuffer();
      const own = encodeGsm(character);
      expect(own?.toString('hex'), JSON.stringify(character)).to.equal(
        pdu.subarray(-septetsOfCharacter(character)).toString('hex'),
      );
    }
  });

  it('packs the examples of the standard', () => {
    const packed = (text: string): string => packSeptets(encodeGsm(text) ?? Buffer.alloc(0)).toString('hex');
    expect(packed('*100#')).to.equal('aa180c3602');
    expect(packed('*123*4567#')).to.equal('aa986ca6a2d56cb711');
    expect(packed('hellohello')).to.equal('e8329bfd4697d9ec37');
  });

  it('fills seven spare bits with CR, not with @', () => {
    expect(unpackSeptets(packSeptets(Buffer.alloc(7, 0x31)))).to.have.length(7);
  });

  it('reads 0x09 as the capital letter', () => {
    expect(decodeGsm(Buffer.from([0x09])).text).to.equal('Ç');
  });

  it('shows the basic character for an unknown extension code', () => {
    expect(decodeGsm(Buffer.from([0x1b, 0x41]))).to.deep.equal({ text: 'A', damaged: false });
  });

  it('marks a last escape and octets above 0x7F as damage', () => {
    expect(decodeGsm(Buffer.from([0x34, 0x1b]))).to.deep.equal({ text: '4', damaged: true });
    expect(decodeGsm(Buffer.from([0x80]))).to.deep.equal({ text: '\uFFFD', damaged: true });
  });

  it('counts the euro as two and refuses what is not in it', () => {
    expect(countSeptets('2,50 €')).to.equal(7);
    expect(countSeptets('reçu')).to.equal(null);
  });
});
