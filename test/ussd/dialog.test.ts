import { expect } from 'chai';
import type { DeclineCode } from '../../src/purchase/purchase.ts';
import type { ConfirmRefusal } from '../../src/purchase/purchases-port.ts';
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
    [{ account: 'available', affordable: 'no', validation: 'none' }, /^END Solde insuffisant. Prix 500 F CFA/],
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

  for (const advice of ['silent', 'broken'] as const) {
    it(`quotes without advice when the wallet is ${advice}`, async () => {
      const bench = createBench();
      const node = createUssdNode(bench);
      bench.purchases.script.advice = advice;
      await quoted(bench, node);
    });
  }
});

describe('a confirmation', () => {
  const refusals: readonly (readonly [ConfirmRefusal, RegExp])[] = [
    ['too_late', /^END Trop tard.*Rien n'a été débité/],
    ['order_changed', /^La commande a changé. Aucun débit/],
    ['order_gone', /Choisissez d'abord le produit/],
    ['taken', /un autre client paie/],
    ['machine_suspended', /^END Distributeur 4567 indisponible. Aucun débit/],
    ['service_down', /^END Service indisponible. Aucun débit/],
  ];
  for (const [refusal, text] of refusals) {
    it(`that is refused as ${refusal} is told so`, async () => {
      const bench = createBench();
      const node = createUssdNode(bench);
      await quoted(bench, node);
      bench.purchases.script.refusal = refusal;
      expect(await node.key('1')).to.match(text);
    });
  }

  it('never pays another price than the one read (edge 4)', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    await bench.placeOrder('4567', { seq: 2, minor: 9_000n });
    expect(await node.key('1')).to.contain('La commande a changé');
    expect(bench.purchases.count()).to.equal(0);
    expect(await node.key('1')).to.contain('9000 F CFA');
  });

  it('after the claim lapsed and another caller holds the order is answered with busy', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const other = createUssdNode(bench);
    await quoted(bench, node);
    await bench.clock.turn(61_000);
    expect(await other.dial('*123*4567#', { msisdn: binta, sessionId: 'b' })).to.contain('1 Payer');
    expect(await node.key('1')).to.contain('un autre client paie');
    expect(bench.purchases.count()).to.equal(0);
  });

  it('is refused while the directory is away, and the wallet is not asked', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    bench.setDirectoryAway(true);
    expect(await node.key('1')).to.equal('END Service indisponible. Aucun débit. Réessayez plus tard.');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('whose commit has no answer is in progress, never "nothing debited" (edge 29)', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    bench.purchases.script.isConfirmUnanswered = true;
    const inProgress = 'END Paiement en cours. Ne payez pas une 2e fois. Résultat par SMS. Réf 7K3F9Q';
    expect(await node.key('1')).to.equal(inProgress);
    expect(await node.dial('*123*4567#')).to.equal(inProgress);
  });

  it('that fails in an unknown way says that the result is not known yet', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    bench.purchases.script.isConfirmBroken = true;
    expect(await node.key('1')).to.equal(
      'END Résultat pas encore connu. Ne payez pas une 2e fois: composez *123# dans 1 minute.',
    );
  });

  it('left without an answer by a crash can be given again under the same name', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    bench.purchases.script.isConfirmBroken = true;
    await node.key('1');
    bench.purchases.script.isConfirmBroken = false;
    expect(await node.dial('*123#')).to.contain('Achat en cours: 4567, 500 F CFA');
    expect(await node.key('1')).to.contain('1 Payer');
    await bench.clock.turn(6_000);
    expect(await node.key('1')).to.match(/^END Payé/);
    expect(new Set(bench.purchases.confirmed.map(({ purchaseId }) => purchaseId)).size).to.equal(1);
  });

  it('with a slow wallet ends in progress half a second before the reply is due', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    bench.purchases.script.isSlow = true;
    const askedMs = bench.clock.now();
    expect(await node.key('1')).to.match(/^END Paiement en cours/);
    expect(bench.clock.now() - askedMs).to.equal(7_500);
  });

  const reasons: readonly (readonly [DeclineCode, RegExp])[] = [
    ['account_unknown', /Pas de compte MoMo/],
    ['account_blocked', /Compte MoMo bloqué/],
    ['insufficient_funds', /Solde insuffisant. Prix 500 F CFA. Aucun débit.\nRechargez puis refaites \*123\*4567#/],
    ['limit_exceeded', /Plafond MoMo atteint/],
    ['pin_locked', /Trop de codes faux/],
    ['payer_refused', /Paiement refusé. Aucun débit. Réf 7K3F9Q/],
    ['wallet_refused', /Paiement refusé. Aucun débit. Réf 7K3F9Q/],
  ];
  for (const [declineCode, text] of reasons) {
    it(`declined as ${declineCode} gives the reason (edge 6)`, async () => {
      const bench = createBench();
      const node = createUssdNode(bench);
      await quoted(bench, node);
      bench.purchases.script.afterConfirm = { state: 'declined', declineCode };
      const screen = await node.key('1');
      expect(screen).to.match(/^END/).and.match(text).and.contain('Aucun débit');
    });
  }

  for (const [state, of, text] of [
    ['approving', { isAccepted: false }, /Paiement en cours/],
    ['approving', { isAccepted: true }, /Payé: 500 F CFA/],
    ['completed', {}, /Payé: 500 F CFA/],
    ['reversing', {}, /Remboursement de 500 F CFA en cours/],
    ['reversed', {}, /Le produit n'est pas sorti. 500 F CFA rendus/],
    ['reversed', { reversalReason: 'never_seen' }, /Paiement refusé. Aucun débit/],
    ['in_doubt', {}, /résultat non confirmé/],
    ['validating', { validation: { by: 'push', triesLeft: null } }, /Validez la demande MoMo qui arrive/],
  ] as const) {
    it(`that leads to ${state} ${JSON.stringify(of)} ends with its screen`, async () => {
      const bench = createBench();
      const node = createUssdNode(bench);
      await quoted(bench, node);
      bench.purchases.script.afterConfirm = { state, ...of };
      expect(await node.key('1'))
        .to.match(/^END/)
        .and.match(text);
    });
  }
});

describe('the payer’s own validation (edge 7)', () => {
  const byPin = (triesLeft: number | null) => ({
    state: 'validating' as const,
    validation: { by: 'pin' as const, triesLeft },
  });
  async function askedForPin(): Promise<{ bench: Bench; node: Node }> {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    bench.purchases.script.afterConfirm = byPin(3);
    expect(await node.key('1')).to.equal('Code secret MoMo pour payer 500 F CFA, distributeur 4567:\n0 Annuler');
    return { bench, node };
  }

  it('passes the PIN on and tells the outcome', async () => {
    const { bench, node } = await askedForPin();
    expect(await node.key('4321')).to.match(/^END Payé/);
    expect(bench.purchases.answers).to.deep.equal(['4321']);
  });

  it('keeps the PIN out of the record, the log and the marks', async () => {
    const { bench, node } = await askedForPin();
    bench.purchases.script.onAnswer = () => byPin(2);
    await node.key('4321');
    const record = await bench.board.dialogs.load('operator', 'pseudonym-of-01');
    expect(record?.body).to.contain('wrong_pin').and.not.contain('4321');
    await node.key('1357');
    bench.redis.setReachable(false);
    await node.key('2468');
    expect(JSON.stringify(bench.lines)).to.not.match(/4321|1357|2468/);
  });

  it('says how many tries are left, and that the last one is the last', async () => {
    const { bench, node } = await askedForPin();
    bench.purchases.script.onAnswer = () => byPin(2);
    expect(await node.key('1111')).to.equal('Code faux. Aucun débit. Encore 2 essais.\nCode secret:\n0 Annuler');
    await bench.clock.turn(6_000);
    bench.purchases.script.onAnswer = () => byPin(1);
    expect(await node.key('2222')).to.contain('Dernier essai');
    await bench.clock.turn(6_000);
    bench.purchases.script.onAnswer = () => ({ state: 'declined', declineCode: 'pin_locked', validation: null });
    expect(await node.key('3333')).to.match(/^END Trop de codes faux. Paiement refusé. Aucun débit/);
  });

  it('passes no fourth PIN on, whatever the wallet allows', async () => {
    const { bench, node } = await askedForPin();
    bench.purchases.script.onAnswer = () => byPin(null);
    for (const pin of ['1111', '2222', '3333']) {
      expect(await node.key(pin)).to.equal('Code faux. Aucun débit.\nCode secret:\n0 Annuler');
      await bench.clock.turn(6_000);
    }
    expect(await node.key('4444')).to.match(/^END Paiement refusé. Aucun débit/);
    expect(bench.purchases.answers.length).to.equal(3);
  });

  it('asks again for what cannot be a PIN, without passing it on', async () => {
    const { bench, node } = await askedForPin();
    expect(await node.key('123')).to.match(/^Choix invalide.\nCode secret MoMo/);
    expect(await node.key('1'.repeat(20))).to.match(/^Choix invalide.\nCode secret MoMo/);
    expect(bench.purchases.answers).to.deep.equal([]);
  });

  it('takes a copy of a PIN for no second try', async () => {
    const { bench, node } = await askedForPin();
    bench.purchases.script.onAnswer = () => byPin(2);
    const wrong = await node.key('1111');
    expect(await node.key('1111')).to.equal(wrong);
    expect(bench.purchases.answers.length).to.equal(1);
  });

  it('is in progress when the wallet does not answer', async () => {
    const { bench, node } = await askedForPin();
    bench.purchases.script.onAnswer = () => 'unanswered';
    expect(await node.key('4321')).to.match(/^END Paiement en cours. Ne payez pas/);
  });

  it('says too late when there is no time left to pass it on', async () => {
    const { bench, node } = await askedForPin();
    bench.purchases.script.onAnswer = () => 'not_passed_on';
    expect(await node.key('4321')).to.match(/^END Trop tard/);
  });

  it('claims nothing when the journal is away', async () => {
    const { bench, node } = await askedForPin();
    bench.purchases.script.onAnswer = () => 'service_down';
    expect(await node.key('4321')).to.match(/^END Résultat pas encore connu/);
  });

  it('can be left with 0, and nothing was debited', async () => {
    const { node } = await askedForPin();
    expect(await node.key('0')).to.equal('END Annulé. Aucun débit.');
  });

  it('opens at the PIN after *123#', async () => {
    const { node } = await askedForPin();
    expect(await node.dial('*123#')).to.contain('Code secret MoMo');
    expect(await node.key('4321')).to.match(/^END Payé/);
  });

  for (const [key, answer, text] of [
    ['1', 'yes', /^END Payé/],
    ['0', 'no', /^END Paiement refusé. Aucun débit/],
  ] as const) {
    it(`passes key ${key} on the wallet’s question on as ${answer}`, async () => {
      const bench = createBench();
      const node = createUssdNode(bench);
      await quoted(bench, node);
      bench.purchases.script.afterConfirm = { state: 'validating', validation: { by: 'confirm', triesLeft: null } };
      bench.purchases.script.onAnswer = (given) =>
        given === 'yes'
          ? { state: 'vending', isAccepted: true, validation: null }
          : { state: 'declined', declineCode: 'payer_refused', validation: null };
      expect(await node.key('1')).to.match(/^MoMo demande votre accord: 500 F CFA/);
      await bench.clock.turn(6_000);
      expect(await node.key(key)).to.match(text);
      expect(bench.purchases.answers).to.deep.equal([answer]);
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
