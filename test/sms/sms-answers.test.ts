import { expect } from 'chai';
import { createBench } from '../ussd/support/phone-bench.ts';
import { breathe, createSleep } from '../ussd/support/turned-clock.ts';
import { createSmsNode } from './sms-node.ts';

describe('an answer', () => {
  it('that is refused for the time being goes out again', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    node.state.outcome = { kind: 'refused', status: 0x58, permanent: false };
    await node.text('AIDE');
    node.state.outcome = { kind: 'accepted', messageIds: [] };
    await bench.clock.turn(5_000);
    expect(node.sent.length).to.equal(2);
    await bench.clock.turn(60_000);
    expect(node.sent.length).to.equal(2);
  });

  it('that stood still on its way to the network, and is true no longer, is not sent', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    await bench.placeOrder('4567', { waitMs: 180_000 });
    await node.text('4567');
    const { asleep, wake } = createSleep();
    node.state.onWay = () => asleep;
    // As the account answers when `sendByMs` has passed.
    node.state.outcome = { kind: 'refused', status: null, permanent: false };
    await node.text('NON');
    const lastMomentMs = node.sent.at(-1)?.sendByMs ?? 0;
    expect(lastMomentMs - bench.clock.now()).to.be.within(1, 15_000);
    node.state.outcome = { kind: 'accepted', messageIds: ['2'] };
    await bench.clock.turn(20_000);
    wake();
    await breathe();
    expect(node.sent.slice(-2).map(({ text }) => text)).to.deep.equal([
      'Annulé. Aucun débit.',
      'Service indisponible. Réessayez plus tard.',
    ]);
  });

  it('that is refused again and again says in the end only what stays true', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    await bench.placeOrder('4567', { waitMs: 180_000 });
    await node.text('4567');
    node.state.outcome = { kind: 'refused', status: 0x58, permanent: false };
    await node.text('NON');
    await bench.clock.turn(5_000);
    await bench.clock.turn(30_000);
    const texts = node.sent.slice(-3).map(({ text }) => text);
    expect(texts.slice(0, 2)).to.deep.equal(['Annulé. Aucun débit.', 'Annulé. Aucun débit.']);
    expect(texts[2]).to.equal('Service indisponible. Réessayez plus tard.');
  });

  it('that was refused is not sent again once the sender has had another one, from whatever node', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    const other = createSmsNode(bench);
    await bench.placeOrder('4567', { waitMs: 180_000 });
    await node.text('4567');
    node.state.outcome = { kind: 'refused', status: 0x58, permanent: false };
    await node.text('OUI 000');
    await other.text('4567');
    node.state.outcome = { kind: 'accepted', messageIds: ['2'] };
    await bench.clock.turn(5_000);
    expect(node.sent.at(-1)?.text).to.match(/^Code faux, aucun débit/);
    expect(node.sent.length).to.equal(2);
  });

  it('that got no answer is not sent again', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    node.state.outcome = { kind: 'unknown' };
    await node.text('AIDE');
    await bench.clock.turn(60_000);
    expect(node.sent.length).to.equal(1);
  });
});
