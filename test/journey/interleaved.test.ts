import { expect } from 'chai';
import { isFree, isWaiting, type NodeForTest, startNodeForTest, until } from './node-for-test.ts';

const CALLERS = 200;

describe('200 interleaved callers on one node', () => {
  let node: NodeForTest;

  before(async function () {
    this.timeout(120_000);
    node = await startNodeForTest({ machineCount: CALLERS });
  });
  after(async function () {
    this.timeout(60_000);
    await node.stop();
  });

  it('get each their own screens, and exactly the confirmed purchases are debited', async function () {
    this.timeout(180_000);
    const payers = await Promise.all(Array.from({ length: CALLERS }, () => node.openWallet(1_000n)));
    const machines = [...node.machines.entries()];
    await until(
      'all machines are connected',
      () => machines.every(([, each]) => each.status().agent?.link === 'ready'),
      60_000,
    );
    for (const [, machine] of machines) machine.select(1);
    await until('all machines wait', () => machines.every(([, each]) => isWaiting(each)), 60_000);
    const confirms = (index: number): boolean => index % 2 === 0;

    const seen = await Promise.all(
      machines.map(async ([number], index) => {
        const msisdn = payers[index]?.msisdn ?? '';
        const call = node.smsc.dial(msisdn, `*123*${number}#`);
        const first = await call.nextScreen(60_000);
        call.key(confirms(index) ? '1' : '0');
        const second = await call.nextScreen(60_000);
        return { number, first: first.text, second: second.text };
      }),
    );

    for (const [index, { number, first, second }] of seen.entries()) {
      expect(first).to.match(new RegExp(`^Distributeur ${number}\\n`));
      if (confirms(index))
        expect(second).to.match(
          new RegExp(`^(Payé: 500 F CFA\\. Prenez votre produit, distributeur ${number}\\.|Paiement en cours)`),
        );
      else expect(second).to.equal('Annulé. Aucun débit.');
    }
    const paying = machines.filter((_, index) => confirms(index)).map(([, machine]) => machine);
    await until(
      'all confirmed goods have dropped',
      () => paying.every((each) => each.dropped() === 1 && isFree(each)),
      60_000,
    );
    await until(
      'all purchases are completed',
      () => node.log.filter((line) => line.fields['state'] === 'completed').length === CALLERS / 2,
      60_000,
    );
    const balances = await Promise.all(payers.map((payer) => node.balanceOf(payer)));
    expect(balances).to.deep.equal(payers.map((_, index) => (confirms(index) ? 500n : 1_000n)));
    expect(machines.map(([, machine]) => machine.dropped())).to.deep.equal(
      machines.map((_, index) => (confirms(index) ? 1 : 0)),
    );
    expect(await node.findings()).to.deep.equal([]);
  });
});
