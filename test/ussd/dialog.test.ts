import { expect } from 'chai';
import { type Bench, binta, createBench, createUssdNode } from './support/phone-bench.ts';

type Node = ReturnType<typeof createUssdNode>;

/** A payer who has read the price of an order on 4567. */
async function quoted(bench: Bench, node: Node): Promise<void> {
  await bench.placeOrder('4567');
  expect(await node.dial('*123*4567#')).to.contain('1 Payer');
}

describe('the dialog on its straight line', () => {
  it('goes from *123*4567# over product and price to paid', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await bench.placeOrder('4567');
    expect(await node.dial('*123*4567#')).to.equal(
      'Distributeur 4567\nCafé long: 500 F CFA\n1 Payer\n2 Autre produit\n0 Annuler',
    );
    expect(await node.key('1')).to.equal('END Payé: 500 F CFA. Prenez votre produit, distributeur 4567. Réf 7K3F9Q');
    expect(bench.purchases.confirmed.map(({ order, channel }) => [order.amountMinor, channel])).to.deep.equal([
      [500n, 'ussd'],
    ]);
  });

  it('asks for the number after *123#, in the payer’s language', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    bench.languages.set('221770000001', 'en');
    await bench.placeOrder('4567', { item: 99, minor: 5000n, currency: 'KES' });
    expect(await node.dial('*123#')).to.equal('Machine number?\n0 Exit');
    expect(await node.key('4567')).to.equal('Machine 4567\nProduct 99: KES 50\n1 Pay\n2 Other product\n0 Cancel');
    expect(await node.key('1')).to.equal('END Paid: KES 50. Take your product, machine 4567. Ref 7K3F9Q');
  });

  it('names the purchase before it claims, and confirms under that name', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    const held = await bench.board.orders.look('machine-4567');
    await node.key('1');
    expect(bench.purchases.confirmed.map(({ purchaseId }) => purchaseId)).to.deep.equal([held?.holder]);
  });

  it('tells the journal what the payer has read, and only that', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    bench.purchases.script.afterConfirm = { state: 'declined', declineCode: 'wallet_refused' };
    await node.key('1');
    expect(bench.purchases.toldOf.map(({ template }) => template)).to.deep.equal(['declined']);
  });

  it('leaves the receipt to the SMS while the delivery is not known', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    await node.key('1');
    expect(bench.purchases.toldOf).to.deep.equal([]);
  });
});

describe('the way to a price (edges 1 to 3)', () => {
  it('says that a number is unknown, and takes the right one (edge 1)', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await bench.placeOrder('4567');
    expect(await node.dial('*123*9999#')).to.match(/^Numéro 9999 inconnu/);
    expect(await node.key('0000')).to.match(/^Numéro 0000 inconnu/);
    expect(await node.key('4567')).to.contain('1 Payer');
  });

  it('slows down who tries five unknown numbers in a minute', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await node.dial('*123*9990#');
    for (const number of ['9991', '9992', '9993']) await node.key(number);
    expect(await node.key('9994')).to.equal("END Trop d'essais. Attendez 1 minute.");
    await bench.clock.turn(61_000);
    expect(await node.dial('*123*9995#')).to.match(/^Numéro 9995 inconnu/);
  });

  it('waits for an order that is on its way (edge 2)', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const dialed = node.dial('*123*4567#');
    await bench.placeOrder('4567');
    expect(await dialed).to.contain('1 Payer');
  });

  it('then asks to choose on the machine, and looks again with key 1, five times (edge 2)', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    expect(await node.dial('*123*4567#')).to.contain("Choisissez d'abord le produit");
    for (let look = 0; look < 5; look += 1) expect(await node.key('1')).to.contain('1 Continuer');
    expect(await node.key('1')).to.equal('END Session terminée. Refaites *123*4567#');
  });

  it('goes on in the same dialog once the order is there (edge 2)', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await node.dial('*123*4567#');
    await bench.placeOrder('4567');
    expect(await node.key('1')).to.contain('1 Payer');
  });

  it('quotes one of two callers and tells the other that somebody is paying (edge 3)', async () => {
    const bench = createBench();
    const one = createUssdNode(bench);
    const other = createUssdNode(bench);
    await bench.placeOrder('4567');
    const screens = await Promise.all([
      one.dial('*123*4567#', { sessionId: 'a' }),
      other.dial('*123*4567#', { msisdn: binta, sessionId: 'b' }),
    ]);
    expect(screens.filter((screen) => screen.includes('1 Payer')).length).to.equal(1);
    expect(screens.filter((screen) => screen.includes('un autre client paie')).length).to.equal(1);
  });

  it('lets the other caller in when the first has left', async () => {
    const bench = createBench();
    const one = createUssdNode(bench);
    const other = createUssdNode(bench);
    await quoted(bench, one);
    await other.dial('*123*4567#', { msisdn: binta, sessionId: 'b' });
    expect(await one.key('0')).to.equal('END Annulé. Aucun débit.');
    expect(await other.key('1', { msisdn: binta, sessionId: 'b' })).to.contain('1 Payer');
  });

  it('refuses a machine that is suspended', async () => {
    expect(await createUssdNode(createBench()).dial('*123*8888#')).to.match(/^END Distributeur 8888 indisponible/);
  });

  it('refuses inside the cut-off without asking the wallet (edge 5)', async () => {
    const bench = createBench();
    await bench.placeOrder('4567', { waitMs: 15_000 });
    expect(await createUssdNode(bench).dial('*123*4567#')).to.match(/^END Trop tard/);
  });

  it('releases the claim when another product is wanted, and quotes the new order', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    expect(await node.key('2')).to.contain("Choisissez d'abord le produit");
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
    await bench.placeOrder('4567', { seq: 2, item: 7, minor: 300n });
    expect(await node.key('1')).to.contain('Produit 7: 300 F CFA');
  });

  it('starts again with 00', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    expect(await node.key('00')).to.contain('Numéro du distributeur');
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
  });

  for (const [advice, text] of [
    [{ account: 'unregistered', affordable: 'unknown', validation: 'none' }, /^END Pas de compte MoMo.*Aucun débit/],
    [{ account: 'unavailable', affordable: 'unknown', validation: 'none' }, /^END Compte MoMo bloqué/],
  ] as const) {
    it(`heeds the wallet’s advice: ${advice.account}, ${advice.affordable}`, async () => {
      const bench = createBench();
      const node = createUssdNode(bench);
      bench.purchases.script.advice = advice;
      await bench.placeOrder('4567');
      expect(await node.dial('*123*4567#')).to.match(text);
      expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
    });
  }

  it('quotes although the balance looks too low: only the wallet’s answer to the payment decides', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    bench.purchases.script.advice = { account: 'available', affordable: 'no', validation: 'none' };
    await quoted(bench, node);
  });

  for (const advice of ['silent', 'broken'] as const) {
    it(`quotes without advice when the wallet is ${advice}`, async () => {
      const bench = createBench();
      const node = createUssdNode(bench);
      bench.purchases.script.advice = advice;
      await quoted(bench, node);
    });
  }
});

describe('a wrong key', () => {
  for (const key of ['', ' ', '9', '1*1', '#', '☕', '\u0000', '__proto__', 'x'.repeat(200)]) {
    it(`${JSON.stringify(key.slice(0, 10))} shows the same screen once more`, async () => {
      const bench = createBench();
      const node = createUssdNode(bench);
      await quoted(bench, node);
      expect(await node.key(key)).to.match(/^Choix invalide.\nDistributeur 4567\nCafé long: 500 F CFA\n1 Payer/);
      expect(bench.purchases.confirmed).to.deep.equal([]);
    });
  }

  it('ends the dialog at the third in a row and gives the claim back', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    await node.key('9');
    expect(await node.key('8')).to.match(/^Choix invalide.\nDistributeur/);
    expect(await node.key('7')).to.equal('END Session terminée. Refaites *123*4567#');
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
  });

  it('that is damaged is never a key', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    expect(await node.key('1', { damaged: true })).to.match(/^Choix invalide/);
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });
});

describe('the language', () => {
  it('is chosen under *123*0# and kept', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    expect(await node.dial('*123*0#')).to.equal('Langue (Language)\n1 Francais\n2 English\n0 Retour');
    expect(await node.key('2')).to.equal('Machine number?\n0 Exit');
    expect(await node.dial('*123*0#')).to.equal('Language (Langue)\n1 Francais\n2 English\n0 Back');
    expect(await node.key('1')).to.contain('Numéro du distributeur');
  });

  it('stays as it was with 0', async () => {
    const node = createUssdNode(createBench());
    await node.dial('*123*0#');
    expect(await node.key('0')).to.contain('Numéro du distributeur');
  });
});
