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
    await bench.clock.turn(6_000);
    expect(await node.key('1')).to.match(/^END Payé: 9000 F CFA/);
    // One name never stands for two offers.
    expect(new Set(bench.purchases.confirmed.map(({ purchaseId }) => purchaseId)).size).to.equal(2);
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

  it('left without an answer is never left with "nothing debited"', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    await quoted(bench, node);
    bench.purchases.script.isConfirmBroken = true;
    await node.key('1');
    await node.dial('*123#');
    expect(await node.key('0')).to.match(/^END Résultat pas encore connu/);
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
