/**
 * One effect carried out in a scripted world, which notes what it is asked.
 */
import { expect } from 'chai';
import type { Applied, EventSource } from '../../src/purchase/coordinator.ts';
import type { Effect, HeldEffect } from '../../src/purchase/effect.ts';
import type { ApproveAnswer } from '../../src/purchase/machine-port.ts';
import type { Capabilities, Outcome, PaymentPort } from '../../src/purchase/payment-port.ts';
import { isEnded, type Purchase } from '../../src/purchase/purchase.ts';
import type { NoticePort } from '../../src/purchase/purchases-port.ts';
import { type CarryOutDeps, createCarryOut, type WalletBudgets } from '../../src/worker/carry-out.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { fakeCapabilities } from '../support/fake-wallet.ts';
import { keyOf } from '../support/house-node.ts';
import { createMemoryWorld } from '../support/memory-store.ts';
import { purchaseId, rules } from '../support/purchase-builders.ts';

type Sent = Awaited<ReturnType<NoticePort['send']>>;

/** What the world answers, and what is decided of an event. */
export type World = {
  readonly leftMs?: number;
  readonly calls?: Outcome;
  readonly queries?: readonly Outcome[];
  readonly applied?: 'committed' | 'already' | 'noted' | 'busy' | 'refund_due';
  readonly machine?: ApproveAnswer;
  readonly isAsked?: boolean;
  readonly isAccepted?: boolean;
  readonly notice?: Sent;
  /** How long the payer's number takes to be found: the look-up before each call. */
  readonly lookUpMs?: number;
  /** How long each answer of the wallet takes. */
  readonly answersAfterMs?: number;
  /** True: another node has taken the effect meanwhile. */
  readonly isTaken?: boolean;
  readonly capabilities?: Partial<Capabilities>;
  /** As configured; 12 s and 10 s when left out. */
  readonly budgets?: WalletBudgets;
};

/** An outcome of the wallet. */
export const done: Outcome = { kind: 'done', ref: 'W-1', holdExpiresInMs: null };
/** An outcome of the wallet. */
export const declined: Outcome = { kind: 'declined', code: 'wallet_refused' };
/** An outcome of the wallet. */
export const unknown: Outcome = { kind: 'unknown', cause: 'timeout' };
/** An outcome of the wallet. */
export const pending: Outcome = { kind: 'pending', ref: 'W-1', pollAfterMs: 7000, expiresInMs: null };
/** An outcome of the wallet. */
export const notFound: Outcome = { kind: 'not_found' };

/** Carries one effect out, and tells what was asked of the world and the journal, in order. */
async function carried(
  purchase: Purchase,
  effect: Effect,
  world: World = {},
  lease: Partial<HeldEffect> = {},
): Promise<readonly string[]> {
  const did: string[] = [];
  const queries = [...(world.queries ?? [])];
  const short = (key: string): string => key.slice(purchaseId.length + 1);
  const call =
    (verb: string) =>
    async (command: { readonly key: string; readonly ref?: string | null }): Promise<Outcome> => {
      await clock.advance(world.answersAfterMs ?? 0);
      did.push(`${verb} ${short(command.key)}${verb === 'reverse' ? ` ref ${command.ref}` : ''}`);
      return verb === 'query' ? (queries.shift() ?? unknown) : (world.calls ?? unknown);
    };
  const wallet: PaymentPort = {
    name: 'centre',
    capabilities: { ...fakeCapabilities, ...world.capabilities },
    check: async () => ({ account: 'unknown', affordable: 'unknown', validation: 'unknown' }),
    authorize: call('authorize'),
    validate: call('validate'),
    settle: call('settle'),
    reverse: call('reverse'),
    query: call('query'),
  };
  const loaded = {
    purchase,
    leftMs: isEnded(purchase) ? null : (world.leftMs ?? 50_000),
    sinceConfirmedMs: 10_000,
    sinceEndedMs: null,
  };
  const clock = createFakeClock();
  const bare = createMemoryWorld({ clock }).store('a');
  const msisdnOf = async (): Promise<string> => {
    await clock.advance(world.lookUpMs ?? 0);
    return '221771234501';
  };
  const note = (what: string): void => {
    did.push(what);
  };
  const store: CarryOutDeps['store'] = {
    openCase: async (_id, attention) => note(`open ${attention}`),
    reschedule: async (_effect, ms, why, sent) => {
      note(`again in ${ms}: ${why}${sent === 'provably_not' ? ', unsent' : ''}`);
      return true;
    },
    keepLease: async () => {
      note('keep the lease');
      return world.isTaken !== true;
    },
    finish: async (_id, key, tries) => note(`finish ${short(key)}${tries === undefined ? '' : ` of take ${tries}`}`),
    refund: async (commit) => {
      note(`refund ${short(commit.effect.key)}`);
      return 'recorded';
    },
    refundSettled: async (_id, n) => note(`refunded ${n}`),
  };
  const deps: CarryOutDeps = {
    store,
    coordinator: {
      apply: async (_id: string, source: EventSource): Promise<Applied> => {
        const event = typeof source === 'function' ? source(loaded) : source;
        note(`event ${event?.type ?? 'none'}`);
        const kind = event === null ? 'already' : (world.applied ?? 'committed');
        if (kind === 'busy') return { kind };
        return kind === 'noted' ? { kind, loaded, attention: 'contradicting_result' } : { kind, loaded };
      },
      begun: () => undefined,
      rowsOf: () => [],
      keyOfEffect: () => '',
      load: async () => loaded,
      reload: async () => loaded,
      accepted: () => note('accepted'),
      isAccepted: () => world.isAccepted === true,
      changed: async () => undefined,
    },
    walletOf: () => wallet,
    machines: {
      holds: () => true,
      heldMachines: () => [],
      approve: async ({ approvalId }) => {
        note(`approve ${short(approvalId)}`);
        return world.machine ?? { kind: 'unknown' };
      },
      queryOrder: async (_machineId, orderSeq) => {
        note(`query_order ${orderSeq}`);
        return world.isAsked === true;
      },
      deny: async () => undefined,
    },
    notices: {
      send: async ({ template, payer }) => {
        note(`send ${template} to ${payer}`);
        return world.notice ?? { kind: 'sent' };
      },
    },
    subscribers: { ...bare.subscribers, msisdnOf },
    languageOf: async () => null,
    keyOf,
    clock,
    leaseMs: 15_000,
    budgets: world.budgets ?? { authorizeMs: 12_000, otherMs: 10_000 },
    rules,
    onTrouble: (what) => note(`trouble ${what}`),
  };
  const n = 'n' in effect ? effect.n : effect.kind === 'notify' ? effect.template : 1;
  const key = keyOf(purchaseId, effect.kind, n);
  await createCarryOut(deps)(loaded, {
    purchaseId,
    key,
    effect,
    tries: 1,
    maySent: false,
    maySentBefore: false,
    leaseLeftMs: 15_000,
    leaseEndsAtMs: 15_000,
    ...lease,
  });
  return did;
}

/** A row: what is carried out in which world, and what that asks. */
export type Row = readonly [
  says: string,
  purchase: Purchase,
  effect: Effect,
  world: World,
  lease: Partial<HeldEffect>,
  did: readonly string[],
];

/** One test a row. */
export function tell(rows: readonly Row[]): void {
  for (const [says, purchase, effect, world, lease, did] of rows) {
    it(says, async () => {
      expect(await carried(purchase, effect, world, lease)).to.deep.equal(did);
    });
  }
}
