import { expect } from 'chai';
import { incomingCalls, outgoingCalls, outgoingResults } from '../../src/automaton-link/messages.ts';
import { aHello, aRequest } from './support/raw-machine.ts';

describe('the messages', () => {
  it('read amounts as bigint', () => {
    expect(incomingCalls['vend.request'].parse(aRequest()).amount).to.equal(500n);
  });

  it('drop unknown fields that come in, also in lists and objects within', () => {
    const hello = { ...aHello({ open: [{ orderSeq: 1, state: 'waiting', more: 1 }] }), payer: '221770000000' };
    expect(JSON.stringify(incomingCalls.hello.parse(hello)))
      .not.to.contain('more')
      .and.not.to.contain('payer');
  });

  it('refuse an unknown field that would go out, in every call and every result', () => {
    const shapes = [...Object.entries(outgoingCalls), ...Object.entries(outgoingResults)].flatMap(([action, shape]) =>
      'options' in shape ? shape.options.map((option) => ({ action, shape: option })) : [{ action, shape }],
    );
    const takes = shapes.filter(({ shape }) => {
      const read = shape.safeParse({ msisdn: '221770000000' });
      return read.success || !read.error.issues.some(({ code }) => code === 'unrecognized_keys');
    });
    expect([shapes.length, takes]).to.deep.equal([27, []]);
  });

  const wrong: readonly Readonly<Record<string, unknown>>[] = [
    { orderSeq: 0 },
    { orderSeq: 4_294_967_296 },
    { amount: 0 },
    { amount: 1_000_000_000 },
    { amount: 1.5 },
    { amount: '500' },
    { currency: 'xof' },
    { item: 65_535 },
    { maxWaitMs: 29_999 },
    { maxWaitMs: 250_001 },
    { ageMs: -1 },
    { item: undefined },
  ];
  for (const fields of wrong) {
    it(`refuse a vend.request with ${JSON.stringify(fields)}`, () => {
      expect(incomingCalls['vend.request'].safeParse(aRequest(fields)).success).to.equal(false);
    });
  }
});
