/**
 * The wallets of the demonstration, numbers from the range that France reserves for fiction. Opening balances are
 * cash-in transfers, so that the ledger adds up from the first second.
 */
import { createHash, randomInt } from 'node:crypto';
import type { Accounts } from './account.ts';
import type { Ledger } from './ledger.ts';
import type { PinBook } from './pin.ts';

/** What the seed made. `pin` only where a PIN was drawn: shown on the playground page, kept nowhere in clear. */
export type DemoWallet = { readonly msisdn: string; readonly pin: string | null };

type Plan = {
  readonly msisdn: string;
  readonly name: string;
  readonly minor: bigint;
  readonly asksPin: boolean;
  readonly isBlocked: boolean;
};

const PLANS: readonly Plan[] = [
  { msisdn: '33639980001', name: 'Awa', minor: 25_000n, asksPin: false, isBlocked: false },
  { msisdn: '33639980002', name: 'Bintou', minor: 300n, asksPin: false, isBlocked: false },
  { msisdn: '33639980003', name: 'Chérif', minor: 25_000n, asksPin: true, isBlocked: false },
  { msisdn: '33639980004', name: 'Demba', minor: 25_000n, asksPin: false, isBlocked: true },
];

/** The operator of the demonstration. */
const DEMO_OPERATOR = 'DEMO';
const CURRENCY = 'XOF';

// The same at every start, so that a second start pays nothing in.
function cashKey(msisdn: string): string {
  const hex = createHash('sha256').update(`relais demo seed ${msisdn}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Makes what is missing; draws a new PIN at each start for the wallet that asks for one. */
export async function seedDemo(deps: {
  readonly ledger: Ledger;
  readonly accounts: Accounts;
  readonly pins: PinBook;
  readonly newId: () => string;
}): Promise<readonly DemoWallet[]> {
  await deps.accounts.openOperator(DEMO_OPERATOR);
  const made: DemoWallet[] = [];
  for (const plan of PLANS) {
    const opened = await deps.accounts.openWallet({
      name: plan.name,
      msisdn: plan.msisdn,
      currency: CURRENCY,
      creditLimit: 0n,
      validation: plan.asksPin ? 'always' : 'never',
      validationAbove: null,
    });
    const keyed = { client: 'admin', key: cashKey(plan.msisdn), hash: Buffer.from('demo') };
    await deps.ledger.cashIn(keyed, deps.newId(), opened.wallet, plan.minor);
    const pin = plan.asksPin ? randomInt(0, 10_000).toString().padStart(4, '0') : null;
    if (pin !== null) await deps.accounts.setPin(opened.holder, await deps.pins.hash(opened.holder, pin));
    if (plan.isBlocked) await deps.accounts.setStatus(opened.wallet, 'unavailable');
    made.push({ msisdn: plan.msisdn, pin });
  }
  return made;
}
