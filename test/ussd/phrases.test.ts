import { expect } from 'chai';
import fc from 'fast-check';
import { currencies, displayMoney } from '../../src/money.ts';
import { measureText, textLimits } from '../../src/smpp/data-coding.ts';
import { createPhrases, cutProductName, faultsOfTexts, placeholdersOf, type TextKey } from '../../src/ussd/phrases.ts';
import { renderInvalid } from '../../src/ussd/screens.ts';
import { phrases, texts } from './support/phone-bench.ts';

const keys = Object.keys(placeholdersOf).filter((key): key is TextKey => Object.hasOwn(placeholdersOf, key));
const longest = {
  machine: '12345678',
  product: '[[[[[[[[[[[[[[[[[[[[[[[[',
  price: displayMoney({ minor: 999_999_999_999n, currency: 'XOF' }),
  reference: 'WWWWWW',
  code: '999',
  tries: '9',
  since: '119 s',
  when: '22 Nov 15:20',
  minutes: '10',
  number: '65534',
};

describe('the texts', () => {
  it('are complete in French and English', () => {
    expect(faultsOfTexts(texts)).to.deep.equal([]);
    expect(phrases.languages).to.deep.equal(['fr', 'en']);
  });

  for (const language of ['fr', 'en']) {
    for (const key of keys) {
      it(`fit with the longest of everything: ${key} in ${language}`, () => {
        const text = phrases.say(language, key, longest);
        expect(measureText(text).alphabet).to.equal('gsm7');
        expect(measureText(renderInvalid(phrases, language, text)).units).to.be.at.most(textLimits.ussdBudget.gsm7);
        expect(text.split('\n').length).to.be.at.most(7);
      });
    }
  }

  it('never turn to UCS-2 by an amount, in any currency', () => {
    fc.assert(
      fc.property(fc.constantFrom(...currencies), fc.bigInt(0n, 999_999_999_999n), (currency, minor) => {
        const price = displayMoney({ minor, currency });
        for (const language of ['fr', 'en']) {
          const { alphabet, units } = measureText(
            phrases.say(language, 'quote', { ...longest, product: 'Café', price }),
          );
          expect(alphabet).to.equal('gsm7');
          expect(units).to.be.at.most(160);
        }
      }),
    );
  });

  it('fit whatever a product is called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.constantFrom('fr', 'en'), (product, language) => {
        for (const key of ['quote', 'sms_quote', 'receipt'] as const) {
          const { alphabet, units } = measureText(phrases.say(language, key, { ...longest, product }));
          expect(units, `${key} ${JSON.stringify(product)}`).to.be.at.most(textLimits.ussdBudget[alphabet]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('say the design page’s examples', () => {
    const coffee = { machine: '4567', product: 'Café long', price: '500 F CFA' };
    expect(phrases.say('fr', 'quote', coffee)).to.equal(
      'Distributeur 4567\nCafé long: 500 F CFA\n1 Payer\n2 Autre produit\n0 Annuler',
    );
    expect(measureText(phrases.say('fr', 'quote', coffee)).units).to.equal(72);
    expect(phrases.say('fr', 'insufficient', coffee)).to.equal(
      'Solde insuffisant. Prix 500 F CFA. Aucun débit.\nRechargez puis refaites *123*4567#',
    );
    expect(
      measureText(phrases.say('en', 'quote', { machine: '4567', product: 'Coffee', price: 'KES 50' })).units,
    ).to.equal(58);
  });

  it('keep an Arabic product where it fits, and fall back to what GSM-7 has where it does not', () => {
    const quote = phrases.say('fr', 'quote', { machine: '4567', product: 'قهوة سوداء كبيرة', price: '500 F CFA' });
    expect(measureText(quote).units).to.be.at.most(160);
    expect(quote).to.contain('500 F CFA').and.to.contain('1 Payer');
  });

  it('take accents off a product that GSM-7 and the table do not know', () => {
    expect(phrases.say('fr', 'quote', { machine: '4567', product: 'Žižka', price: '1 F CFA' })).to.contain('Zizka');
  });

  it('answer an unknown language in the operator’s', () => {
    expect(phrases.say('zz', 'cancelled', {})).to.equal('Annulé. Aucun débit.');
    expect(phrases.say('__proto__', 'cancelled', {})).to.equal('Annulé. Aucun débit.');
  });

  it('refuse to leave a gap', () => {
    expect(() => phrases.say('fr', 'paid', {})).to.throw('lacks');
  });

  it('are refused with every fault at once', () => {
    const broken = { fr: { ...texts['fr'], quote: '{maschine}', busy: '', other: 'x' } };
    expect(() => createPhrases(broken, { serviceCode: '123', wallet: 'MoMo', defaultLanguage: 'sw' }))
      .to.throw('fr: quote names {maschine}')
      .with.property('message')
      .that.contains('fr: busy is missing')
      .and.contains('fr: other is no text of ours')
      .and.contains('sw: no texts in this language');
  });
});

describe('a product name on a phone', () => {
  it('has 20 characters, one line and no emoji', () => {
    expect(cutProductName('x'.repeat(200))).to.equal('x'.repeat(20));
    expect(cutProductName('☕️ Café\n👩‍🍳 long 🇸🇳')).to.equal('Café long');
  });

  it('is the selection’s number where nobody registered one', () => {
    expect(phrases.productName('fr', null, 12)).to.equal('Produit 12');
    expect(phrases.productName('en', '☕', null)).to.equal('Product');
  });
});
