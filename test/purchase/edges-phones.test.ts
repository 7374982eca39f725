import { expect } from 'chai';
import type { DeclineCode } from '../../src/purchase/purchase.ts';
import { buildHouse, type House, payer } from '../support/house.ts';
import { createPhones, onlyPurchase, type Phone } from '../support/house-phone.ts';
import { books, callsOf, sold } from './books.ts';

const otherPayer = '221779999999';

type Scene = { readonly house: House; readonly phone: Phone; readonly other: Phone };

/** A house with two phones in it. */
async function scene(before: (house: House) => void = () => undefined): Promise<Scene> {
  const house = await buildHouse();
  before(house);
  const phones = createPhones(house);
  return { house, phone: phones(), other: phones(otherPayer) };
}

/** The payer stands before the quote of the drink that he has selected. */
async function quoted(before: (house: House) => void = () => undefined): Promise<Scene> {
  const set = await scene(before);
  await set.house.select();
  expect(await set.phone.dial()).to.include('Coca 33 cl: 500 F CFA');
  return set;
}

async function restedBooks(house: House): Promise<string> {
  await house.rest();
  return books(house, onlyPurchase(house));
}

function nothingBegan(house: House): void {
  expect([house.world.tables.purchases.size, house.wallet.calls, house.broken()]).to.deep.equal([0, [], []]);
}

describe('edges of the phones, before the yes', () => {
  it('edge 1: a caller keys an unknown machine number: told so, nothing else', async () => {
    const { house, phone } = await scene();
    expect(await phone.dial('*123*4568#')).to.match(/^Numéro 4568 inconnu/);
    nothingBegan(house);
  });

  it('edge 2: no order on that machine yet: choose a product, then 1, in the same dialog', async () => {
    const { house, phone } = await scene();
    const beforeMs = house.clock.now();
    expect(await phone.dial()).to.include("Choisissez d'abord le produit");
    expect(house.clock.now() - beforeMs).to.be.within(4000, 4200);
    await house.select();
    expect(await phone.key('1')).to.include('500 F CFA');
    expect(await phone.key('1')).to.match(/^END Payé/);
    expect(await restedBooks(house)).to.equal(sold);
  });

  it('edge 2: the order that is on its way arrives while the caller waits', async () => {
    const { house, phone } = await scene();
    house.clock.after(1500, () => void house.select());
    expect(await phone.dial()).to.include('500 F CFA');
    nothingBegan(house);
  });

  it('edge 3: two callers, one order: the first claim wins, and lapses with its dialog', async () => {
    const { house, phone, other } = await quoted();
    expect(await other.dial()).to.include('un autre client paie');
    await phone.hangUp();
    expect(await other.key('1')).to.include('500 F CFA');
    expect(await other.key('1')).to.match(/^END Payé/);
    await house.rest();
    expect([house.wallet.balanceOf(payer), house.wallet.balanceOf(otherPayer), house.broken()]).to.deep.equal([
      5000n,
      4500n,
      [],
    ]);
  });

  for (const [how, act] of [
    [
      'cancelled',
      (house: House) => house.node('a').board.orders.close({ machineId: 'M-4567', orderSeq: 17, why: 'canceled' }),
    ],
    ['replaced', (house: House) => house.select(18)],
  ] as const) {
    it(`edge 4: the order is ${how} before the confirmation: told, nothing asked of the wallet`, async () => {
      const { house, phone } = await quoted();
      await act(house);
      expect(await phone.key('1')).to.include('La commande a changé. Aucun débit.');
      nothingBegan(house);
    });
  }

  it('edge 4: the order expires before the confirmation: told, nothing asked of the wallet', async () => {
    const { house, phone } = await quoted();
    expect(await phone.key('1', 61_000)).to.match(/^END Trop tard.*Rien n'a été débité/);
    nothingBegan(house);
  });

  it('edge 5: a confirmation with less than the cut-off left: refused, nothing asked of the wallet', async () => {
    const { house, phone } = await quoted();
    expect(await phone.key('1', 41_000)).to.match(/^END Trop tard.*Rien n'a été débité/);
    nothingBegan(house);
  });
});

describe('edges of the phones, the wallet’s no', () => {
  const beforehand: readonly (readonly [DeclineCode, RegExp])[] = [
    ['account_unknown', /^END Pas de compte MoMo.*Aucun débit/],
    ['account_blocked', /^END Compte MoMo bloqué. Aucun débit/],
  ];
  for (const [code, text] of beforehand) {
    it(`edge 6: ${code}: told beside the quote, and nothing begins`, async () => {
      const { house, phone } = await scene((made) => made.wallet.refuse(payer, code));
      await house.select();
      expect(await phone.dial()).to.match(text);
      nothingBegan(house);
    });
  }

  const declines: readonly (readonly [DeclineCode, RegExp])[] = [
    ['insufficient_funds', /^END Solde insuffisant. Prix 500 F CFA. Aucun débit/],
    ['limit_exceeded', /^END Plafond MoMo atteint pour 500 F CFA. Aucun débit/],
    ['payer_refused', /^END Paiement refusé. Aucun débit/],
    ['wallet_refused', /^END Paiement refusé. Aucun débit/],
  ];
  for (const [code, text] of declines) {
    it(`edge 6: ${code}: declined with its reason in the dialog, and another can pay the order`, async () => {
      const { house, phone, other } = await quoted((made) => made.wallet.refuse(payer, code));
      expect(await phone.key('1')).to.match(text);
      expect(books(house, onlyPurchase(house))).to.equal('declined');
      expect(await other.dial()).to.include('500 F CFA');
      expect(await other.key('1')).to.match(/^END Payé/);
      await house.rest();
      expect([house.wallet.balanceOf(payer), house.wallet.balanceOf(otherPayer), house.broken()]).to.deep.equal([
        5000n,
        4500n,
        [],
      ]);
    });
  }

  it('edge 7: the wallet asks for the PIN: asked in the same dialog, passed on, stored nowhere', async () => {
    const { house, phone } = await quoted((made) => made.wallet.setAsking({ by: 'pin', pin: '8642' }));
    expect(await phone.key('1')).to.include('Code secret MoMo pour payer 500 F CFA');
    expect(await phone.key('7531')).to.include('Code faux. Aucun débit. Encore 2 essais');
    expect(await phone.key('8642')).to.match(/^END Payé/);
    expect(await restedBooks(house)).to.equal(sold);
    const { purchases, effects, events, statements } = house.world.tables;
    const kept = JSON.stringify([[...purchases], [...effects], [...events], [...statements]], (_key, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
    expect(kept).not.to.match(/8642|7531/);
  });

  it('edge 7: three wrong PINs: declined, with the reason', async () => {
    const { house, phone } = await quoted((made) => made.wallet.setAsking({ by: 'pin', pin: '8642' }));
    await phone.key('1');
    await phone.key('1111');
    await phone.key('2222');
    expect(await phone.key('3333')).to.match(/^END Trop de codes faux. Paiement refusé. Aucun débit/);
    expect(await restedBooks(house)).to.equal('declined');
  });

  it('edge 7: a PIN with less than the cut-off left is not passed on', async () => {
    const { house, phone } = await quoted((made) => made.wallet.setAsking({ by: 'pin', pin: '8642' }));
    await phone.key('1');
    expect(await phone.key('8642', 40_000)).to.match(/^END Trop tard/);
    expect(house.wallet.calls.filter((call) => call.startsWith('validate'))).to.deep.equal([]);
    expect(await restedBooks(house)).to.equal('declined; sent declined');
  });

  it('edge 7: the answer to the PIN is lost: in progress, and the wallet is asked what became of it', async () => {
    const { house, phone } = await quoted((made) => {
      made.wallet.setAsking({ by: 'pin', pin: '8642' });
      made.wallet.fail('validate', { kind: 'answer_lost' });
    });
    await phone.key('1');
    await phone.key('8642');
    expect([await restedBooks(house), callsOf(house)]).to.deep.equal([
      sold,
      'authorize/1, validate/1, query authorize/1, settle/1',
    ]);
  });

  it('edge 7: the wallet’s own push ends the dialog, and the rest comes by SMS', async () => {
    const { house, phone } = await quoted((made) => made.wallet.setAsking({ by: 'push', pin: '' }));
    expect(await phone.key('1')).to.match(/^END Validez la demande MoMo/);
    await house.advance(10_000);
    house.wallet.answerPush(onlyPurchase(house), true);
    expect(await restedBooks(house)).to.equal(sold);
  });

  it('edge 7: the push is never answered: the wallet lets it expire, and nothing was debited', async () => {
    const { house, phone } = await quoted((made) => made.wallet.setAsking({ by: 'push', pin: '' }));
    await phone.key('1');
    expect([await restedBooks(house), house.purchase(onlyPurchase(house)).facts.declineCode]).to.deep.equal([
      'declined; sent declined',
      'payer_silent',
    ]);
  });
});

describe('edges of the phones, after the yes', () => {
  it('edge 8: the wallet is silent: the dialog ends with “in progress”, and the outcome comes by SMS', async () => {
    const { house, phone } = await quoted((made) => made.wallet.fail('authorize', { kind: 'answer_lost' }));
    expect(await phone.key('1')).to.match(/^END Paiement en cours. Ne payez pas une 2e fois/);
    expect(await restedBooks(house)).to.equal(sold);
  });

  it('edge 21: the payer hangs up after confirming: it goes on, and the outcome comes by SMS', async () => {
    const { house, phone } = await quoted();
    house.clock.after(6050, () => void phone.hangUp());
    await phone.key('1');
    expect(await restedBooks(house)).to.equal(sold);
  });

  it('edge 21: a redial shows the state of the purchase and never pays again', async () => {
    const { house, phone } = await quoted((made) => {
      made.wallet.fail('authorize', { kind: 'answer_lost' });
      made.machine.setDelivery({ kind: 'delivers' }, 20_000);
    });
    await phone.key('1');
    expect(await phone.dial()).to.match(/^END Paiement en cours/);
    await house.rest();
    expect(await phone.dial()).to.match(/^Déjà payé.*Aucun nouveau débit/);
    expect([books(house, onlyPurchase(house)), callsOf(house)]).to.deep.equal([
      sold,
      'authorize/1, query authorize/1, settle/1',
    ]);
  });

  it('edge 22: the yes arrives twice, on two nodes: one purchase', async () => {
    const { house, phone } = await quoted();
    expect(await phone.keyAt('1', 'a', 'b')).to.match(/^END Payé/);
    expect([await restedBooks(house), callsOf(house)]).to.deep.equal([sold, 'authorize/1, settle/1']);
  });

  it('edge 22: the yes again after the node died with it: its state, on another node', async () => {
    const { house, phone } = await quoted();
    house.node('a').dieAtCommit(1, 'after');
    expect(await phone.key('1')).to.equal('nothing');
    phone.moveTo('b');
    house.machine.connect(house.node('b'));
    expect(await phone.dial()).to.match(/^END (?:Paiement en cours|Payé)/);
    expect(await restedBooks(house)).to.equal(sold);
  });

  it('edge 24: Redis is wiped while a dialog is open: dial again, nothing begun', async () => {
    const { house, phone } = await quoted();
    house.redis.wipe();
    expect(await phone.key('1')).to.match(/^END Session terminée. Refaites/);
    nothingBegan(house);
  });

  it('edge 25: PostgreSQL is away at the yes: service unavailable, nothing debited', async () => {
    const { house, phone } = await quoted();
    house.world.setReachable(false);
    expect(await phone.key('1')).to.match(/^END Service indisponible. Aucun débit/);
    house.world.setReachable(true);
    await house.rest();
    nothingBegan(house);
  });

  it('edge 29: the commit of the confirmation has no answer: in progress, never “nothing debited”', async () => {
    const { house, phone } = await quoted();
    const silent = { on: 'begin', happened: 'unknown', isDone: false } as const;
    house.node('a').failJournal(...Array.from({ length: 20 }, () => silent));
    expect(await phone.key('1')).to.match(/^END Paiement en cours. Ne payez pas une 2e fois/);
    expect(await restedBooks(house)).to.equal(sold);
  });

  it('edge 30: a key delivered again after its answer is no key for the screen it opened: that screen again', async () => {
    const { house, phone } = await scene();
    await phone.dial();
    await house.select();
    const quote = await phone.key('1');
    expect(quote).to.include('1 Payer');
    expect(await phone.key('1', 100)).to.equal(quote);
    nothingBegan(house);
    expect(await phone.key('1')).to.match(/^END Payé/);
    expect(await restedBooks(house)).to.equal(sold);
  });

  it('edge 30: the very same message again is not answered, and presses nothing', async () => {
    const { house, phone } = await scene();
    await phone.dial();
    await house.select();
    await phone.key('1');
    expect(await phone.again()).to.equal('nothing');
    nothingBegan(house);
  });
});
