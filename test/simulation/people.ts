/**
 * Whom a story is about: the wallet's manners and its customers' accounts, drawn from the seed.
 */
import type { Capabilities } from '../../src/purchase/payment-port.ts';
import type { DeclineCode } from '../../src/purchase/purchase.ts';
import { fakeCapabilities } from '../support/fake-wallet.ts';
import type { Dice } from './chance.ts';
import type { Account, SimWallet, WalletTraits } from './wallet.ts';

const PAYERS = 40;
const RICH = 1_000_000n;
const POOR = 1_300n;

/** A wallet of one of the kinds that exist: as the built-in one, turning doubles away, or without undoing by key. */
export function drawTraits(dice: Dice): WalletTraits {
  const kind = dice.pick(['usual', 'usual', 'usual', 'rejects', 'debits', 'cannot_undo', 'cannot_undo'] as const);
  const isSlowToDecide = dice.happens(0.15);
  const shortHolds = dice.happens(0.2) ? 0.05 : 0;
  switch (kind) {
    case 'usual':
      return { capabilities: fakeCapabilities, isSlowToDecide, shortHolds };
    case 'rejects':
      return { capabilities: { ...fakeCapabilities, replay: 'rejects_duplicate' }, isSlowToDecide, shortHolds };
    case 'debits':
      return { capabilities: { ...fakeCapabilities, holds: null }, isSlowToDecide, shortHolds };
    case 'cannot_undo': {
      const capabilities: Capabilities = { ...fakeCapabilities, holds: null, reverseByKey: false, replay: 'none' };
      return { capabilities, isSlowToDecide, shortHolds };
    }
  }
}

/** Opens the accounts: most of them well filled, some nearly empty, one or two that cannot pay. */
export function openAccounts(dice: Dice, wallet: SimWallet): readonly Account[] {
  const share = dice.pick([0.2, 0.2, 0.5, 0.9]);
  return Array.from({ length: PAYERS }, (_, index) => {
    const asks = dice.happens(share) ? dice.pick(['pin', 'pin', 'push', 'confirm'] as const) : null;
    const refusal: DeclineCode | null =
      index === 0 ? dice.pick([null, 'account_unknown', 'account_blocked', 'limit_exceeded']) : null;
    const account: Account = {
      payer: `22177123${String(4500 + index)}`,
      balanceMinor: index % 5 === 1 ? POOR : RICH,
      refusal,
      asks,
      pin: String(1000 + index),
    };
    wallet.open(account);
    return account;
  });
}
