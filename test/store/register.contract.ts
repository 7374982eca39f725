/**
 * What every store must do with machines, products and payers.
 */
import { expect } from 'chai';
import { Fault } from '../../src/result.ts';
import { credentialMacOf } from '../../src/store/registry.ts';
import { aPurchase, aRegistry, aRegistryMachine, beginOf, testSecrets } from '../support/store-builders.ts';
import type { Harness } from './harness.ts';

const PHONE = '221771234501';
const macOf = (key: string): string => credentialMacOf(testSecrets.machineSecret, key);

/** Directory, registry and payers. */
export function registerContract(the: () => Harness): void {
  describe('the directory', () => {
    it('finds a machine by its number and by its name', async () => {
      const byNumber = await the().one.directory.machineByNumber('4567');
      expect(byNumber).to.deep.equal({
        machineId: 'M-4567',
        number: '4567',
        operatorId: 1,
        operatorAccount: 'teranga',
        name: 'Distributeur 4567',
        place: 'Gare de Dakar',
        currency: 'XOF',
        priceMode: 'machine',
        minMinor: 1n,
        maxMinor: 100_000n,
        isSuspended: false,
        credentialMacs: [macOf('key of M-4567')],
        language: 'fr',
      });
      expect(await the().one.directory.machineById('M-4567')).to.deep.equal(byNumber);
    });

    it('knows neither a number nor a name that nobody registered', async () => {
      expect(await the().one.directory.machineByNumber('9999')).to.equal(null);
      expect(await the().one.directory.machineById('M-none')).to.equal(null);
    });

    it('names what a machine sells, at its own price or the product’s', async () => {
      const items = [
        { item: 3, productName: 'Coca 33 cl', priceMinor: null },
        { item: 4, productName: 'Coca 33 cl', priceMinor: 450n },
        { item: null, productName: 'Coca 33 cl', priceMinor: 400n },
      ];
      await the().one.applyRegistry(aRegistry([aRegistryMachine('M-4567', '4567', { items })]));
      const { directory } = the().one;
      expect(await directory.itemOf('M-4567', 3)).to.deep.equal({ productName: 'Coca 33 cl', priceMinor: 500n });
      expect(await directory.itemOf('M-4567', 4)).to.deep.equal({ productName: 'Coca 33 cl', priceMinor: 450n });
      expect(await directory.itemOf('M-4567', null)).to.deep.equal({ productName: 'Coca 33 cl', priceMinor: 400n });
      expect(await directory.itemOf('M-4567', 5)).to.equal(null);
    });
  });

  describe('purchases of others', () => {
    it('are seen, ended ones too, and none where there are none', async () => {
      const { one } = the();
      expect(await one.hasPurchasesBesides('Demo Vending')).to.equal(false);
      await one.purchases.begin(beginOf(aPurchase()));
      const [operator] = aRegistry().operators;
      expect(await one.hasPurchasesBesides(operator?.name ?? '')).to.equal(false);
      expect(await one.hasPurchasesBesides('Demo Vending')).to.equal(true);
    });
  });

  describe('the registry', () => {
    it('is the same after it is applied twice', async () => {
      await the().one.applyRegistry(aRegistry());
      const machine = await the().one.directory.machineById('M-4567');
      expect(machine?.credentialMacs).to.deep.equal([macOf('key of M-4567')]);
      expect(await the().one.directory.itemOf('M-4567', 3)).to.not.equal(null);
    });

    it('keeps the older key beside a new one, and both where none is given', async () => {
      const apply = (key: string | null): Promise<void> =>
        the().one.applyRegistry(aRegistry([aRegistryMachine('M-4567', '4567', { key })]));
      await apply('second');
      await apply('third');
      await apply(null);
      const machine = await the().one.directory.machineById('M-4567');
      expect(machine?.credentialMacs).to.deep.equal([macOf('third'), macOf('second')]);
    });

    it('takes away what a machine no longer sells', async () => {
      await the().one.applyRegistry(aRegistry([aRegistryMachine('M-4567', '4567', { items: [] })]));
      expect(await the().one.directory.itemOf('M-4567', 3)).to.equal(null);
    });
  });

  describe('a payer', () => {
    it('is the same at each contact, on each node', async () => {
      const first = await the().one.subscribers.meet(PHONE);
      expect(first.language).to.equal(null);
      expect(await the().two.subscribers.meet(PHONE)).to.deep.equal(first);
      expect((await the().one.subscribers.meet('221771234502')).payerId).to.not.equal(first.payerId);
    });

    it('is one payer, also when met 50 times at once', async () => {
      const nodes = [the().one.subscribers, the().two.subscribers];
      const all = await Promise.all(
        Array.from({ length: 50 }, async (_, n) => (await nodes[n % 2]?.meet('221770000077'))?.payerId),
      );
      expect(new Set(all)).to.have.property('size', 1);
    });

    it('has a number that can be read back', async () => {
      const { payerId } = await the().one.subscribers.meet('221771234503');
      expect(await the().two.subscribers.msisdnOf(payerId)).to.equal('221771234503');
    });

    it('keeps the language chosen', async () => {
      const { payerId } = await the().one.subscribers.meet('221771234504');
      await the().one.subscribers.setLanguage(payerId, 'en');
      expect((await the().one.subscribers.meet('221771234504')).language).to.equal('en');
    });

    it('who is unknown has no number', async () => {
      const error = await the()
        .one.subscribers.msisdnOf(999_999n)
        .catch((caught: unknown) => caught);
      expect(error).to.be.instanceOf(Fault).and.to.include({ code: 'subscriber_erased', happened: 'no' });
    });

    it('has a pseudonym that is stable and tells nothing of the number', async () => {
      const pseudonym = the().one.subscribers.pseudonymOf(PHONE);
      expect(pseudonym).to.match(/^[0-9a-f]{32}$/);
      expect(the().two.subscribers.pseudonymOf(PHONE)).to.equal(pseudonym);
      expect(the().one.subscribers.pseudonymOf('221771234502')).to.not.equal(pseudonym);
    });
  });
}
