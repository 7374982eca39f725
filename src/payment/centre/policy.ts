/**
 * Policy of the centre: when the payer must key a PIN, and what the operator pays. Pure; the database guards the money.
 */
import type { CentreConfig } from './centre-config.ts';

type Policy = CentreConfig['policy'];

/** What a wallet says about validation; `default` leaves it to the configuration. */
export type WalletValidation = {
  readonly validation: 'default' | 'never' | 'always' | 'above';
  readonly validationAbove: bigint | null;
};

/** True when the payer must answer before `amount` (minor units) moves. The wallet's own setting comes first. */
export function needsPin(policy: Policy, wallet: WalletValidation, amount: bigint): boolean {
  const rule = wallet.validation === 'default' ? policy.validation : wallet.validation;
  const above = wallet.validation === 'default' ? policy.validationAboveMinor : (wallet.validationAbove ?? 0n);
  switch (rule) {
    case 'never':
      return false;
    case 'always':
      return true;
    case 'above':
      return amount > above;
  }
}

/** The centre's fee on `amount`, minor units, rounded down in the operator's favor; at most the amount. */
export function feeOf(policy: Policy, amount: bigint): bigint {
  return (amount * BigInt(policy.feeBasisPoints)) / 10_000n;
}

/** How long a request may wait for the payer: what the client asked for, within 1 s and 5 min. */
export function validationMsOf(policy: Policy, asked: string | undefined): bigint {
  if (asked === undefined || !/^\d{1,9}$/.test(asked)) return BigInt(policy.validationMs);
  return BigInt(Math.min(Math.max(Number(asked), 1_000), 300_000));
}
