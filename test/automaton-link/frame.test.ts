import { expect } from 'chai';
import fc from 'fast-check';
import {
  decodeFrame,
  encodeCall,
  encodeError,
  encodeResult,
  maxFrameBytes,
  writeJson,
} from '../../src/automaton-link/frame.ts';

const payloads = fc.dictionary(
  fc.string({ maxLength: 8 }).filter((name) => name !== '__proto__'),
  fc.oneof(fc.integer(), fc.string({ maxLength: 20 }), fc.boolean(), fc.constant(null)),
  { maxKeys: 6 },
);
const msgIds = fc.stringMatching(/^[A-Za-z0-9_-]{1,36}$/);

function refusalOf(text: string): { msgId: string | null; what: string } | null {
  const decoded = decodeFrame(text);
  return decoded.ok ? null : decoded.refusal;
}

describe('a frame', () => {
  it('reads back what was written', () => {
    fc.assert(
      fc.property(msgIds, payloads, (msgId, payload) => {
        const call = decodeFrame(encodeCall(msgId, 'vend.request', payload));
        const result = decodeFrame(encodeResult(msgId, payload));
        expect(call).to.deep.equal({ ok: true, value: { kind: 'call', msgId, action: 'vend.request', payload } });
        expect(result).to.deep.equal({ ok: true, value: { kind: 'result', msgId, payload } });
      }),
    );
  });

  it('never throws, whatever comes in', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        decodeFrame(text);
      }),
      { numRuns: 2_000 },
    );
  });

  it('carries the code of an error twice', () => {
    const text = encodeError('m1', 'stale_seq', 'used', { seqFloor: 41 });
    expect(text).to.equal('[4,"m1","stale_seq","used",{"code":"stale_seq","seqFloor":41}]');
    expect(decodeFrame(text)).to.deep.equal({
      ok: true,
      value: { kind: 'error', msgId: 'm1', code: 'stale_seq', details: { code: 'stale_seq', seqFloor: 41 } },
    });
  });

  it('writes amounts as integers and leaves absent fields out', () => {
    expect(writeJson({ amount: 999_999_999n, text: undefined, list: [1n, null] })).to.equal(
      '{"amount":999999999,"list":[1,null]}',
    );
  });

  const bad: readonly (readonly [string, string, string | null])[] = [
    ['not JSON', '{', '-1'],
    ['not an array', '{}', '-1'],
    ['no msgId', '[2]', '-1'],
    ['a msgId with other characters', '[2,"a b","hello",{}]', '-1'],
    ['a msgId that is too long', `[2,"${'m'.repeat(37)}","hello",{}]`, '-1'],
    ['an unknown type', '[5,"m1","hello",{}]', '-1'],
    ['a call without a payload', '[2,"m1","hello"]', 'm1'],
    ['a call whose payload is an array', '[2,"m1","hello",[]]', 'm1'],
    ['a result without a payload', '[3,"m1"]', null],
    ['an error without details', '[4,"m1","busy",""]', null],
    ['six levels', '[2,"m1","hello",{"a":{"b":{"c":{"d":{}}}}}]', '-1'],
    ['too many bytes', `[2,"m1","hello",{"a":"${'é'.repeat(maxFrameBytes / 2)}"}]`, '-1'],
  ];
  for (const [what, text, msgId] of bad) {
    it(`refuses ${what}`, () => {
      expect(refusalOf(text)?.msgId).to.equal(msgId);
    });
  }

  it('takes five levels', () => {
    expect(refusalOf('[2,"m1","hello",{"a":{"b":{"c":1}}}]')).to.equal(null);
    expect(refusalOf('[2,"m1","hello",{"a":{"b":{"c":{}}}}]')).to.equal(null);
  });
});
