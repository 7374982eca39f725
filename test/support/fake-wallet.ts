/**
 * A wallet in memory with named faults. Its ledger counts what really moved, whatever was answered.
 */
import type { EffectKey } from '../../src/purchase/effect.ts';
import type { Evidence } from '../../src/purchase/invariant.ts';
import type { Capabilities, Check, Outcome, PaymentPort, Terms } from '../../src/purchase/payment-port.ts';
import type { DeclineCode, PurchaseId, ValidationBy } from '../../src/purchase/purchase.ts';
import { type Clock, type DurationMs, pause } from '../../src/time.ts';

/** The verbs that can fail. */
export type WalletVerb = 'authorize' | 'validate' | 'settle' | 'reverse' | 'query';

/** What goes wrong with one call. The answer to a lost one is `unknown` when the budget is over. */
export type WalletFault =
  /** It never arrives. */
  | { readonly kind: 'request_lost' }
  /** It is carried out, and the answer is lost. */
  | { readonly kind: 'answer_lost' }
  /** It arrives `afterMs` later; beyond the budget the caller hears `unknown` first. */
  | { readonly kind: 'late'; readonly afterMs: DurationMs }
  /** It arrives twice, as after a retry of the network. */
  | { readonly kind: 'double' }
  /** An answer that the wallet's rules would not give. */
  | { readonly kind: 'answers'; readonly outcome: Outcome }
  /** Ours: the connector throws. */
  | { readonly kind: 'bug' };

/** How the wallet asks its payers. */
export type Asking = { readonly by: ValidationBy; readonly pin: string };

/** Whose money it is. */
type Account = { balanceMinor: bigint; refusal: DeclineCode | null };

type Authorization = {
  readonly terms: Terms;
  readonly expiresAtMs: number;
  readonly holdUntilMs: number | null;
  state: 'asking' | 'secured' | 'settled' | 'declined' | 'returned';
  code: DeclineCode;
  triesLeft: number;
};

/** The fake. Everything about it can be changed between two calls. */
export interface FakeWallet extends PaymentPort {
  /** The next calls of a verb meet these faults, one each. */
  fail(verb: WalletVerb, ...faults: readonly WalletFault[]): void;
  /** While true nothing arrives, of no verb. */
  setAway(isAway: boolean): void;
  /** From now on the wallet asks its payers for their validation; null: it does not. */
  setAsking(asking: Asking | null): void;
  /** The payer answers the wallet's own push, or enters nothing. */
  answerPush(id: PurchaseId, isYes: boolean): void;
  /** A payer's account; 5,000 to begin with. */
  fund(payer: string, balanceMinor: bigint): void;
  /** Refuses every authorization of this payer. */
  refuse(payer: string, code: DeclineCode): void;
  balanceOf(payer: string): bigint;
  /** Credit of the operators, pending money not included. */
  readonly operatorMinor: bigint;
  /** What really moved for a purchase. `delivered` is the machine's to tell. */
  evidenceOf(id: PurchaseId): Omit<Evidence, 'delivered'>;
  /** Calls that were begun, as `verb key`. */
  readonly calls: readonly string[];
}

/** What the fake can do, and what it is asked to be. */
export type FakeWalletDeps = {
  readonly clock: Clock;
  readonly capabilities?: Partial<Capabilities>;
  /** Time that each answer takes; 200 ms by default. */
  readonly answersAfterMs?: DurationMs;
};

const DEFAULT_BALANCE = 5000n;
const MOST_TRIES = 3;
const BUDGET_MS: Readonly<Record<WalletVerb, DurationMs>> = {
  authorize: 12_000,
  validate: 12_000,
  settle: 10_000,
  reverse: 10_000,
  query: 10_000,
};

/** What the built-in payment centre can do. */
export const fakeCapabilities: Capabilities = {
  holds: { maxMs: 7 * 86_400_000 },
  release: true,
  partialReverse: true,
  affordability: true,
  reverseByKey: true,
  replay: 'first_answer',
  validation: ['pin', 'push', 'confirm'],
  maxPendingMs: 120_000,
  currencies: ['XOF'],
};

const timedOut: Outcome = { kind: 'unknown', cause: 'timeout' };
const declined = (code: DeclineCode): Outcome => ({ kind: 'declined', code });

/** Creates a wallet whose payers have 5,000 each and which asks nothing. */
export function createFakeWallet({ clock, answersAfterMs = 200, ...deps }: FakeWalletDeps): FakeWallet {
  const capabilities: Capabilities = { ...fakeCapabilities, ...deps.capabilities };
  const accounts = new Map<string, Account>();
  const authorizations = new Map<EffectKey, Authorization>();
  /** Keys under which nothing may ever succeed: reversed before they were seen. */
  const barred = new Set<EffectKey>();
  const operations = new Map<EffectKey, Outcome>();
  const moved = new Map<PurchaseId, Omit<Evidence, 'delivered'>>();
  const faults = new Map<WalletVerb, WalletFault[]>();
  const calls: string[] = [];
  let asking: Asking | null = null;
  let isAway = false;
  let operatorMinor = 0n;

  function accountOf(payer: string): Account {
    const account = accounts.get(payer) ?? { balanceMinor: DEFAULT_BALANCE, refusal: null };
    accounts.set(payer, account);
    return account;
  }

  function evidenceOf(id: PurchaseId): Omit<Evidence, 'delivered'> {
    const none = { securedMinor: 0n, returnedMinor: 0n, authorizes: 0, reversals: 0, refundedMinor: 0n };
    return moved.get(id) ?? none;
  }

  function secure(one: Authorization): Outcome {
    const { terms, holdUntilMs } = one;
    const account = accountOf(terms.payer);
    const code = account.refusal ?? (account.balanceMinor < terms.price.minor ? 'insufficient_funds' : null);
    if (code !== null) return decline(one, code);
    account.balanceMinor -= terms.price.minor;
    one.state = 'secured';
    const { securedMinor, authorizes, ...rest } = evidenceOf(terms.purchaseId);
    const now = { securedMinor: securedMinor + terms.price.minor, authorizes: authorizes + 1 };
    moved.set(terms.purchaseId, { ...rest, ...now });
    return {
      kind: 'done',
      ref: terms.purchaseId,
      holdExpiresInMs: holdUntilMs === null ? null : holdUntilMs - clock.now(),
    };
  }

  function decline(one: Authorization, code: DeclineCode): Outcome {
    one.state = 'declined';
    one.code = code;
    return declined(code);
  }

  function stateOf(one: Authorization): Outcome {
    const { terms, holdUntilMs, expiresAtMs, triesLeft } = one;
    if (one.state === 'asking' && expiresAtMs <= clock.now()) return decline(one, 'payer_silent');
    switch (one.state) {
      case 'asking': {
        const by = asking?.by ?? 'pin';
        const expiresInMs = expiresAtMs - clock.now();
        return {
          kind: 'needs_validation',
          ref: terms.purchaseId,
          by,
          triesLeft: by === 'push' ? null : triesLeft,
          expiresInMs,
        };
      }
      case 'declined':
        return declined(one.code);
      case 'secured':
      case 'settled':
      case 'returned':
        return {
          kind: 'done',
          ref: terms.purchaseId,
          holdExpiresInMs: holdUntilMs === null ? null : holdUntilMs - clock.now(),
        };
    }
  }

  const doAuthorize = (command: Parameters<PaymentPort['authorize']>[0]): Outcome => {
    if (barred.has(command.key)) return declined('wallet_refused');
    const before = authorizations.get(command.key);
    if (before !== undefined && capabilities.replay === 'first_answer') return stateOf(before);
    // A connector reads "duplicate" as what it is: no answer about the first call.
    if (before !== undefined && capabilities.replay === 'rejects_duplicate')
      return { kind: 'unknown', cause: 'status' };
    const nowMs = clock.now();
    const one: Authorization = {
      terms: command.terms,
      expiresAtMs: nowMs + command.expiresInMs,
      holdUntilMs: command.holdMs === null ? null : nowMs + command.holdMs,
      state: 'asking',
      code: 'wallet_refused',
      triesLeft: MOST_TRIES,
    };
    authorizations.set(command.key, one);
    return asking === null || accountOf(command.terms.payer).refusal !== null ? secure(one) : stateOf(one);
  };

  const ofPurchase = (id: PurchaseId): Authorization | undefined =>
    [...authorizations.values()].find(({ terms }) => terms.purchaseId === id);

  const doValidate = ({ terms }: Parameters<PaymentPort['validate']>[0], pin: string): Outcome => {
    const one = ofPurchase(terms.purchaseId);
    if (one === undefined) return { kind: 'not_found' };
    if (one.state !== 'asking') return stateOf(one);
    if (asking === null || pin === asking.pin) return secure(one);
    one.triesLeft -= 1;
    return one.triesLeft === 0 ? decline(one, 'pin_locked') : stateOf(one);
  };

  const doSettle = ({ terms }: Parameters<PaymentPort['settle']>[0]): Outcome => {
    const one = ofPurchase(terms.purchaseId);
    if (one?.state === 'settled') return { kind: 'done', ref: terms.purchaseId, holdExpiresInMs: null };
    if (one?.state !== 'secured') return declined(one?.state === 'returned' ? 'hold_gone' : 'wallet_refused');
    if (one.holdUntilMs !== null && one.holdUntilMs <= clock.now()) {
      giveBack(one, 0n);
      return declined('hold_gone');
    }
    one.state = 'settled';
    operatorMinor += terms.price.minor;
    return { kind: 'done', ref: terms.purchaseId, holdExpiresInMs: null };
  };

  function giveBack(one: Authorization, refundMinor: bigint): void {
    const { purchaseId, price, payer } = one.terms;
    const { returnedMinor, reversals, refundedMinor, ...rest } = evidenceOf(purchaseId);
    const isRefund = refundMinor > 0n;
    const back = isRefund ? refundMinor : price.minor;
    accountOf(payer).balanceMinor += back;
    if (isRefund) moved.set(purchaseId, { ...rest, returnedMinor, reversals, refundedMinor: refundedMinor + back });
    else
      moved.set(purchaseId, { ...rest, refundedMinor, returnedMinor: returnedMinor + back, reversals: reversals + 1 });
    if (!isRefund) one.state = 'returned';
  }

  const doReverse = ({
    key,
    terms,
    authorizeKey,
    amount,
    ref,
    reason,
  }: Parameters<PaymentPort['reverse']>[0]): Outcome => {
    if (ref === null && !capabilities.reverseByKey) return { kind: 'not_found' };
    const done: Outcome = { kind: 'done', ref: terms.purchaseId, holdExpiresInMs: null };
    const before = operations.get(key);
    if (before?.kind === 'done') return before;
    const one = authorizations.get(authorizeKey);
    if (one === undefined || one.state === 'asking') {
      if (!capabilities.reverseByKey) return { kind: 'not_found' };
      barred.add(authorizeKey);
      if (one !== undefined) decline(one, 'wallet_refused');
      return done;
    }
    if (one.state === 'secured' || one.state === 'settled') {
      // After the end it is a refund: of money found on a declined purchase, or by a person, of a sale.
      const isRefund = reason === 'paid_after_close' || (reason === 'refunded_by_operator' && one.state === 'settled');
      const back = isRefund ? (amount?.minor ?? terms.price.minor) : 0n;
      if (one.state === 'settled') operatorMinor -= back;
      giveBack(one, back);
    }
    return done;
  };

  const doQuery = ({ of, key }: Parameters<PaymentPort['query']>[0]): Outcome => {
    if (of !== 'authorize') return operations.get(key) ?? { kind: 'not_found' };
    const one = authorizations.get(key);
    if (one !== undefined) return stateOf(one);
    return barred.has(key) ? declined('wallet_refused') : { kind: 'not_found' };
  };

  /** One call over a network that may fail it. */
  async function call(verb: WalletVerb, key: EffectKey, act: () => Outcome): Promise<Outcome> {
    calls.push(`${verb} ${key}`);
    const fault: WalletFault | undefined = isAway ? { kind: 'request_lost' } : faults.get(verb)?.shift();
    const budgetMs = BUDGET_MS[verb];
    const carryOut = (): Outcome => {
      const outcome = act();
      if (verb === 'settle' || verb === 'reverse') operations.set(key, outcome);
      return outcome;
    };
    switch (fault?.kind) {
      case 'bug':
        throw new Error('a bug of the connector');
      case 'request_lost':
        await pause(clock, budgetMs);
        return timedOut;
      case 'answer_lost':
        carryOut();
        await pause(clock, budgetMs);
        return timedOut;
      case 'late': {
        const arriving = pause(clock, fault.afterMs).then(carryOut);
        return Promise.race([arriving, pause(clock, budgetMs).then(() => timedOut)]);
      }
      case 'answers':
        await pause(clock, answersAfterMs);
        return fault.outcome;
      case 'double':
        carryOut();
        await pause(clock, answersAfterMs);
        return carryOut();
      case undefined: {
        const outcome = carryOut();
        await pause(clock, answersAfterMs);
        return outcome;
      }
    }
  }

  async function check({ payer, price }: Parameters<PaymentPort['check']>[0]): Promise<Check> {
    if (isAway) return { account: 'unknown', affordable: 'unknown', validation: 'unknown' };
    const { refusal, balanceMinor } = accountOf(payer);
    const account =
      refusal === 'account_unknown' ? 'unregistered' : refusal === 'account_blocked' ? 'unavailable' : 'available';
    return { account, affordable: balanceMinor < price.minor ? 'no' : 'yes', validation: asking?.by ?? 'none' };
  }

  return {
    name: 'centre',
    capabilities,
    check,
    authorize: (command) => call('authorize', command.key, () => doAuthorize(command)),
    validate: (command) => {
      const pin = command.answer.read();
      return call('validate', command.key, () => doValidate(command, pin));
    },
    settle: (command) => call('settle', command.key, () => doSettle(command)),
    reverse: (command) => call('reverse', command.key, () => doReverse(command)),
    query: (question) => call('query', question.key, () => doQuery(question)),
    fail: (verb, ...more) => {
      faults.set(verb, [...(faults.get(verb) ?? []), ...more]);
    },
    setAway: (away) => {
      isAway = away;
    },
    setAsking: (next) => {
      asking = next;
    },
    answerPush: (id, isYes) => {
      const one = ofPurchase(id);
      if (one?.state !== 'asking') return;
      if (isYes) secure(one);
      else decline(one, 'payer_refused');
    },
    fund: (payer, balanceMinor) => {
      accountOf(payer).balanceMinor = balanceMinor;
    },
    refuse: (payer, code) => {
      accountOf(payer).refusal = code;
    },
    balanceOf: (payer) => accountOf(payer).balanceMinor,
    get operatorMinor() {
      return operatorMinor;
    },
    evidenceOf,
    calls,
  };
}
