import { expect } from 'chai';
import { isFree, isWaiting, type NodeForTest, startNodeForTest, until } from './node-for-test.ts';

const NEVER_MS = 3_600_000;

describe('a purchase on the straight line', () => {
  let node: NodeForTest;

  before(async function () {
    this.timeout(60_000);
    // Nothing is ever looked for: what happens, happens by the commits alone.
    node = await startNodeForTest({
      machineCount: 1,
      config: { effects: { pollMs: NEVER_MS, deadlinePollMs: NEVER_MS } },
    });
  });
  after(() => node.stop());

  it('waits for the disk three times in the relation server, and polls nothing', async function () {
    this.timeout(60_000);
    const payer = await node.openWallet(1_000n);
    const machine = node.machines.get('1000');
    expect(machine).to.not.equal(undefined);
    if (machine === undefined) return;
    await until('the machine is connected', () => machine.status().agent?.link === 'ready');
    // The payer's row is made at the first contact, which is no part of a purchase.
    await node.running.store.subscribers.meet(payer.msisdn);
    machine.select(1);
    await until('the machine shows what to dial', () => isWaiting(machine));
    const before = { ...node.commits };
    const call = node.smsc.dial(payer.msisdn, '*123*1000#');
    expect((await call.nextScreen()).text).to.equal(
      'Distributeur 1000\nCafé long: 500 F CFA\n1 Payer\n2 Autre produit\n0 Annuler',
    );
    call.key('1');
    expect((await call.nextScreen()).text).to.match(
      /^Payé: 500 F CFA\. Prenez votre produit, distributeur 1000\. Réf [2-9A-HJ-NP-Z]{6}$/,
    );
    expect((await node.smsc.nextMessage(payer.msisdn, 10_000)).text).to.match(
      /^Payé 500 F CFA, Café long, distributeur 1000, /,
    );
    await until('the machine is free', () => isFree(machine));
    await until('the purchase is completed', () => node.log.some((line) => line.fields['state'] === 'completed'));
    expect(node.commits.flushed - before.flushed, 'flushed commits').to.equal(3);
    expect(machine.dropped()).to.equal(1);
    expect(await node.balanceOf(payer)).to.equal(500n);
    expect(await node.findings()).to.deep.equal([]);
  });
});
