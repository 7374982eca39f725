import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { startWalletFaults, type WalletFault, type WalletFaults } from '../../simulators/wallet-faults.ts';
import type { GsmaConnector } from '../../src/payment/gsma.ts';
import type { Outcome, Terms } from '../../src/purchase/payment-port.ts';
import { systemClock } from '../../src/time.ts';
import {
  authorizeOf,
  balanceOf,
  connectorFor,
  expectSound,
  openTestWallet,
  startTestCentre,
  type TestCentre,
  termsFor,
} from './centre-for-test.ts';

const FAULTS: readonly WalletFault[] = [
  { kind: 'none' },
  { kind: 'silent' },
  { kind: 'lost_request' },
  { kind: 'reset' },
  { kind: 'status_5xx', when: 'before' },
  { kind: 'status_5xx', when: 'after' },
  { kind: 'double' },
  { kind: 'nonsense' },
];

type Act = () => Promise<Outcome>;

describe('a wallet behind a faulty link', () => {
  let test: TestCentre;
  let relay: WalletFaults;
  let wallet: GsmaConnector;
  before(async function () {
    this.timeout(30_000);
    test = await startTestCentre();
    relay = await startWalletFaults({ target: test.centre.url, clock: systemClock });
    wallet = connectorFor(relay.url, { budgets: { connectMs: 500, checkMs: 100, authorizeMs: 100, otherMs: 100 } });
  });
  after(async () => {
    await wallet.close();
    await relay.stop();
    await test.stop();
  });

  // What the effect engine does: after an open outcome ask, and send again under the same key only what was never seen.
  async function insist(faults: WalletFault[], act: Act, ask: Act): Promise<Outcome> {
    let isSent = false;
    for (let step = 0; step < 300; step += 1) {
      relay.set(faults.shift() ?? { kind: 'none' });
      const outcome: Outcome = isSent ? await ask() : await act();
      isSent = outcome.kind !== 'not_found';
      const isDefinite = outcome.kind === 'done' || outcome.kind === 'declined';
      if (isDefinite) return outcome;
    }
    throw new Error('no definite outcome though the faults have stopped');
  }

  async function live(terms: Terms, end: 'settle' | 'reverse' | 'by_key', faults: WalletFault[]): Promise<string> {
    const command = authorizeOf(terms);
    const ask = (of: 'authorize' | 'settle' | 'reverse', key: string, ref: string | null) => (): Promise<Outcome> =>
      wallet.query({ of, key, terms, ref });
    const key = randomUUID();
    const undo = { key, terms, authorizeKey: command.key, amount: null, reason: 'test' };
    if (end === 'by_key') {
      // Given up while the authorize is open: whatever becomes of it, the payer is whole.
      relay.set(faults.shift() ?? { kind: 'none' });
      await wallet.authorize(command);
      return (await insist(faults, () => wallet.reverse({ ...undo, ref: null }), ask('reverse', key, null))).kind;
    }
    const secured = await insist(faults, () => wallet.authorize(command), ask('authorize', command.key, null));
    if (secured.kind !== 'done') return secured.kind;
    const { ref } = secured;
    if (end === 'settle')
      return (await insist(faults, () => wallet.settle({ key, terms, ref }), ask('settle', key, ref))).kind;
    return (await insist(faults, () => wallet.reverse({ ...undo, ref }), ask('reverse', key, ref))).kind;
  }

  it('moves the price once or not at all, whatever is lost on the way', async function () {
    this.timeout(60_000);
    const story = fc.record({
      plan: fc.constantFrom<Terms['plan']>('debit_refund', 'hold_capture'),
      end: fc.constantFrom('settle' as const, 'reverse' as const, 'by_key' as const),
      faults: fc.array(fc.constantFrom(...FAULTS), { maxLength: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(story, async ({ plan, end, faults }) => {
        const payer = await openTestWallet(test, 1_000n);
        expect(await live(termsFor(payer, 300n, plan), end, [...faults])).to.equal('done');
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({
          posted: end === 'settle' ? 700n : 1_000n,
          held: 0n,
        });
        await expectSound(test);
      }),
      { numRuns: 25 },
    );
  });
});
