/** No phone is ever told "nothing debited" while a purchase may live. */
import { expect } from 'chai';
import { createSmsGateway } from '../../src/sms/sms-gateway.ts';
import {
  awa,
  type Bench,
  createBench,
  createSmsNetwork,
  createUssdNode,
  smsSettings,
} from '../ussd/support/phone-bench.ts';
import { breathe } from '../ussd/support/turned-clock.ts';

type Node = ReturnType<typeof createUssdNode>;
type World = { readonly bench: Bench; readonly node: Node };

const NOTHING = /Aucun débit|Rien n'a été débité|aucun débit/;

async function quoted(): Promise<World> {
  const bench = createBench();
  const node = createUssdNode(bench);
  await bench.placeOrder('4567');
  expect(await node.dial('*123*4567#')).to.contain('1 Payer');
  return { bench, node };
}

/** The payer has been asked for his PIN, has given it, and the wallet has not said what it made of it. */
async function unansweredPin(): Promise<World> {
  const { bench, node } = await quoted();
  bench.purchases.script.afterConfirm = { state: 'validating', validation: { by: 'pin', triesLeft: null } };
  expect(await node.key('1')).to.contain('Code secret');
  bench.purchases.script.onAnswer = () => 'unanswered';
  expect(await node.key('4321')).to.match(/^END Paiement en cours/);
  bench.purchases.change('purchase-1', { isAnswered: true });
  expect(await node.dial('*123#')).to.contain('Code secret');
  return { bench, node };
}

/** A yes that the journal has taken, though the node that gave it never heard so. */
async function lostYes(): Promise<World> {
  const { bench, node } = await quoted();
  bench.purchases.script.isConfirmBroken = true;
  expect(await node.key('1')).to.match(/^END Résultat pas encore connu/);
  bench.purchases.script.isConfirmBroken = false;
  expect(await node.dial('*123#')).to.contain('Achat en cours');
  return { bench, node };
}

describe('the payer whose PIN has no answer yet', () => {
  it('is not told "nothing debited" when he leaves', async () => {
    const { node } = await unansweredPin();
    expect(await node.key('0')).to.match(/^END Paiement en cours/);
  });

  it('is not told "nothing debited" when the next PIN comes too late', async () => {
    const { bench, node } = await unansweredPin();
    bench.purchases.script.onAnswer = () => 'not_passed_on';
    expect(await node.key('4321')).to.match(/^END Paiement en cours/);
  });

  it('is not told that his payment was refused when he keys one PIN too many', async () => {
    const { bench, node } = await unansweredPin();
    for (const pin of ['1111', '2222']) {
      expect(await node.key(pin)).to.match(/^END Paiement en cours/);
      await bench.clock.turn(6_000);
      await node.dial('*123#');
    }
    expect(await node.key('3333')).to.match(/^END Paiement en cours/);
    expect(bench.purchases.answers).to.deep.equal(['4321', '1111', '2222']);
  });

  it('hears what has become of it when he keys one PIN too many', async () => {
    const { bench, node } = await unansweredPin();
    for (const pin of ['1111', '2222']) {
      await node.key(pin);
      await bench.clock.turn(6_000);
      await node.dial('*123#');
    }
    bench.purchases.change('purchase-1', { state: 'vending', isAccepted: true, validation: null });
    expect(await node.key('3333')).to.match(/^END Payé/);
  });
});

describe('the payer whose yes has no answer yet', () => {
  it('is not told "nothing debited" when his second yes meets a journal that is away', async () => {
    const { bench, node } = await lostYes();
    expect(await node.key('1')).to.contain('1 Payer');
    await bench.clock.turn(6_000);
    bench.setDirectoryAway(true);
    bench.purchases.script.isJournalAway = true;
    const told = await node.key('1');
    expect(told)
      .to.match(/^END Résultat pas encore connu/)
      .and.not.match(NOTHING);
  });

  it('is not told "nothing debited" when he leaves after the order has gone', async () => {
    const { bench, node } = await lostYes();
    await bench.board.orders.close({ machineId: 'machine-4567', orderSeq: 1, why: 'canceled' });
    expect(await node.key('1')).to.contain("Choisissez d'abord le produit");
    expect(await node.key('0')).to.match(/^END Résultat pas encore connu/);
  });

  it('hears of his purchase, not of the machine that was suspended after it', async () => {
    const { bench, node } = await quoted();
    await node.key('1');
    bench.purchases.change('purchase-1', { state: 'in_doubt' });
    const machine = bench.machines.get('4567');
    if (machine !== undefined) bench.machines.set('4567', { ...machine, isSuspended: true });
    expect(await node.dial('*123*4567#'))
      .to.match(/résultat non confirmé/)
      .and.not.match(NOTHING);
  });
});

describe('a dial while the node is going down', () => {
  for (const [state, text] of [
    ['authorizing', /^END Résultat pas encore connu/],
    ['in_doubt', /^END Résultat pas encore connu/],
    ['completed', /^END Service indisponible. Réessayez plus tard/],
    ['declined', /^END Service en maintenance/],
  ] as const) {
    it(`of a payer whose purchase is ${state} says no more about his money than is known`, async () => {
      const { bench, node } = await quoted();
      await node.key('1');
      bench.purchases.change('purchase-1', { state });
      await node.gateway.drain();
      expect(await node.dial('*123#')).to.match(text);
    });
  }

  it('claims nothing while the journal is away', async () => {
    const { bench, node } = await quoted();
    await node.gateway.drain();
    await node.key('0');
    bench.purchases.script.isJournalAway = true;
    expect(await node.dial('*123#')).to.equal('END Service indisponible. Réessayez plus tard.');
  });
});

describe('a dial that cannot be answered', () => {
  it('is not answered with "nothing debited" while a purchase is under way', async () => {
    const bench = createBench();
    let isBroken = false;
    const phrases: Bench['phrases'] = {
      ...bench.phrases,
      say: (language, key, values) => {
        if (isBroken && key === 'in_progress') throw new Error('a fault of the texts');
        return bench.phrases.say(language, key, values);
      },
    };
    const node = createUssdNode({ ...bench, phrases });
    await bench.placeOrder('4567');
    await node.dial('*123*4567#');
    bench.purchases.script.isSlow = true;
    expect(await node.key('1')).to.match(/^END Paiement en cours/);
    isBroken = true;
    expect(await node.dial('*123#')).to.match(/^END Résultat pas encore connu/);
  });
});

describe('a dialog that waits for a PIN', () => {
  it('keeps nothing of a PIN that was mistyped', async () => {
    const { bench, node } = await quoted();
    bench.purchases.script.afterConfirm = { state: 'validating', validation: { by: 'pin', triesLeft: null } };
    await node.key('1');
    for (const mistyped of ['246', '246813579', '24 68']) {
      await node.key(mistyped);
      const kept = await bench.board.dialogs.load('operator', bench.subscribers.pseudonymOf(awa));
      expect(kept?.body).to.be.a('string').and.not.contain(mistyped);
    }
  });
});

function createSmsNode(bench: Bench) {
  const { board, ...deps } = bench;
  const network = createSmsNetwork();
  const gateway = createSmsGateway({
    ...deps,
    settings: smsSettings,
    dialogs: board.dialogs,
    orders: board.orders,
    newCode: () => '382',
  });
  gateway.listen(network.account);
  return {
    bench,
    text: async (text: string): Promise<string> => {
      const before = network.sent.length;
      await bench.clock.until(network.receive({ text }));
      await breathe();
      return network.sent.length === before ? 'nothing' : (network.sent.at(-1)?.text ?? '');
    },
  };
}

/** The payer's code was right, and the commit of his purchase has no answer. */
async function unansweredText(): Promise<ReturnType<typeof createSmsNode>> {
  const node = createSmsNode(createBench());
  await node.bench.placeOrder('4567', { waitMs: 180_000 });
  await node.text('4567');
  node.bench.purchases.script.isConfirmUnanswered = true;
  expect(await node.text('OUI 382')).to.match(/^Paiement en cours/);
  return node;
}

describe('the texts of a payer whose confirmation has no answer', () => {
  for (const text of ['382', 'NON', '4567', '1203']) {
    it(`"${text}" is not answered with "nothing debited"`, async () => {
      const node = await unansweredText();
      await node.bench.clock.turn(5_000);
      expect(await node.text(text)).to.match(/^Résultat pas encore connu/);
    });
  }

  it('are still not, after he was turned away elsewhere', async () => {
    const node = await unansweredText();
    await node.text('8888');
    expect(await node.text('NON')).to.match(/^Résultat pas encore connu/);
  });

  it('are answered as ever once the confirmation is known to have begun nothing', async () => {
    const node = createSmsNode(createBench());
    await node.bench.placeOrder('4567', { waitMs: 180_000 });
    await node.text('4567');
    node.bench.purchases.script.refusal = 'order_changed';
    await node.text('OUI 382');
    expect(await node.text('NON')).to.equal('Annulé. Aucun débit.');
  });

  it('at a machine that was suspended after it tell of the purchase', async () => {
    const node = createSmsNode(createBench());
    await node.bench.placeOrder('4567', { waitMs: 180_000 });
    await node.text('4567');
    await node.text('OUI 382');
    node.bench.purchases.change('purchase-1', { state: 'in_doubt' });
    const machine = node.bench.machines.get('4567');
    if (machine !== undefined) node.bench.machines.set('4567', { ...machine, isSuspended: true });
    await node.bench.clock.turn(121_000);
    expect(await node.text('4567'))
      .to.match(/résultat non confirmé/)
      .and.not.match(NOTHING);
  });
});
