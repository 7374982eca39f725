import { expect } from 'chai';
import type { SmsMessage } from '../../src/smpp/inbound.ts';
import { awa, binta, createBench, smsSettings } from '../ussd/support/phone-bench.ts';
import { breathe, createSleep } from '../ussd/support/turned-clock.ts';
import { createSmsNode, quoted, stateOf } from './sms-node.ts';

describe('buying by text', () => {
  it('goes from the number over the quote with its code to a purchase', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    await bench.placeOrder('4567', { waitMs: 180_000 });
    expect(await node.text('4567')).to.equal(
      'Café long, 500 F CFA, distributeur 4567. Pour payer, répondez OUI 382 avant 2 min.',
    );
    expect(await node.text('oui 382')).to.equal('nothing');
    expect(bench.purchases.confirmed.map(({ channel, order }) => [channel, order.amountMinor])).to.deep.equal([
      ['sms', 500n],
    ]);
  });

  it('speaks English to who asked for it', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    await bench.placeOrder('4567', { minor: 5000n, currency: 'KES', waitMs: 180_000 });
    expect(await node.text('LANG en')).to.match(/^Send the machine number/);
    expect(await node.text('4567')).to.equal('Café long, KES 50, machine 4567. To pay, reply YES 382 within 2 min.');
  });

  it('never pays without the code that went to that number', async () => {
    const { bench, node } = await quoted();
    expect(await node.text('OUI')).to.match(/^Envoyez le numéro/);
    expect(await node.text('OUI 382', { from: binta })).to.match(/^Envoyez le numéro/);
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('gives a code one try: a wrong one voids the quote and releases the claim', async () => {
    const { bench, node } = await quoted();
    expect(await node.text('OUI 999')).to.equal('Code faux, aucun débit. Renvoyez 4567 pour un nouveau prix.');
    expect(await stateOf(bench)).to.equal('open');
    expect(await node.text('OUI 382')).to.equal('Délai passé, aucun débit. Renvoyez 4567 pour un nouveau prix.');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('quotes anew when the number is sent again after that', async () => {
    const { bench, node } = await quoted();
    await node.text('OUI 999');
    expect(await node.text('4567')).to.contain('OUI 383');
    await node.text('383');
    expect(bench.purchases.confirmed.map(({ purchaseId }) => purchaseId)).to.not.include('purchase-1');
  });

  it('says after two minutes that it is too late and nothing was debited', async () => {
    const { bench, node } = await quoted();
    await bench.clock.turn(121_000);
    expect(await node.text('OUI 382')).to.equal('Délai passé, aucun débit. Renvoyez 4567 pour un nouveau prix.');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('offers the next order under a name of its own, while the yes to the one before is on its way', async () => {
    const bench = createBench();
    await bench.placeOrder('4567', { waitMs: 180_000 });
    const { asleep, wake } = createSleep();
    const { dialogs } = bench.board;
    const slow = createSmsNode({
      ...bench,
      board: {
        ...bench.board,
        dialogs: {
          ...dialogs,
          takeQuote: async (account, payer) => {
            const quote = await dialogs.takeQuote(account, payer);
            await asleep;
            return quote;
          },
        },
      },
    });
    const other = createSmsNode(bench);
    expect(await slow.text('4567')).to.contain('OUI 382');
    const confirmed = slow.receive({ text: 'OUI 382' });
    await breathe();
    await bench.placeOrder('4567', { seq: 2, waitMs: 180_000 });
    await bench.clock.turn(smsSettings.dedupeMs);
    expect(await other.text('4567')).to.contain('OUI 382');
    const held = await bench.board.orders.look('machine-4567');
    wake();
    await bench.clock.until(confirmed);
    expect(bench.purchases.confirmed.map(({ purchaseId }) => purchaseId)).not.to.include(held?.holder);
  });

  it('answers the same confirmation, sent again later, with the purchase’s state', async () => {
    const { bench, node } = await quoted();
    await node.text('OUI 382');
    bench.purchases.change('purchase-1', { state: 'vending' });
    expect(await node.text('OUI 382 ')).to.match(/^Payé: 500 F CFA/);
    expect(bench.purchases.count()).to.equal(1);
  });

  it('does not say that nothing was debited when it stood still after looking', async () => {
    const bench = createBench();
    const { asleep, wake } = createSleep();
    const node = createSmsNode(bench);
    await bench.placeOrder('4567', { waitMs: 180_000 });
    await node.text('4567');
    await node.text('NON');
    const purchases = { ...bench.purchases };
    bench.purchases.recentOf = async (...asked) => {
      const found = await purchases.recentOf(...asked);
      await asleep;
      return found;
    };
    const answered = node.receive({ text: 'OUI 382' });
    await bench.clock.turn(60_000);
    wake();
    await bench.clock.until(answered);
    await breathe();
    expect(node.sent.at(-1)?.text).to.match(/^Résultat pas encore connu/);
  });

  it('is canceled by NON', async () => {
    const { bench, node } = await quoted();
    expect(await node.text('NON')).to.equal('Annulé. Aucun débit.');
    expect(await stateOf(bench)).to.equal('open');
    expect(await node.text('4567')).to.contain('OUI 383');
  });

  it('never says "nothing debited" to NON while a purchase is under way', async () => {
    const { bench, node } = await quoted();
    await node.text('OUI 382');
    bench.purchases.change('purchase-1', { state: 'authorizing' });
    expect(await node.text('NON')).to.match(/^Paiement en cours/);
  });

  it('says that a purchase is in progress when the wallet takes more than 10 s', async () => {
    const { bench, node } = await quoted();
    bench.purchases.script.isSlow = true;
    await node.text('OUI 382');
    await bench.clock.turn(10_000);
    expect(node.sent.at(-1)?.text).to.match(/^Paiement en cours. Ne payez pas/);
  });

  it('tells the state instead of quoting while the payer’s purchase is under way there', async () => {
    const { bench, node } = await quoted();
    await node.text('OUI 382');
    bench.purchases.change('purchase-1', { state: 'validating', validation: { by: 'pin', triesLeft: 3 } });
    expect(await node.text('4567')).to.equal(
      'Pour valider 500 F CFA, distributeur 4567, composez *123*4567# dans les 2 min.',
    );
  });

  for (const [refusal, text] of [
    ['too_late', /^Trop tard/],
    ['order_changed', /^La commande a changé. Aucun débit/],
    ['taken', /un autre client paie/],
    ['service_down', /^Service indisponible. Aucun débit/],
    ['machine_suspended', /^Distributeur 4567 indisponible. Aucun débit/],
  ] as const) {
    it(`tells a confirmation refused as ${refusal}`, async () => {
      const { bench, node } = await quoted();
      bench.purchases.script.refusal = refusal;
      expect(await node.text('OUI 382')).to.match(text);
    });
  }

  it('says in progress when the commit has no answer (edge 29)', async () => {
    const { bench, node } = await quoted();
    bench.purchases.script.isConfirmUnanswered = true;
    expect(await node.text('OUI 382')).to.match(/^Paiement en cours/);
  });

  it('claims nothing about the money when the confirmation failed in an unknown way', async () => {
    const { bench, node } = await quoted();
    bench.purchases.script.isConfirmBroken = true;
    expect(await node.text('OUI 382')).to.match(/^Résultat pas encore connu/);
  });
});

describe('an order by text', () => {
  it('of an unknown number is told so, four times a minute', async () => {
    const node = createSmsNode(createBench());
    for (const number of ['9991', '9992', '9993', '9994']) {
      expect(await node.text(number)).to.equal(`Numéro ${number} inconnu. Vérifiez-le sur la machine et renvoyez-le.`);
    }
    expect(await node.text('9995')).to.match(/^Trop d'essais/);
  });

  it('without an order on the machine asks to choose first, and may be sent again at once', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    expect(await node.text('4567')).to.match(/^Distributeur 4567: choisissez d'abord le produit/);
    await bench.placeOrder('4567');
    expect(await node.text('4567')).to.contain('OUI 382');
  });

  it('at a machine where another pays is told so, and may be sent again', async () => {
    const { bench, node } = await quoted();
    expect(await node.text('4567', { from: binta })).to.contain('un autre client paie');
    await node.text('NON');
    expect(await node.text('4567', { from: binta })).to.contain('OUI 383');
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('of another machine gives the first one back', async () => {
    const { bench, node } = await quoted();
    await bench.placeOrder('1203', { seq: 9 });
    expect(await node.text('1203')).to.contain('distributeur 1203');
    expect(await stateOf(bench)).to.equal('open');
  });

  it('is quoted three times an hour', async () => {
    const { node } = await quoted();
    for (const code of ['383', '384']) {
      await node.text('NON', { parts: { reference: Number(code), total: 1, part: 1 } });
      expect(await node.text('4567')).to.contain(`OUI ${code}`);
    }
    await node.text('NON', { parts: { reference: 1, total: 1, part: 1 } });
    expect(await node.text('4567')).to.match(/^Trop de demandes/);
  });

  it('names no purchase that the journal would take for another offer', async () => {
    const { bench, node } = await quoted();
    await node.text('OUI 382');
    bench.purchases.change('purchase-1', { state: 'completed' });
    await bench.placeOrder('4567', { seq: 2 });
    await node.text('4567');
    await node.text('OUI 383');
    expect(new Set(bench.purchases.confirmed.map(({ purchaseId }) => purchaseId)).size).to.equal(2);
  });
});

describe('a text', () => {
  it('that comes twice is answered once', async () => {
    const { bench, node } = await quoted();
    expect(await node.text('4567')).to.equal('nothing');
    expect((await bench.board.orders.look('machine-4567'))?.holder).to.equal('purchase-1');
  });

  it('that says nothing clear gets help, once in ten minutes', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    expect(await node.text('4567 12 99')).to.match(/^Envoyez le numéro du distributeur/);
    expect(await node.text('☕')).to.equal('nothing');
    await bench.clock.turn(601_000);
    expect(await node.text('bonjour')).to.match(/^Envoyez le numéro/);
  });

  for (const from of ['4567', 'INFO', '0', '']) {
    it(`from ${JSON.stringify(from)} is dropped: robots must not answer each other`, async () => {
      const bench = createBench();
      await bench.placeOrder('4567');
      expect(await createSmsNode(bench).text('4567', { from })).to.equal('nothing');
    });
  }

  it('from our own number is dropped', async () => {
    expect(await createSmsNode(createBench()).text('4567', { from: awa, to: awa })).to.equal('nothing');
  });

  it('that is damaged is never an order', async () => {
    const { bench, node } = await quoted();
    await node.text('OUI 382', { damaged: true });
    expect(bench.purchases.confirmed).to.deep.equal([]);
  });

  it('STOP gets no answer', async () => {
    expect(await createSmsNode(createBench()).text('STOP')).to.equal('nothing');
  });

  it('is not acknowledged while Redis is away, so that the centre delivers it again', async () => {
    const { bench, node } = await quoted();
    bench.redis.setReachable(false);
    const refused = await node.receive({ text: 'OUI 382' }).then(
      () => 'acknowledged',
      () => 'refused',
    );
    bench.redis.setReachable(true);
    expect(refused).to.equal('refused');
    await node.text('OUI 382');
    expect(bench.purchases.count()).to.equal(1);
  });

  it('is logged without the sender’s number', async () => {
    const { bench, node } = await quoted();
    bench.purchases.script.isConfirmBroken = true;
    await node.text('OUI 382');
    await node.text('STOP');
    expect(JSON.stringify([bench.lines.map(({ event, fields }) => ({ event, fields })), bench.counted])).to.not.contain(
      awa,
    );
  });
});

describe('a long text', () => {
  const part = (number: number, text: string): Partial<SmsMessage> => ({
    text,
    parts: { reference: 7, total: 2, part: number },
  });

  it('is read once all its parts are there, in any order, doubles ignored', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    await bench.placeOrder('4567');
    expect(await node.text('67', part(2, '67'))).to.equal('nothing');
    expect(await node.text('67', part(2, '67'))).to.equal('nothing');
    expect(await node.text('45', part(1, '45'))).to.contain('OUI 382');
  });

  it('is forgotten after five minutes', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    await node.text('45', part(1, '45'));
    await bench.clock.turn(301_000);
    expect(await node.text('67', part(2, '67'))).to.equal('nothing');
  });

  it('with a damaged part is never an order', async () => {
    const bench = createBench();
    const node = createSmsNode(bench);
    await bench.placeOrder('4567');
    await node.text('45', { ...part(1, '45'), damaged: true });
    expect(await node.text('67', part(2, '67'))).to.match(/^Envoyez le numéro/);
  });
});
