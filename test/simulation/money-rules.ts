/**
 * What must hold of the wallet: no call without a committed intention, and not one minor unit that appears or goes.
 */
import type { Msisdn } from '../../src/purchase/purchase.ts';
import type { Ledger, Movement, WalletCall, WalletNotes } from './notes.ts';
import { keptMinor, keyIn, type Page, type Pages } from './pages.ts';

/** The rules of money, as notes, and the balances as these notes make them. */
export interface MoneyRules extends WalletNotes {
  funded(payer: Msisdn, balanceMinor: bigint): void;
  /** Compares what has moved since the last call with the wallet's own ledger. */
  check(): void;
  /** All over again, from what each payer began with and what the journal says that he bought. */
  checkAtRest(): void;
}

/** Creates the rules for one wallet. */
export function createMoneyRules(pages: Pages, ledger: Ledger): MoneyRules {
  const begun = new Map<Msisdn, bigint>();
  const balances = new Map<Msisdn, bigint>();
  const changed = new Set<Msisdn>();
  let operatorMinor = 0n;
  let pendingMinor = 0n;

  function walletCalled(_node: string, call: WalletCall): void {
    const page = pages.find(call.purchaseId);
    if (page === undefined)
      return pages.complain(null, `${call.verb} for ${call.purchaseId}, which is not in the journal`);
    const intended = page.intentions.get(call.key) ?? 0;
    if (intended === 0) {
      pages.complain(page, `${call.verb} under a key that no commit has named: no effect without an intention`);
    }
    const authorizeKey = keyIn(page, 'authorize', 1);
    if (call.verb === 'authorize' && call.key !== authorizeKey)
      pages.complain(page, 'a second authorize, under another key');
    if (call.authorizeKey !== undefined && call.authorizeKey !== authorizeKey) {
      pages.complain(page, 'reverses the key of another authorize');
    }
    if (call.verb !== 'authorize' && call.verb !== 'validate') return;
    const times = (page.called.get(call.key) ?? 0) + 1;
    page.called.set(call.key, times);
    if (times > intended) pages.complain(page, `${call.verb} was called ${times} times on ${intended} intentions`);
  }

  /** By how much each account grows; what is unknown of the purchase is complained of. */
  function apply(page: Page, { kind, amountMinor, payer }: Movement): void {
    const move = (toPayer: bigint, toPending: bigint, toOperator: bigint): void => {
      balances.set(payer, (balances.get(payer) ?? 0n) + toPayer);
      pendingMinor += toPending;
      operatorMinor += toOperator;
    };
    switch (kind) {
      case 'secured':
        page.securedMinor += amountMinor;
        page.authorizes += 1;
        return move(-amountMinor, amountMinor, 0n);
      case 'hold_lapsed':
        page.isHoldLapsed = true;
        page.returnedMinor += amountMinor;
        return move(amountMinor, -amountMinor, 0n);
      case 'returned':
        page.returnedMinor += amountMinor;
        page.reversals += 1;
        if (page.collectedMinor === 0n) return move(amountMinor, -amountMinor, 0n);
        page.collectedMinor -= amountMinor;
        return move(amountMinor, 0n, -amountMinor);
      case 'refunded':
        page.refundedMinor += amountMinor;
        if (page.collectedMinor === 0n) return move(amountMinor, -amountMinor, 0n);
        return move(amountMinor, 0n, -amountMinor);
      case 'collected':
        page.collectedMinor += amountMinor;
        return move(0n, -amountMinor, amountMinor);
    }
  }

  function moneyMoved(movement: Movement): void {
    const { kind, purchaseId, payer, amountMinor } = movement;
    const page = pages.find(purchaseId);
    if (page === undefined) return pages.complain(null, `money ${kind} for ${purchaseId}, which is not in the journal`);
    if (pages.payerOf(page.purchase.payerId) !== payer) pages.complain(page, `money ${kind} of another payer`);
    if (amountMinor <= 0n) pages.complain(page, `${amountMinor} ${kind}`);
    apply(page, movement);
    changed.add(payer);
    pages.touch(page);
    if (page.collectedMinor > keptMinor(page)) pages.complain(page, 'more was collected than was secured');
    if (
      kind === 'collected' &&
      page.delivered === 0 &&
      page.purchase.facts.presumed === null &&
      !page.isConfirmedByPerson
    ) {
      pages.complain(page, 'the operator was credited, and nothing was delivered');
    }
  }

  function checkTotals(): void {
    if (ledger.operatorMinor !== operatorMinor) {
      pages.complain(null, `the operators have ${ledger.operatorMinor} at the wallet, ${operatorMinor} was collected`);
    }
    if (ledger.pendingMinor !== pendingMinor) {
      pages.complain(null, `${ledger.pendingMinor} is pending at the wallet, ${pendingMinor} was secured and is open`);
    }
  }

  function checkBalance(payer: Msisdn): void {
    const [theirs, ours] = [ledger.balanceOf(payer), balances.get(payer) ?? 0n];
    if (theirs !== ours) pages.complain(null, `a payer has ${theirs} at the wallet, what moved makes it ${ours}`);
  }

  /** What a purchase took from its payer for good, as the journal says. */
  function boughtMinor({ purchase, refundedMinor }: Page): bigint {
    const isPaid = purchase.state === 'completed' && !purchase.facts.isUncollected;
    const isOpen = purchase.state === 'in_doubt';
    if (purchase.state === 'declined') return 0n;
    return (isPaid || isOpen ? purchase.order.price.minor : 0n) - (isPaid ? refundedMinor : 0n);
  }

  return {
    walletCalled,
    moneyMoved,
    funded: (payer, balanceMinor) => {
      begun.set(payer, balanceMinor);
      balances.set(payer, balanceMinor);
    },
    check: () => {
      if (changed.size === 0) return;
      for (const payer of changed) checkBalance(payer);
      changed.clear();
      checkTotals();
    },
    checkAtRest: () => {
      let open = 0n;
      let collected = 0n;
      const spent = new Map<Msisdn | undefined, bigint>();
      for (const page of pages.all.values()) {
        const { state, order, payerId, facts } = page.purchase;
        const payer = pages.payerOf(payerId);
        spent.set(payer, (spent.get(payer) ?? 0n) + boughtMinor(page));
        const isPaid = state === 'completed' && !facts.isUncollected;
        if (isPaid) collected += order.price.minor - page.refundedMinor;
        if (isPaid && page.collectedMinor !== order.price.minor) {
          pages.complain(page, `the operator was credited ${page.collectedMinor} of ${order.price.minor}`);
        }
        if (state === 'in_doubt') open += order.price.minor;
        if (state === 'declined' && page.refundedMinor !== page.securedMinor) {
          pages.complain(
            page,
            `declined, ${page.securedMinor} were secured after all and ${page.refundedMinor} refunded`,
          );
        }
      }
      for (const [payer, balance] of begun) {
        const wanted = balance - (spent.get(payer) ?? 0n);
        const has = ledger.balanceOf(payer);
        if (has !== wanted) pages.complain(null, `at rest a payer has ${has}; what he bought leaves him ${wanted}`);
      }
      if (ledger.pendingMinor !== open)
        pages.complain(null, `at rest ${ledger.pendingMinor} is pending, in doubt are ${open}`);
      if (ledger.operatorMinor !== collected) {
        pages.complain(null, `at rest the operators have ${ledger.operatorMinor}, sold was for ${collected}`);
      }
    },
  };
}
