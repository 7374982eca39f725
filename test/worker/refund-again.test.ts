import type { Effect } from '../../src/purchase/effect.ts';
import { anEnded } from '../support/purchase-builders.ts';
import { declined, done, notFound, pending, type Row, tell, unknown } from './carry-out-bench.ts';

describe('a refund at a wallet that remembers no key', () => {
  const whole: Effect = { kind: 'refund', n: 1, amountMinor: 500n, reason: 'refunded_by_operator' };
  const part: Effect = { ...whole, amountMinor: 200n };
  const forgetful = { replay: 'none' } as const;
  const again = { tries: 2 };
  const [asks, calls] = ['query refund/1', 'reverse refund/1 ref W-1'];
  for (const effect of [whole, part]) {
    const what = effect === whole ? 'all' : 'a part';
    const from = anEnded('completed');
    tell([
      [
        `does not give ${what} back a second time`,
        from,
        effect,
        { calls: done, queries: [done], capabilities: forgetful },
        again,
        [asks, 'refunded 1'],
      ],
      ...[unknown, pending].map(
        (answer): Row => [
          `calls for ${what} again only when it knows of the first: ${answer.kind}`,
          from,
          effect,
          { calls: done, queries: [answer], capabilities: forgetful },
          again,
          [asks, `again in 2000: ${answer.kind}`],
        ],
      ),
      ...[notFound, declined].map(
        (answer): Row => [
          `gives ${what} back when the first call did nothing: ${answer.kind}`,
          from,
          effect,
          { calls: done, queries: [answer], capabilities: forgetful },
          again,
          [asks, calls, 'refunded 1'],
        ],
      ),
    ]);
  }
  tell([
    [
      'asks before the first call of no key',
      anEnded('completed'),
      part,
      { calls: done, capabilities: forgetful },
      {},
      [calls, 'refunded 1'],
    ],
    [
      'does not ask what became of the first call once another node has taken the effect',
      anEnded('declined'),
      whole,
      { queries: [done], calls: done, answersAfterMs: 6000, isTaken: true, capabilities: forgetful },
      again,
      ['query authorize/1', 'keep the lease'],
    ],
  ]);
});
