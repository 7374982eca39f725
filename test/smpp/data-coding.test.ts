import { expect } from 'chai';
import fc from 'fast-check';
import {
  decodeText,
  encodeText,
  encodeUcs2,
  measureText,
  splitSms,
  textLimits,
  transliterate,
} from '../../src/smpp/data-coding.ts';

/** What a phone puts together again. */
function join(text: string): { text: string; parts: number } {
  const encoded = encodeText(text, null);
  const parts = splitSms(encoded, 7, 255) ?? [];
  const coding = encoded.alphabet === 'gsm7' ? 0 : 8;
  const texts = parts.map((part) => decodeText(part.hasHeader ? part.octets.subarray(6) : part.octets, coding));
  expect(texts.some((one) => one.damaged)).to.equal(false);
  return { text: texts.map((one) => one.text).join(''), parts: parts.length };
}

describe('the coding of a text', () => {
  it('keeps French in GSM-7', () => {
    const encoded = encodeText('Reçu même en août: cœur, l’« été »…', 'fr');
    expect(encoded.alphabet).to.equal('gsm7');
    expect(encoded.text).to.equal('Recu meme en aout: coeur, l\'" été "...');
  });

  it('keeps French amounts in GSM-7, whatever spaces they come with', () => {
    for (const space of ['\u00A0', '\u202F', '\u2009']) {
      expect(encodeText(`12${space}500 F${space}CFA`, 'fr')).to.include({ alphabet: 'gsm7', text: '12 500 F CFA' });
    }
  });

  it('sends letters of no table as UCS-2, unchanged throughout', () => {
    const encoded = encodeText('Reçu: قهوة', 'fr');
    expect(encoded).to.include({ alphabet: 'ucs2', text: 'Reçu: قهوة', units: 10 });
    expect(decodeText(encoded.octets, 8)).to.deep.equal({ text: 'Reçu: قهوة', damaged: false });
  });

  it('never turns a character into @ or ?', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const { text: sent } = encodeText(text, 'fr');
        const count = (one: string): number => one.split(/[@?]/).length;
        expect(count(sent)).to.equal(count(text));
      }),
    );
  });

  it('leaves GSM letters alone when it transliterates', () => {
    expect(transliterate('à è é ì ò ù Ç É ä ö ü ñ å ø æ ß', 'pt')).to.equal('à è é ì ò ù Ç É ä ö ü ñ å ø æ ß');
    expect(transliterate('máquina', 'pt')).to.equal('maquina');
    expect(transliterate('e\u0301te\u0302', 'fr')).to.equal('éte');
  });

  it('measures septets and UCS-2 units', () => {
    expect(measureText('Payé: 500 F CFA')).to.deep.equal({ alphabet: 'gsm7', units: 15 });
    expect(measureText('reçu 👍')).to.deep.equal({ alphabet: 'ucs2', units: 7 });
  });

  it('reads each coding of the map', () => {
    const latin = Buffer.from([0xe9, 0x41]);
    expect(decodeText(latin, 3)).to.deep.equal({ text: 'éA', damaged: false });
    expect(decodeText(latin, 1).damaged).to.equal(true);
    expect(decodeText(Buffer.from([0x05]), 15)).to.deep.equal({ text: 'é', damaged: false });
    expect(decodeText(Buffer.from([0x05]), 0xf1)).to.deep.equal({ text: 'é', damaged: false });
    expect(decodeText(encodeUcs2('4567'), 0x48)).to.deep.equal({ text: '4567', damaged: false });
    expect(decodeText(Buffer.concat([Buffer.from([0xe6, 0x39]), encodeUcs2('4567')]), 0x11)).to.deep.equal({
      text: '4567',
      damaged: false,
    });
    expect(decodeText(Buffer.from('4567'), 0x44)).to.deep.equal({ text: '4567', damaged: false });
    expect(decodeText(Buffer.from('4567'), 0x77)).to.deep.equal({ text: '4567', damaged: true });
  });

  it('gives well-formed UCS-2 back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        fc.pre(!text.startsWith('\uFEFF'));
        expect(decodeText(encodeUcs2(text), 8)).to.deep.equal({ text, damaged: false });
      }),
    );
  });
});

describe('a long SMS', () => {
  it('stays in one part up to 160 septets or 70 units', () => {
    expect(join('x'.repeat(160)).parts).to.equal(1);
    expect(join('x'.repeat(161)).parts).to.equal(2);
    expect(join('م'.repeat(70)).parts).to.equal(1);
    expect(join('م'.repeat(71)).parts).to.equal(2);
    expect(join('x'.repeat(306)).parts).to.equal(2);
    expect(join('x'.repeat(307)).parts).to.equal(3);
  });

  it('never cuts an escape pair, a surrogate pair or a combining mark', () => {
    const heads = [
      'x'.repeat(152) + '€'.repeat(60),
      'م'.repeat(66) + '👍'.repeat(20),
      `م${'a'.repeat(65)}e\u0301`.padEnd(100, 'b'),
    ];
    for (const text of heads) expect(join(text).text).to.equal(text);
    const [first] = splitSms(encodeText(heads[2] ?? '', null), 1, 3) ?? [];
    expect(first?.octets).to.have.length(6 + 2 * 66);
  });

  it('comes together again, each part within its limit', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '€', 'é', 'ç', '👍', '\u0301'), maxLength: 500 }), (text) => {
        const encoded = encodeText(text, null);
        for (const part of splitSms(encoded, 1, 255) ?? [])
          expect(part.octets.length).to.be.at.most(part.hasHeader || encoded.alphabet === 'ucs2' ? 140 + 19 : 160);
        expect(join(text).text).to.equal(text);
      }),
    );
  });

  it('is refused when it needs more parts than allowed', () => {
    expect(splitSms(encodeText('x'.repeat(textLimits.smsPart.gsm7 * 3 + 1), null), 1, 3)).to.equal(null);
  });
});
