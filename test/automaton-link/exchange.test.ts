import { expect } from 'chai';
import { type Answer, Exchange } from '../../src/automaton-link/exchange.ts';
import { createFakeClock } from '../support/fake-clock.ts';

describe('a call whose content is made when it is written', () => {
  it('is unsent when that does not fit, and the answer before it and the call behind it are none the worse', async () => {
    const sent: string[] = [];
    const unwritable: string[] = [];
    let calls = 0;
    const exchange = new Exchange({
      clock: createFakeClock(),
      newMsgId: () => {
        calls += 1;
        return `m${calls}`;
      },
      send: (text) => sent.push(text),
      serves: (_action): _action is never => false,
      onCall: () => undefined,
      onBadFrame: () => undefined,
      onUnwritable: (action, bug) => unwritable.push(`${action}: ${bug instanceof Error ? bug.name : 'none'}`),
      retryMs: 5000,
    });
    const first = exchange.call('heartbeat', {}, { answerMs: 5000 });
    const query = (orderSeq: number): Promise<Answer<'order.query'>> =>
      exchange.call('order.query', () => ({ orderSeqs: [orderSeq] }), { answerMs: 5000 });
    const [unfit, fit] = [query(-1), query(17)];
    expect(() => exchange.receive('[3,"m1",{}]')).to.not.throw();
    expect((await unfit).kind).to.equal('unsent');
    exchange.end();
    expect([(await first).kind, (await fit).kind, unwritable]).to.deep.equal([
      'error',
      'unanswered',
      ['order.query: Bug'],
    ]);
    expect(sent).to.deep.equal(['[2,"m1","heartbeat",{}]', '[2,"m2","order.query",{"orderSeqs":[17]}]']);
  });
});
