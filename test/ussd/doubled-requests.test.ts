import { expect } from 'chai';
import { type Bench, binta, createBench, createUssdNode } from './support/phone-bench.ts';
import { breathe, createSleep } from './support/turned-clock.ts';

type Node = ReturnType<typeof createUssdNode>;

async function quoted(): Promise<{ bench: Bench; node: Node }> {
  const bench = createBench();
  const node = createUssdNode(bench);
  await bench.placeOrder('4567');
  expect(await node.dial('*123*4567#')).to.contain('1 Payer');
  return { bench, node };
}

describe('a doubled begin', () => {
  it('on two nodes is one dialog and one claim', async () => {
    const bench = createBench();
    const [one, other] = [createUssdNode(bench), createUssdNode(bench)];
    await bench.placeOrder('4567');
    const begin = { sessionId: 'same', bind: 'bind1' };
    const screens = await Promise.all([
      one.dial('*123*4567#', begin),
      other.dial('*123*4567#', { ...begin, bind: 'bind2' }),
    ]);
    expect(screens.sort()[1]).to.equal('nothing');
    expect(screens[0]).to.contain('1 Payer');
  });

  it('after the reply gets the same text once more, and only once', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const first = await node.dial('*123#', { sessionId: 'same' });
    expect(await node.dial('*123#', { sessionId: 'same' })).to.equal(first);
    expect(await node.dial('*123#', { sessionId: 'same' })).to.equal('nothing');
  });

  it('that overtakes its first copy gets nothing, and never the screen of the dialog before', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await node.dial('*123#', { sessionId: 'before' });
    await bench.placeOrder('4567');
    const shown = node.replies.length;
    await Promise.all([
      node.dial('*123*4567#', { sessionId: 'same' }),
      node.dial('*123*4567#', { sessionId: 'same' }),
      node.dial('*123*4567#', { sessionId: 'same' }),
    ]);
    const texts = node.replies.slice(shown).map(({ text }) => text);
    expect(texts.every((text) => text.includes('1 Payer'))).to.equal(true);
    expect(texts.length).to.be.greaterThan(0);
  });

  it('whose dialog was broken off before its first screen gets nothing', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const waiting = node.request({ kind: 'begin', text: '*123*4567#', sessionId: 'same' });
    await breathe();
    await bench.clock.until(node.request({ kind: 'abort', sessionId: 'same' }));
    const copy = await node.send({ kind: 'begin', text: '*123*4567#', sessionId: 'same' });
    await bench.clock.until(waiting);
    expect(copy).to.equal('nothing');
    expect(node.replies).to.deep.equal([]);
  });

  it('is a new dialog when the id comes again later', async () => {
    const { bench, node } = await quoted();
    await bench.clock.turn(6_000);
    expect(await node.dial('*123*4567#', { sessionId: 'dial-1' })).to.contain('Achat en cours');
  });
});

describe('a begin while a dialog is open', () => {
  it('closes the old one, sends nothing for it, and takes its offer up', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const old = node.request({ kind: 'begin', text: '*123*4567#', sessionId: 'old' });
    await breathe();
    const again = await node.send({ kind: 'begin', text: '*123#', sessionId: 'new' });
    await bench.clock.until(old);
    expect(again).to.contain('Numéro du distributeur');
    expect(node.replies.length).to.equal(1);
  });
});

describe('a dial while the first one still waits for the order', () => {
  it('is quoted when the order comes, and the payer does not stand in his own way', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const first = node.request({ kind: 'begin', text: '*123*4567#', sessionId: 'first' });
    await breathe();
    const second = node.request({ kind: 'begin', text: '*123*4567#', sessionId: 'second' });
    await breathe();
    await bench.placeOrder('4567');
    await bench.clock.until(Promise.all([first, second]));
    expect(node.replies.map(({ text }) => text.includes('1 Payer'))).to.deep.equal([true]);
    expect(await node.send({ text: '1', sessionId: 'second' })).to.match(/^END Payé/);
  });

  it('of another machine leaves no claim behind', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const first = node.request({ kind: 'begin', text: '*123*4567#', sessionId: 'first' });
    await breathe();
    await bench.placeOrder('1203', { seq: 5 });
    expect(await node.send({ kind: 'begin', text: '*123*1203#', sessionId: 'second' })).to.contain('1 Payer');
    await bench.placeOrder('4567');
    await bench.clock.until(first);
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
  });
});

describe('a key', () => {
  it('for a dialog never seen, or after Redis was wiped, hears that the session is over', async () => {
    const { bench, node } = await quoted();
    bench.redis.wipe();
    expect(await node.key('1')).to.equal('END Session terminée. Refaites *123#');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('after the end gets nothing', async () => {
    const { node } = await quoted();
    await node.key('0');
    expect(await node.key('1')).to.equal('nothing');
  });

  it('pressed twice within 10 ms makes one purchase', async () => {
    const { bench, node } = await quoted();
    const first = node.request({ text: '1' });
    const second = node.request({ text: '1' });
    await bench.clock.until(Promise.all([first, second]));
    expect(bench.purchases.confirmed.length).to.equal(1);
    expect(node.replies.length).to.equal(2);
  });

  it('pressed twice on two nodes makes one purchase (edge 22)', async () => {
    const { bench, node } = await quoted();
    const other = createUssdNode(bench);
    await bench.clock.until(Promise.all([node.request({ text: '1' }), other.request({ text: '1', bind: 'bind2' })]));
    expect(bench.purchases.confirmed.length).to.equal(1);
    expect(node.replies.length + other.replies.length).to.equal(2);
  });

  it('copied after its answer does not pay what it opened (edge 30)', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await node.dial('*123*4567#');
    await bench.placeOrder('4567');
    const quote = await node.key('1');
    expect(quote).to.contain('1 Payer');
    expect(await node.key('1')).to.equal(quote);
    expect(bench.purchases.confirmed).to.deep.equal([]);
    await bench.clock.turn(5_001);
    expect(await node.key('1')).to.match(/^END Payé/);
  });

  it('delivered again as the same PDU is dropped', async () => {
    const { bench, node } = await quoted();
    await node.key('9', { sequence: 77 });
    expect(await node.key('9', { sequence: 77 })).to.equal('nothing');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('delivered again as the same PDU after half a minute is no yes to a screen that opened meanwhile', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await node.dial('*123*4567#');
    await bench.placeOrder('4567');
    expect(await node.key('1', { sequence: 77 })).to.contain('1 Payer');
    await bench.clock.turn(30_000);
    expect(await node.key('1', { sequence: 77 })).to.equal('nothing');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('that comes late out of the dial before is no yes to the price that is shown now', async () => {
    const { bench, node } = await quoted();
    await node.dial('*123*4567#', { sessionId: 'newer' });
    expect(await node.key('1', { sessionId: 'newer' })).to.contain('1 Payer');
    expect(await node.key('1', { sessionId: 'dial-1' })).to.equal('nothing');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('that came before the price had left us is no yes to it (edge 30)', async () => {
    const bench = createBench();
    const other = createUssdNode(bench);
    const slow = createUssdNode(bench);
    const { asleep, wake } = createSleep();
    slow.network.onWay = () => asleep;
    await other.dial('*123*4567#');
    await bench.placeOrder('4567');
    const shown = slow.request({ text: '1' });
    await bench.clock.turn(6_000);
    expect(await other.send({ text: '1' })).to.contain('1 Payer');
    expect(bench.purchases.confirmed).to.deep.equal([]);
    wake();
    await bench.clock.until(shown);
    await bench.clock.turn(5_001);
    expect(await other.send({ text: '1' })).to.match(/^END Payé/);
  });

  it('of a new session in mid-dialog is followed, once the price has been shown there', async () => {
    const { bench, node } = await quoted();
    expect(await node.key('1', { sessionId: 'changed' })).to.contain('1 Payer');
    expect(await node.key('1', { sessionId: 'changed', bind: 'bind2' })).to.contain('1 Payer');
    expect(bench.purchases.confirmed).to.deep.equal([]);
    await bench.clock.turn(5_001);
    expect(await node.key('1', { sessionId: 'changed' })).to.match(/^END Payé/);
  });

  it('of a new session in mid-dialog is followed at once where nothing is paid by it', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await bench.placeOrder('4567');
    await node.dial('*123#');
    expect(await node.key('4567', { sessionId: 'changed' })).to.contain('1 Payer');
    expect(await node.key('1', { sessionId: 'changed' })).to.match(/^END Payé/);
  });

  it('that a node held back until its session was forgotten is no yes to the price that is shown now', async () => {
    const { bench, node } = await quoted();
    await bench.clock.turn(600_000);
    await bench.placeOrder('4567', { seq: 2 });
    expect(await node.dial('*123*4567#', { sessionId: 'newer' })).to.contain('1 Payer');
    expect(await node.key('1', { sessionId: 'dial-1' })).to.contain('1 Payer');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('without a session goes to the payer’s open dialog', async () => {
    const { node } = await quoted();
    expect(await node.key('1', { sessionId: null })).to.match(/^END Payé/);
  });

  it('without an operation continues the open dialog, and opens one where there is none', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await bench.placeOrder('4567');
    const unstated = { opStated: false, sessionId: null };
    expect(await node.send({ ...unstated, kind: 'begin', text: '*123*4567#' })).to.contain('1 Payer');
    expect(await node.send({ ...unstated, kind: 'continue', text: '1' })).to.match(/^END Payé/);
    expect(await node.send({ ...unstated, kind: 'continue', text: '1203' })).to.contain('Distributeur 1203');
  });

  it('of two payers under one session id belongs to each his own dialog', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await bench.placeOrder('4567');
    await node.dial('*123*4567#', { sessionId: 'same' });
    expect(await node.dial('*123#', { sessionId: 'same', msisdn: binta })).to.contain('Numéro du distributeur');
    expect(await node.key('1', { sessionId: 'same', msisdn: binta })).to.contain('Numéro 1 inconnu');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });
});
