import { expect } from 'chai';
import { filesBelow, textOf } from '../support/source-tree.ts';

const ROWS = 30;

describe('the table of edges', () => {
  it('has a test for each of its thirty rows', () => {
    const tests = filesBelow('test/purchase').filter((path) => path.endsWith('.test.ts'));
    const titled = tests.flatMap((path) => [...textOf(path).matchAll(/\bit\(\s*['`]edge (\d+): /g)]);
    const named = new Set(titled.map((match) => Number(match[1])));
    const missing = Array.from({ length: ROWS }, (_, index) => index + 1).filter((row) => !named.has(row));
    expect([missing, [...named].filter((row) => row < 1 || row > ROWS)]).to.deep.equal([[], []]);
  });
});
