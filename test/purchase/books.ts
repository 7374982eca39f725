/**
 * What is left when a story is over: where the money is, whether the good dropped, what the payer was told.
 */
import { expect } from 'chai';
import type { PurchaseId } from '../../src/purchase/purchase.ts';
import { firstId, type House, payer, priceMinor } from '../support/house.ts';

const START = 5000n;

/**
 * The books in one line: `completed; payer -500; operator +500; dropped 1; sent receipt`. What is zero is left out;
 * the payer's line is the price at most, and every invariant holds, or the test fails here.
 */
export function books(house: House, id: PurchaseId = firstId): string {
  const { securedMinor, returnedMinor, refundedMinor } = house.evidenceOf(id);
  expect(house.broken(), 'invariants broken').to.deep.equal([]);
  expect(securedMinor - returnedMinor - refundedMinor <= priceMinor, 'the payer pays at most once').to.equal(true);
  const paid = house.wallet.balanceOf(payer) - START;
  const dropped = house.evidenceOf(id).delivered;
  const sent = house.notices.filter((notice) => notice.id === id).map(({ template }) => template);
  const lines: readonly (readonly [boolean, string])[] = [
    [true, house.stateOf(id)],
    [paid !== 0n, `payer ${paid}`],
    [house.wallet.operatorMinor > 0n, `operator +${house.wallet.operatorMinor}`],
    [dropped > 0, `dropped ${dropped}`],
    [sent.length > 0, `sent ${sent.join(' ')}`],
  ];
  return lines
    .filter(([isSaid]) => isSaid)
    .map(([, line]) => line)
    .join('; ');
}

/** The books of a purchase that went well. */
export const sold = 'completed; payer -500; operator +500; dropped 1; sent receipt';

/** Calls to the wallet, without the purchase: `authorize/1, query authorize/1, settle/1`. */
export function callsOf(house: House): string {
  const short = (call: string): string => {
    const [verb = '', key = ''] = call.split(' ');
    const operation = key.slice(key.indexOf('/') + 1);
    return operation.startsWith(`${verb}/`) ? operation : `${verb} ${operation}`;
  };
  return house.wallet.calls.map(short).join(', ');
}
