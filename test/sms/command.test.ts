import { expect } from 'chai';
import fc from 'fast-check';
import { readCommand } from '../../src/sms/command.ts';

const order = { kind: 'order', machineNumber: '4567' };

describe('a text', () => {
  for (const text of [
    '4567',
    ' 4567. ',
    '４５６７',
    '٤٥٦٧',
    '4567 12',
    '*123*4567#',
    '* 123 * 4567',
    '*123*4567*12#',
    '4567\n',
  ]) {
    it(`${JSON.stringify(text)} is an order`, () => {
      expect(readCommand(text)).to.deep.equal(order);
    });
  }

  for (const text of ['OUI 382', 'oui 382', 'Yes  382.', 'ok 382', '382', 'نعم ٣٨٢', 'sim 382', 'NDIYO 382!']) {
    it(`${JSON.stringify(text)} confirms 382`, () => {
      expect(readCommand(text)).to.deep.equal({ kind: 'confirm', code: '382' });
    });
  }

  for (const [text, kind] of [
    ['non', 'cancel'],
    ['NO', 'cancel'],
    ['não', 'cancel'],
    ['لا', 'cancel'],
    ['aide', 'help'],
    ['HELP!', 'help'],
    ['?', 'help'],
    ['مساعدة', 'help'],
    ['stop', 'stop'],
    ['arrêt', 'stop'],
    ['START', 'start'],
  ] as const) {
    it(`${JSON.stringify(text)} is ${kind}`, () => {
      expect(readCommand(text)).to.deep.equal({ kind });
    });
  }

  it('LANG en asks for English', () => {
    expect(readCommand('lang EN')).to.deep.equal({ kind: 'language', language: 'en' });
  });

  for (const text of [
    '4567 12 99',
    '4567 1203',
    '',
    ' ',
    '☕',
    'OUI',
    'OUI 38',
    'OUI 3822',
    'OUI 382 OUI',
    '0000',
    '0567',
    '123456789',
    '12',
    'LANG',
    'LANG fra',
    'id:123 stat:DELIVRD',
    '__proto__',
    'x'.repeat(2_000),
  ]) {
    it(`${JSON.stringify(text.slice(0, 20))} is unclear`, () => {
      expect(readCommand(text)).to.deep.equal({ kind: 'unclear' });
    });
  }

  it('never throws, and is an order only with a machine number', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const command = readCommand(text);
        if (command.kind === 'order') expect(command.machineNumber).to.match(/^[1-9]\d{3,7}$/);
        if (command.kind === 'confirm') expect(command.code).to.match(/^\d{3}$/);
      }),
    );
  });
});
