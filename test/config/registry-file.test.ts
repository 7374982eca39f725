import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { currencies } from '../../src/money.ts';
import { readRegistry } from '../../src/registry-file.ts';
import { checkoutFolder } from '../support/servers.ts';

const MACHINE = `id: hall-1, number: "4567", operatorId: 1, name: Coffee, currency: XOF`;

function problemsOf(text: string): readonly string[] {
  const read = readRegistry(text);
  return read.ok ? [] : read.refusal.problems;
}

describe('the registry file', () => {
  it('is read whole, with money as bigint and what is left out by default', () => {
    const read = readRegistry(`
operators: [{id: 1, name: Snacks, account: SNACKS, currency: XOF}]
products: [{operatorId: 1, name: Café, priceMinor: 500}]
machines: [{${MACHINE}, maxMinor: 1000, items: [{item: null, productName: Café}]}]`);
    expect(read.ok ? read.value : read.refusal).to.deep.equal({
      operators: [
        { id: 1, name: 'Snacks', account: 'SNACKS', timeZone: 'Africa/Dakar', currency: 'XOF', language: 'fr' },
      ],
      products: [{ operatorId: 1, name: 'Café', priceMinor: 500n }],
      machines: [
        {
          id: 'hall-1',
          number: '4567',
          operatorId: 1,
          name: 'Coffee',
          place: '',
          currency: 'XOF',
          priceMode: 'machine',
          minMinor: 1n,
          maxMinor: 1000n,
          isSuspended: false,
          key: null,
          items: [{ item: null, productName: 'Café', priceMinor: null }],
        },
      ],
    });
  });

  it('may be empty', () => {
    expect(readRegistry('')).to.deep.equal({ ok: true, value: { operators: [], products: [], machines: [] } });
  });

  it('is refused with every problem at its place', () => {
    expect(
      problemsOf(`
operators: [{id: 0, name: Snacks, account: SNACKS, currency: XXX}]
products: [{operatorId: 1, name: Café, priceMinor: 1.5}]
machines: [{${MACHINE.replace('"4567"', '0456')}, keys: x}, {id: a b, number: "0456"}]
machins: []`),
    ).to.have.members([
      'operators.0.id: expected at least 1',
      `operators.0.currency: expected one of ${currencies.join(', ')}`,
      'products.0.priceMinor: expected a whole number, found a number',
      'machines.0.number: expected text, found a number; put it in quotes, since YAML reads 0123 as 123 and drops a plus sign',
      'machines.0.keys: unknown setting; did you mean key?',
      'machines.1.id: expected text of the form /^[A-Za-z0-9][A-Za-z0-9._-]{2,47}$/',
      'machines.1.number: expected 4 to 8 digits, the first not 0',
      'machines.1.operatorId: missing; expected a whole number',
      'machines.1.name: missing; expected text',
      `machines.1.currency: missing; expected one of ${currencies.join(', ')}`,
      'machins: unknown setting; did you mean machines?',
    ]);
  });

  it('is refused when two entries are the same, or a least is above a most', () => {
    const machine = `{${MACHINE}, minMinor: 9, maxMinor: 8, items: [{item: 1, productName: a}, {item: 1, productName: b}]}`;
    expect(
      problemsOf(`
operators: [{id: 1, name: a, account: a, currency: XOF}, {id: 1, name: b, account: b, currency: XOF}]
products: [{operatorId: 1, name: a}, {operatorId: 2, name: a}, {operatorId: 1, name: a}]
machines: [${machine}, {${MACHINE}}]`),
    ).to.deep.equal([
      'operators.1: another entry has this id',
      'products.2: another entry has this name for this operator',
      'machines.1: another entry has this id',
      'machines.1: another entry has this number',
      'machines.0.items.1: another entry has this selection',
      'machines.0.minMinor: expected no more than maxMinor',
    ]);
  });

  it('is refused without showing the key of a machine', () => {
    const texts = [
      `machines: [{key: *hunter2hunter2}]`,
      `machines: [{key:hunter2hunter2}]`,
      `machines: {key: [hunter2hunter2]}`,
      `- hunter2`,
      `machines: [{key: hunter2}]`,
    ];
    for (const text of texts) {
      expect(problemsOf(text).join()).to.not.equal('');
      expect(problemsOf(text).join()).to.not.include('hunter2');
    }
  });

  it('has an example that is accepted', () => {
    expect(problemsOf(readFileSync(join(checkoutFolder(), 'config', 'registry.example.yaml'), 'utf8'))).to.deep.equal(
      [],
    );
  });
});
