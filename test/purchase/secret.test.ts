import { inspect } from 'node:util';
import { expect } from 'chai';
import { Secret } from '../../src/purchase/payment-port.ts';
import { Bug } from '../../src/result.ts';

describe('a secret', () => {
  it('is read once', () => {
    const secret = new Secret('1234');
    expect(secret.read()).to.equal('1234');
    expect(() => secret.read()).to.throw(Bug, 'read once');
  });

  it('shows itself in no text, JSON or inspection', () => {
    const secret = new Secret('1234');
    const shown = [`${secret.toString()}`, JSON.stringify({ secret }), inspect(secret, { showHidden: true })];
    expect(shown.join(' ')).not.to.include('1234');
    expect(shown[1]).to.equal('{"secret":"[secret]"}');
  });
});
