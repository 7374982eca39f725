import { expect } from 'chai';
import type { NoticeTemplate } from '../../src/purchase/effect.ts';
import type { PurchaseView } from '../../src/purchase/purchases-port.ts';
import { measureText } from '../../src/smpp/data-coding.ts';
import { createNotifier, nextTryMs } from '../../src/sms/notifier.ts';
import { displayMoment } from '../../src/sms/templates.ts';
import { someView } from '../ussd/support/fake-purchases.ts';
import { awa, createBench, createSmsNetwork, smsSettings } from '../ussd/support/phone-bench.ts';

function createSender() {
  const bench = createBench();
  const { sent, state, account } = createSmsNetwork();
  const notifier = createNotifier({ ...bench, settings: smsSettings, sender: account });
  const send = (
    template: NoticeTemplate,
    of: { view?: Partial<PurchaseView>; language?: string; tries?: number } = {},
  ) =>
    notifier.send({
      template,
      payer: awa,
      language: of.language ?? null,
      view: someView(of.view),
      key: 'key-1',
      tries: of.tries ?? 1,
    });
  return { bench, sent, state, send };
}

describe('a notice', () => {
  for (const [template, of, text] of [
    [
      'receipt',
      { view: { state: 'settling' } },
      'Payé 500 F CFA, Café long, distributeur 4567, 22/11 15:20. Réf 7K3F9Q',
    ],
    ['receipt', { language: 'en' }, 'Paid 500 F CFA, Café long, machine 4567, 22 Nov 15:20. Ref 7K3F9Q'],
    [
      'receipt',
      { view: { sinceConfirmedMs: 20 * 60_000 } },
      'Payé 500 F CFA, Café long, distributeur 4567, 22/11 15:00. Réf 7K3F9Q',
    ],
    ['refunded', {}, "Le produit n'est pas sorti. 500 F CFA rendus. Réf 7K3F9Q"],
    ['refunded', { language: 'en' }, 'The product did not come out. 500 F CFA returned. Ref 7K3F9Q'],
    [
      'declined',
      { view: { declineCode: 'insufficient_funds' } },
      'Solde insuffisant. Prix 500 F CFA. Aucun débit.\nRechargez puis refaites *123*4567#',
    ],
    ['declined', {}, 'Paiement refusé. Aucun débit. Réf 7K3F9Q'],
    [
      'in_doubt',
      {},
      'Distributeur 4567: résultat non confirmé pour 500 F CFA. Nous vérifions, réponse par SMS. Réf 7K3F9Q',
    ],
    ['refund_pending', {}, 'Remboursement de 500 F CFA en cours. Réf 7K3F9Q'],
    [
      'sms_validate',
      { view: { validation: { by: 'pin', triesLeft: 3 } } },
      'Pour valider 500 F CFA, distributeur 4567, composez *123*4567# dans les 2 min.',
    ],
    [
      'sms_validate',
      { view: { validation: { by: 'push', triesLeft: null } } },
      'Validez la demande MoMo qui arrive sur votre téléphone. Résultat par SMS. Réf 7K3F9Q',
    ],
  ] as const) {
    it(`${template} ${JSON.stringify(of)} is one text in GSM-7`, async () => {
      const { sent, send } = createSender();
      expect(await send(template, of)).to.deep.equal({ kind: 'sent' });
      expect(sent).to.deep.equal([{ to: awa, text, registeredDelivery: true }]);
      expect(measureText(text).units).to.be.at.most(160);
      expect(measureText(text).alphabet).to.equal('gsm7');
    });
  }

  it('refused for good is given up', async () => {
    const { state, send } = createSender();
    state.outcome = { kind: 'refused', status: 0x0b, permanent: true };
    expect(await send('refunded')).to.deep.equal({ kind: 'given_up', why: 'status_0xb' });
  });

  it('that never left waits by the number of tries', async () => {
    const { state, send } = createSender();
    state.outcome = { kind: 'refused', status: null, permanent: false };
    expect(await send('refunded', { tries: 3 })).to.deep.equal({ kind: 'later', inMs: 120_000, why: 'not_sent' });
  });

  it('without an answer goes out once more after a minute, and no oftener', async () => {
    const { state, send } = createSender();
    state.outcome = { kind: 'unknown' };
    expect(await send('refunded')).to.deep.equal({ kind: 'later', inMs: 60_000, why: 'unanswered' });
    expect(await send('refunded', { tries: 2 })).to.deep.equal({ kind: 'given_up', why: 'unanswered_twice' });
  });

  it('is logged with the number masked', async () => {
    const { bench, send } = createSender();
    await send('receipt');
    expect(bench.lines[0]?.fields['payer']).to.equal('22177*****01');
    expect(JSON.stringify(bench.lines)).to.not.contain(awa);
  });
});

describe('the waits between tries', () => {
  const hours = 3_600_000;
  it('are 5 s, 30 s, 2 min, 10 min, 1 h, 6 h, and 6 h from then on', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7].map((tries) => nextTryMs(tries, 72 * hours));
    expect(waits).to.deep.equal([5_000, 30_000, 120_000, 600_000, 1 * hours, 6 * hours, 6 * hours]);
  });

  it('end within 24 h for a receipt and within 72 h for money that comes back', () => {
    const triesWithin = (limitMs: number): number =>
      Array.from({ length: 50 }, (_, n) => n + 1).filter((tries) => nextTryMs(tries, limitMs) !== null).length;
    expect([triesWithin(24 * hours), triesWithin(72 * hours)]).to.deep.equal([8, 16]);
  });

  it('have an end however often they are asked for', () => {
    expect(nextTryMs(1_000_000, 72 * hours)).to.equal(null);
  });
});

describe('a moment in a receipt', () => {
  it('is in the payer’s zone', () => {
    expect(displayMoment(Date.UTC(2026, 10, 22, 23, 5), 'Africa/Nairobi', 'fr')).to.equal('23/11 02:05');
    expect(displayMoment(Date.UTC(2026, 0, 1, 0, 0), 'Africa/Dakar', 'en')).to.equal('01 Jan 00:00');
  });
});
