import { expect } from 'chai';
import fc from 'fast-check';
import { isDialedString, parseDial } from '../../src/ussd/dial-plan.ts';

const dialed = (text: string, dialedCode: string | null = '123') => parseDial(text, '123', dialedCode);

describe('the dial plan', () => {
  for (const text of [
    '*123*4567#',
    '*123*4567',
    '*123*4567%23',
    '%2A123%2a4567%23',
    ' * 123 * 4567 # ',
    '*１２３*４５６７#',
    '＊123＊4567＃',
    '*١٢٣*٤٥٦٧#',
    '*۱۲۳*۴۵۶۷#',
    '*123**4567#',
    '**123*4567#',
    '*123*123*4567#',
    '*123*4567*12#',
    '*123*4567*12*9#',
    '4567',
    '4567#',
  ]) {
    it(`reads ${text} as machine 4567`, () => {
      expect(dialed(text)).to.deep.equal({ kind: 'machine', number: '4567' });
    });
  }

  for (const text of ['*123#', '*123', '*123*#', '*123**#', '', '#', '*123*123#x']) {
    it(`asks for the number after "${text}"`, () => {
      expect(dialed(text).kind).to.equal('ask_number');
    });
  }

  it('opens the settings after *123*0#', () => {
    expect(dialed('*123*0#')).to.deep.equal({ kind: 'settings' });
  });

  for (const [text, shown] of [
    ['*123*0000#', '0000'],
    ['*123*04567#', '04567'],
    ['*123*123456789#', '12345678'],
    ['*123*456#', '456'],
    ['*123*abc#', 'abc'],
    ['*123*4567;#', '4567'],
    ['*123*../4567#', '4567'],
    [`*123*${'9'.repeat(180)}#`, '99999999'],
  ] as const) {
    it(`refuses ${text.slice(0, 20)} and shows ${shown}`, () => {
      expect(dialed(text)).to.deep.equal({ kind: 'wrong_number', shown });
    });
  }

  it('reads a shared code with inner stars', () => {
    expect(parseDial('*384*77*4567#', '384*77', null)).to.deep.equal({ kind: 'machine', number: '4567' });
  });

  it('takes a code of four digits that is dialed twice as the machine of that number', () => {
    expect(parseDial('*4006*4006#', '4006', null)).to.deep.equal({ kind: 'machine', number: '4006' });
  });

  it('drops another code that the network routes to us', () => {
    expect(dialed('*555*4567#', '555')).to.deep.equal({ kind: 'machine', number: '4567' });
  });

  it('never throws, and never shows more than eight harmless characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 250 }), (text) => {
        const dial = dialed(text);
        if (dial.kind === 'wrong_number') expect(dial.shown).to.match(/^[0-9A-Za-z]{0,8}$/);
        if (dial.kind === 'machine') expect(dial.number).to.match(/^[1-9]\d{3,7}$/);
      }),
    );
  });

  it('tells a dialed string from a keyed one', () => {
    expect(['*123#', '*123*4567', '%2A123%23'].map(isDialedString)).to.deep.equal([true, true, true]);
    expect(['1', '4567', '1*1', ''].map(isDialedString)).to.deep.equal([false, false, false, false]);
  });
});
