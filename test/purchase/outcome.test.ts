import { expect } from 'chai';
import { eventOfAuthorize, eventOfQuery, eventOfValidate } from '../../src/purchase/outcome.ts';
import type { Outcome } from '../../src/purchase/payment-port.ts';
import { aLive } from '../support/purchase-builders.ts';

const done: Outcome = { kind: 'done', ref: 'W-1', holdExpiresInMs: 90_000 };
const declined: Outcome = { kind: 'declined', code: 'limit_exceeded' };
const asks: Outcome = { kind: 'needs_validation', ref: 'W-1', by: 'pin', triesLeft: 3, expiresInMs: 40_000 };
const pending: Outcome = { kind: 'pending', ref: 'W-1', pollAfterMs: 500, expiresInMs: null };
const unknown: Outcome = { kind: 'unknown', cause: 'timeout' };
const notFound: Outcome = { kind: 'not_found' };

const asked = { type: 'validation_required', ref: 'W-1', by: 'pin', triesLeft: 3, expiresInMs: 40_000 };
const secured = (type: string): object => ({ type, ref: 'W-1', holdExpiresInMs: 90_000, leftMs: 50_000 });
const refused = { type: 'authorize_declined', code: 'limit_exceeded', leftMs: 50_000 };
const silent = { type: 'payment_unknown', ref: null };

describe('the outcome of authorize', () => {
  const first = { isFirst: true, leftMs: 50_000 };
  const rows: readonly (readonly [Outcome, object])[] = [
    [done, secured('authorized')],
    [declined, refused],
    [asks, asked],
    [pending, { type: 'payment_unknown', ref: 'W-1' }],
    [unknown, silent],
    [notFound, silent],
  ];
  for (const [outcome, event] of rows) {
    it(`${outcome.kind} is ${JSON.stringify(event)}`, () => {
      expect(eventOfAuthorize(outcome, first)).to.deep.equal(event);
    });
  }

  it('declined proves nothing of a repeated call, whose first transmission may have taken the money', () => {
    expect(eventOfAuthorize(declined, { isFirst: false, leftMs: 50_000 })).to.deep.equal(silent);
  });
});

describe('the outcome of validate', () => {
  const rows: readonly (readonly [Outcome, object])[] = [
    [done, secured('validated')],
    [declined, refused],
    [asks, asked],
    [pending, { type: 'payment_unknown', ref: 'W-1' }],
    [unknown, silent],
    [notFound, silent],
  ];
  for (const [outcome, event] of rows) {
    it(`${outcome.kind} is ${JSON.stringify(event)}`, () => {
      expect(eventOfValidate(outcome, 50_000)).to.deep.equal(event);
    });
  }
});

describe('the outcome of a query', () => {
  const read = { purchase: aLive('authorizing'), leftMs: 50_000, sinceConfirmedMs: 7000 };
  const rows: readonly (readonly [Outcome, object | null])[] = [
    [done, secured('authorized')],
    [declined, refused],
    [asks, asked],
    [pending, null],
    [unknown, null],
    [notFound, { type: 'payment_not_found', leftMs: 50_000, sinceConfirmedMs: 7000 }],
  ];
  for (const [outcome, event] of rows) {
    it(`${outcome.kind} is ${JSON.stringify(event)}`, () => {
      expect(eventOfQuery(outcome, read)).to.deep.equal(event);
    });
  }

  it('done while the payer validates is the answer to his validation', () => {
    expect(eventOfQuery(done, { ...read, purchase: aLive('validating') })).to.deep.equal(secured('validated'));
  });

  it('needs_validation says nothing new when the payer was asked that already', () => {
    expect(eventOfQuery(asks, { ...read, purchase: aLive('validating') })).to.equal(null);
  });

  it('needs_validation says that a try was used when fewer are left', () => {
    const used: Outcome = { ...asks, triesLeft: 2 };
    expect(eventOfQuery(used, { ...read, purchase: aLive('validating') })).to.deep.equal({ ...asked, triesLeft: 2 });
  });

  it('needs_validation asks where nobody knows yet what is awaited', () => {
    const purchase = aLive('validating', { facts: { validation: null } });
    expect(eventOfQuery(asks, { ...read, purchase })).to.deep.equal(asked);
  });
});
