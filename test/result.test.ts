import { expect } from 'chai';
import { assert, assertNever, Bug, Fault, ok, refuse } from '../src/result.ts';

describe('a result', () => {
  it('is a value or a refusal', () => {
    expect([ok(1), refuse('no')]).to.deep.equal([
      { ok: true, value: 1 },
      { ok: false, refusal: 'no' },
    ]);
  });
});

describe('a fault', () => {
  it('says what is known of the act, and from what it came', () => {
    const cause = new Error('ECONNRESET');
    const fault = new Fault('journal_unreachable', 'unknown', cause);
    const { name, message, code, happened } = fault;
    expect([name, message, code, happened, fault.cause === cause]).to.deep.equal([
      'Fault',
      'journal_unreachable',
      'journal_unreachable',
      'unknown',
      true,
    ]);
  });

  it('without a cause has none', () => {
    expect('cause' in new Fault('journal_busy', 'no')).to.equal(false);
  });
});

describe('an assertion', () => {
  it('holds or is a bug that says what should hold', () => {
    assert(true, 'never seen');
    expect(() => assert(false, 'two and two are four')).to.throw(Bug, 'two and two are four');
  });
});

describe('a value that cannot be', () => {
  it('is a bug that shows it', () => {
    const impossible = JSON.parse('{"kind":"other"}') as never;
    expect(() => assertNever(impossible)).to.throw(Bug, '{"kind":"other"}');
  });
});
