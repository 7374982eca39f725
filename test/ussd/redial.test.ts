import { expect } from 'chai';
import { someView } from './support/fake-purchases.ts';
import { type Bench, binta, createBench, createUssdNode } from './support/phone-bench.ts';
import { breathe } from './support/turned-clock.ts';

type Node = ReturnType<typeof createUssdNode>;

async function started(): Promise<{ bench: Bench; node: Node }> {
  const bench = createBench();
  const node = createUssdNode(bench);
  await bench.placeOrder('4567');
  expect(await node.dial('*123*4567#')).to.contain('1 Payer');
  return { bench, node };
}

describe('a redial before the confirmation', () => {
  it('offers to go on, and shows the price again before anything is paid', async () => {
    const { bench, node } = await started();
    expect(await node.dial('*123*4567#')).to.equal(
      'Achat en cours: 4567, 500 F CFA\n1 Continuer\n2 Recommencer\n0 Annuler',
    );
    expect(await node.key('1')).to.contain('1 Payer');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('shows the state of an order that is being paid under this very name', async () => {
    const { bench, node } = await started();
    const held = await bench.board.orders.look('machine-4567');
    await bench.board.orders.takeForPayment({
      machineId: 'machine-4567',
      purchaseId: held?.holder ?? '',
      orderSeq: 1,
      minLeftMs: 0,
    });
    await node.dial('*123#');
    bench.purchases.view = async (id) => someView({ id });
    expect(await node.key('1')).to.match(/^END Paiement en cours/);
  });

  it('can start again', async () => {
    const { bench, node } = await started();
    await node.dial('*123#');
    expect(await node.key('2')).to.contain('Numéro du distributeur');
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
  });

  it('can be canceled', async () => {
    const { bench, node } = await started();
    await node.dial('*123#');
    expect(await node.key('0')).to.equal('END Annulé. Aucun débit.');
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
  });

  it('of another machine gives the first one back', async () => {
    const { bench, node } = await started();
    await bench.placeOrder('1203', { seq: 5 });
    expect(await node.dial('*123*1203#'))
      .to.contain('Distributeur 1203')
      .and.contain('1 Payer');
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
  });

  it('finds nothing to take up five minutes after the dialog was ended', async () => {
    const { bench, node } = await started();
    await bench.clock.turn(391_000);
    expect(await node.dial('*123#')).to.contain('Numéro du distributeur');
  });
});

describe('a redial after the confirmation (edge 21)', () => {
  it('shows the purchase’s state and never pays again', async () => {
    const { bench, node } = await started();
    bench.purchases.script.isSlow = true;
    await node.key('1');
    expect(await node.dial('*123*4567#')).to.match(/^END Paiement en cours/);
    bench.purchases.change('purchase-1', { state: 'vending', isAccepted: true });
    expect(await node.dial('*123#')).to.match(/^END Payé: 500 F CFA/);
    expect(bench.purchases.count()).to.equal(1);
  });

  it('finds the purchase with Redis wiped', async () => {
    const { bench, node } = await started();
    bench.purchases.script.isSlow = true;
    await node.key('1');
    bench.redis.wipe();
    expect(await node.dial('*123*4567#')).to.match(/^END Paiement en cours/);
  });

  it('does not keep the payer from another machine', async () => {
    const { bench, node } = await started();
    bench.purchases.script.isSlow = true;
    await node.key('1');
    await bench.placeOrder('1203', { seq: 5 });
    expect(await node.dial('*123*1203#')).to.contain('1 Payer');
  });

  it('buys at another machine under a new name, though the first yes was never answered', async () => {
    const { bench, node } = await started();
    bench.purchases.script.isSlow = true;
    const unanswered = node.request({ text: '1', sessionId: 'dial-1' });
    await breathe();
    await bench.clock.until(node.request({ kind: 'abort', sessionId: 'dial-1' }));
    await bench.clock.until(unanswered);
    bench.purchases.change('purchase-1', { state: 'completed', isAccepted: true, sinceEndedMs: 0 });
    bench.purchases.script.isSlow = false;
    await bench.placeOrder('1203', { seq: 5 });
    expect(await node.dial('*123*1203#')).to.contain('1 Payer');
    await node.key('1');
    const bought = bench.purchases.confirmed.map(({ purchaseId, machine }) => `${purchaseId} ${machine.number}`);
    expect(new Set(bench.purchases.confirmed.map(({ purchaseId }) => purchaseId)).size, bought.join()).to.equal(2);
  });

  it('offers the next order of the machine under a new name, though the first yes was never answered', async () => {
    const { bench, node } = await started();
    bench.purchases.script.isConfirmBroken = true;
    expect(await node.key('1')).to.match(/^END Résultat pas encore connu/);
    bench.purchases.script.isConfirmBroken = false;
    await bench.placeOrder('4567', { seq: 2, minor: 300n });
    expect(await node.dial('*123*4567#')).to.contain('1 Continuer');
    expect(await node.key('1')).to.contain('300 F CFA\n1 Payer');
    await bench.clock.turn(6_000);
    expect(await node.key('1')).to.match(/^END Payé: 300 F CFA/);
    const [first, second] = bench.purchases.confirmed;
    expect([first?.orderSeq, second?.orderSeq]).to.deep.equal([1, 2]);
    expect(second?.purchaseId).not.to.equal(first?.purchaseId);
  });

  it('offers the same order under the same name, when the first yes was never answered', async () => {
    const { bench, node } = await started();
    bench.purchases.script.isConfirmBroken = true;
    await node.key('1');
    bench.purchases.script.isConfirmBroken = false;
    await node.dial('*123*4567#');
    expect(await node.key('1')).to.contain('500 F CFA\n1 Payer');
    await bench.clock.turn(6_000);
    expect(await node.key('1')).to.match(/^END Payé: 500 F CFA/);
    expect(new Set(bench.purchases.confirmed.map(({ purchaseId }) => purchaseId)).size).to.equal(1);
  });

  it('begins a new purchase under a new name once the first was declined', async () => {
    const { bench, node } = await started();
    bench.purchases.script.afterConfirm = { state: 'declined', declineCode: 'insufficient_funds' };
    await node.key('1');
    await bench.board.orders.release({ machineId: 'machine-4567', purchaseId: 'purchase-1', fromPaying: true });
    bench.purchases.script.afterConfirm = { state: 'vending', isAccepted: true };
    expect(await node.dial('*123*4567#')).to.contain('1 Payer');
    expect(await node.key('1')).to.match(/^END Payé/);
    expect(new Set(bench.purchases.confirmed.map(({ purchaseId }) => purchaseId)).size).to.equal(2);
  });

  it('is told nothing of another payer’s purchase', async () => {
    const { bench, node } = await started();
    bench.purchases.script.isSlow = true;
    await node.key('1');
    expect(await node.dial('*123#', { msisdn: binta })).to.contain('Numéro du distributeur');
  });
});

describe('a double dial after a paid vend', () => {
  async function paid(): Promise<{ bench: Bench; node: Node }> {
    const { bench, node } = await started();
    bench.purchases.script.afterConfirm = { state: 'completed' };
    await node.key('1');
    await bench.board.orders.close({ machineId: 'machine-4567', orderSeq: 1, why: 'delivered' });
    await bench.clock.turn(20_000);
    return { bench, node };
  }

  it('hears that it is paid', async () => {
    const { node } = await paid();
    expect(await node.dial('*123*4567#')).to.equal(
      'Déjà payé il y a 20 s (réf 7K3F9Q). Aucun nouveau débit.\n1 Acheter encore\n0 Quitter',
    );
  });

  it('is asked before the same thing is sold again, and the claim is not held meanwhile', async () => {
    const { bench, node } = await paid();
    await bench.placeOrder('4567', { seq: 2 });
    expect(await node.dial('*123*4567#')).to.contain('Déjà payé');
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
    expect(await node.key('1')).to.contain('1 Payer');
    expect(bench.purchases.count()).to.equal(1);
  });

  it('is quoted another product at once', async () => {
    const { bench, node } = await paid();
    await bench.placeOrder('4567', { seq: 2, item: 7 });
    expect(await node.dial('*123*4567#'))
      .to.contain('Produit 7')
      .and.contain('1 Payer');
  });

  it('leaves with what was paid, not with "nothing debited"', async () => {
    const { node } = await paid();
    await node.dial('*123*4567#');
    expect(await node.key('0')).to.match(/^END Payé: 500 F CFA/);
  });

  it('is served again after a minute', async () => {
    const { bench, node } = await paid();
    await bench.clock.turn(41_000);
    await bench.placeOrder('4567', { seq: 2 });
    expect(await node.dial('*123*4567#')).to.contain('1 Payer');
  });
});

describe('a dial while the journal is away', () => {
  it('says no more about the money than is known', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    bench.purchases.script.isJournalAway = true;
    expect(await node.dial('*123#')).to.equal('END Service indisponible. Réessayez plus tard.');
  });

  it('says at the confirmation that nothing was debited, and asks no wallet (edge 25)', async () => {
    const { bench, node } = await started();
    bench.purchases.script.isJournalAway = true;
    expect(await node.key('1')).to.equal('END Service indisponible. Aucun débit. Réessayez plus tard.');
    expect(bench.purchases.count()).to.equal(0);
  });
});
