import { expect } from 'chai';
import { type Effect, isMachineEffect, keyPartsOf } from '../../src/purchase/effect.ts';

const rows: readonly (readonly [Effect, string, boolean])[] = [
  [{ kind: 'authorize', expiresInMs: 1, holdMs: null, isResend: true }, 'authorize/1', false],
  [{ kind: 'query_payment' }, 'query_payment/1', false],
  [{ kind: 'approve' }, 'approve/1', true],
  [{ kind: 'query_order' }, 'query_order/1', true],
  [{ kind: 'settle', n: 2 }, 'settle/2', false],
  [{ kind: 'reverse', n: 3, reason: 'failed_jam' }, 'reverse/3', false],
  [{ kind: 'refund', n: 4, amountMinor: 500n, reason: 'paid_after_close' }, 'refund/4', false],
  [{ kind: 'notify', template: 'receipt' }, 'notify/receipt', false],
];

describe('an effect', () => {
  for (const [effect, key, isMachine] of rows) {
    it(`${key} is named by its operation and number, and ${isMachine ? 'is' : 'is not'} for the machine`, () => {
      const { operation, n } = keyPartsOf(effect);
      expect([`${operation}/${n}`, isMachineEffect(effect)]).to.deep.equal([key, isMachine]);
    });
  }
});
