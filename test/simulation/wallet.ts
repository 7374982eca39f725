/**
 * The wallet of a simulation: accounts, holds, a ledger that counts what really moved, and answers that are true unless
 * the story has it lie. It knows no network; what is lost on the way is wallet-line.ts's affair.
 */
import type { EffectKey } from '../../src/purchase/effect.ts';
import type { Capabilities, Check, Outcome, PaymentPort, Terms } from '../../src/purchase/payment-port.ts';
import type { DeclineCode, Msisdn, PurchaseId, ValidationBy } from '../../src/purchase/purchase.ts';
import type { DurationMs } from '../../src/time.ts';
import type { Dice } from './chance.ts';
import type { FaultPlan } from './faults.ts';
import type { Ledger, Movement, WalletNotes, WorldNotes } from './notes.ts';
import type { Timeline } from './timeline.ts';

/** How this wallet is made; one a story. */
export type WalletTraits = {
  readonly capabilities: Capabilities;
  /** It answers `pending` first and secures a moment later. */
  readonly isSlowToDecide: boolean;
  /** Chance that it gives a hold that ends too soon. */
  readonly shortHolds: number;
};

/** A payer's account there. */
export type Account = {
  readonly payer: Msisdn;
  balanceMinor: bigint;
  /** Why every payment is refused, or null. */
  refusal: DeclineCode | null;
  /** How his own word is asked for; null: it is not. */
  asks: ValidationBy | null;
  readonly pin: string;
};

type Authorization = {
  readonly key: EffectKey;
  readonly terms: Terms;
  readonly expiresAtMs: number;
  holdUntilMs: number | null;
  state: 'pending' | 'asking' | 'secured' | 'settled' | 'declined' | 'returned';
  code: DeclineCode;
  triesLeft: number;
  refundedMinor: bigint;
};

/** What reaches the wallet. */
export type WalletRequest =
  | {
      readonly verb: 'authorize';
      readonly command: Parameters<PaymentPort['authorize']>[0];
      /** The caller has called under this key before, and so trusts no refusal. */
      readonly isRepeated: boolean;
    }
  | { readonly verb: 'validate'; readonly command: Validation }
  | { readonly verb: 'settle'; readonly command: Parameters<PaymentPort['settle']>[0] }
  | { readonly verb: 'reverse'; readonly command: Parameters<PaymentPort['reverse']>[0] }
  | { readonly verb: 'query'; readonly command: Parameters<PaymentPort['query']>[0] };
type Validation = { readonly key: EffectKey; readonly terms: Terms; readonly pin: string };

/** The wallet. */
export interface SimWallet {
  readonly capabilities: Capabilities;
  readonly ledger: Ledger;
  readonly accounts: ReadonlyMap<Msisdn, Account>;
  /** Keys under which `authorize` was called. */
  readonly calledKeys: Set<EffectKey>;
  open(account: Account): void;
  /** Carries a request out, now. */
  serve(request: WalletRequest): Outcome;
  check(question: Parameters<PaymentPort['check']>[0]): Check;
  /** The payer answers the wallet's own push. */
  answerPush(id: PurchaseId, isYes: boolean): void;
  /** Called when the wallet asks a payer by its own push. */
  onPush(listener: (id: PurchaseId, payer: Msisdn) => void): void;
}

/** What the wallet stands on. */
export type SimWalletDeps = {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: FaultPlan;
  readonly notes: WalletNotes & Pick<WorldNotes, 'funded'>;
  readonly traits: WalletTraits;
};

const MOST_TRIES = 3;
const DECIDES_MS: DurationMs = 4_000;
const POLL_AFTER_MS: DurationMs = 2_000;
/** A refusal of one attempt to settle or reverse: nothing happened under this key, and nothing will. */
const REFUSED_ATTEMPT = 0.01;
/** A hold that the wallet drops against its word. */
const DROPPED_HOLD = 0.004;

const declined = (code: DeclineCode): Outcome => ({ kind: 'declined', code });
const unclear: Outcome = { kind: 'unknown', cause: 'status' };

/** Creates a wallet without accounts. */
export function createSimWallet({ timeline, dice, faults, notes, traits }: SimWalletDeps): SimWallet {
  const { capabilities } = traits;
  const accounts = new Map<Msisdn, Account>();
  const byKey = new Map<EffectKey, Authorization>();
  const byPurchase = new Map<PurchaseId, Authorization>();
  /** Keys under which nothing may ever succeed: reversed before they were seen. */
  const barred = new Set<EffectKey>();
  const operations = new Map<EffectKey, Outcome>();
  const validations = new Set<EffectKey>();
  let pushListener: (id: PurchaseId, payer: Msisdn) => void = () => undefined;
  let operatorMinor = 0n;
  let pendingMinor = 0n;

  function accountOf(payer: Msisdn): Account {
    const account = accounts.get(payer);
    if (account === undefined) throw new Error('no such account');
    return account;
  }

  function move({ terms }: Authorization, kind: Movement['kind'], amountMinor: bigint): void {
    if (kind === 'collected') operatorMinor += amountMinor;
    else accountOf(terms.payer).balanceMinor += kind === 'secured' ? -amountMinor : amountMinor;
    notes.moneyMoved({ purchaseId: terms.purchaseId, payer: terms.payer, kind, amountMinor });
  }

  const doneOf = ({ terms, holdUntilMs }: Authorization): Outcome => ({
    kind: 'done',
    ref: terms.purchaseId,
    holdExpiresInMs: holdUntilMs === null ? null : holdUntilMs - timeline.now(),
  });

  function decline(one: Authorization, code: DeclineCode): Outcome {
    one.state = 'declined';
    one.code = code;
    return declined(code);
  }

  function secure(one: Authorization): Outcome {
    const account = accountOf(one.terms.payer);
    const { minor } = one.terms.price;
    const code = account.refusal ?? (account.balanceMinor < minor ? 'insufficient_funds' : null);
    if (code === 'insufficient_funds') faults.note('poor_payer');
    if (code !== null) return decline(one, code);
    one.state = 'secured';
    pendingMinor += minor;
    move(one, 'secured', minor);
    return doneOf(one);
  }

  /** A hold that is over goes back by itself. */
  function lapse(one: Authorization): void {
    if (one.state !== 'secured' || one.holdUntilMs === null || one.holdUntilMs > timeline.now()) return;
    one.state = 'returned';
    pendingMinor -= one.terms.price.minor;
    move(one, 'hold_lapsed', one.terms.price.minor);
  }

  function stateOf(one: Authorization): Outcome {
    const { terms } = one;
    const leftMs = one.expiresAtMs - timeline.now();
    if (one.state === 'asking' && leftMs <= 0) return decline(one, 'payer_silent');
    switch (one.state) {
      case 'pending':
        return { kind: 'pending', ref: terms.purchaseId, pollAfterMs: POLL_AFTER_MS, expiresInMs: leftMs };
      case 'asking': {
        const by = accountOf(terms.payer).asks ?? 'pin';
        const triesLeft = by === 'push' ? null : one.triesLeft;
        return { kind: 'needs_validation', ref: terms.purchaseId, by, triesLeft, expiresInMs: leftMs };
      }
      case 'declined':
        return declined(one.code);
      case 'secured':
      case 'settled':
      case 'returned':
        return doneOf(one);
    }
  }

  /** What the payer must still do, or the money at once. */
  function decide(one: Authorization): Outcome {
    const { asks, refusal } = accountOf(one.terms.payer);
    if (asks === null || refusal !== null) return secure(one);
    one.state = 'asking';
    if (asks === 'push') pushListener(one.terms.purchaseId, one.terms.payer);
    return stateOf(one);
  }

  function authorize(command: Parameters<PaymentPort['authorize']>[0], isRepeated: boolean): Outcome {
    const { key, terms } = command;
    if (barred.has(key)) return declined('wallet_refused');
    const before = byKey.get(key);
    if (before !== undefined) {
      if (faults.strikes('wallet_lies_duplicate', 0.1)) {
        return isRepeated && dice.happens(0.5) ? declined('wallet_refused') : unclear;
      }
      return capabilities.replay === 'first_answer' ? stateOf(before) : unclear;
    }
    const nowMs = timeline.now();
    const holdMs = command.holdMs === null ? null : dice.happens(traits.shortHolds) ? 30_000 : command.holdMs;
    const one: Authorization = {
      key,
      terms,
      expiresAtMs: nowMs + command.expiresInMs,
      holdUntilMs: holdMs === null ? null : nowMs + holdMs,
      state: 'pending',
      code: 'wallet_refused',
      triesLeft: MOST_TRIES,
      refundedMinor: 0n,
    };
    byKey.set(key, one);
    byPurchase.set(terms.purchaseId, one);
    if (!traits.isSlowToDecide || dice.happens(0.3)) return decide(one);
    timeline.after(dice.latency(DECIDES_MS), () => {
      if (one.state === 'pending') decide(one);
    });
    return stateOf(one);
  }

  function validate({ key, terms, pin }: Validation): Outcome {
    const one = byPurchase.get(terms.purchaseId);
    if (one === undefined) return { kind: 'not_found' };
    const now = stateOf(one);
    // An answer that comes twice is one try.
    if (one.state !== 'asking' || validations.has(key)) return now;
    validations.add(key);
    const account = accountOf(terms.payer);
    if (account.asks === 'confirm' && pin === 'no') return decline(one, 'payer_refused');
    if (account.asks === 'confirm' ? pin === 'yes' : pin === account.pin) return secure(one);
    one.triesLeft -= 1;
    return one.triesLeft === 0 ? decline(one, 'pin_locked') : stateOf(one);
  }

  function settle({ terms }: Parameters<PaymentPort['settle']>[0]): Outcome {
    const one = byPurchase.get(terms.purchaseId);
    if (one === undefined) return declined('hold_gone');
    if (faults.strikes('wallet_status_error', DROPPED_HOLD)) one.holdUntilMs = timeline.now();
    lapse(one);
    if (one.state === 'secured') {
      one.state = 'settled';
      pendingMinor -= terms.price.minor;
      move(one, 'collected', terms.price.minor);
    }
    if (one.state === 'settled') return { kind: 'done', ref: terms.purchaseId, holdExpiresInMs: null };
    return declined('hold_gone');
  }

  function giveBack(one: Authorization, wantedMinor: bigint, isAfterEnd: boolean): Outcome {
    const done: Outcome = { kind: 'done', ref: one.terms.purchaseId, holdExpiresInMs: null };
    if (isAfterEnd) {
      if (one.refundedMinor + wantedMinor > one.terms.price.minor) return declined('amount_not_allowed');
      one.refundedMinor += wantedMinor;
      // Of the operator's credit what was collected, and of what is secured what was not.
      if (one.state === 'settled') operatorMinor -= wantedMinor;
      else pendingMinor -= wantedMinor;
      if (one.state !== 'settled') one.state = 'returned';
      move(one, 'refunded', wantedMinor);
      return done;
    }
    one.state = 'returned';
    pendingMinor -= one.terms.price.minor;
    move(one, 'returned', one.terms.price.minor);
    return done;
  }

  function reverse(command: Parameters<PaymentPort['reverse']>[0]): Outcome {
    const { terms, authorizeKey, amount, ref } = command;
    if (ref === null && !capabilities.reverseByKey) return { kind: 'not_found' };
    const done: Outcome = { kind: 'done', ref: terms.purchaseId, holdExpiresInMs: null };
    const one = byKey.get(authorizeKey);
    if (one === undefined || one.state === 'asking' || one.state === 'pending') {
      barred.add(authorizeKey);
      if (one !== undefined) decline(one, 'wallet_refused');
      return done;
    }
    lapse(one);
    const isOpen = one.state === 'secured' || one.state === 'settled';
    return isOpen ? giveBack(one, amount?.minor ?? terms.price.minor, isRefund(command)) : done;
  }

  /** Settling and reversing are done once under a key; a repetition may be turned away, whatever came of the first. */
  function once(key: EffectKey, mayRefuse: boolean, act: () => Outcome): Outcome {
    const before = operations.get(key);
    if (before !== undefined) {
      if (!faults.strikes('wallet_lies_duplicate', 0.1)) return before;
      return dice.happens(0.5) ? unclear : declined('wallet_refused');
    }
    const isRefused = mayRefuse && faults.strikes('wallet_status_error', REFUSED_ATTEMPT);
    const outcome = isRefused ? declined('wallet_refused') : act();
    if (outcome.kind !== 'not_found') operations.set(key, outcome);
    return outcome;
  }

  /** A refund has one key for ever: a wallet that refused it once would never pay it. */
  const isRefund = ({ reason, authorizeKey }: Parameters<PaymentPort['reverse']>[0]): boolean =>
    reason === 'paid_after_close' || byKey.get(authorizeKey)?.state === 'settled';

  function query({ of, key }: Parameters<PaymentPort['query']>[0]): Outcome {
    if (of !== 'authorize') return operations.get(key) ?? { kind: 'not_found' };
    const one = byKey.get(key);
    if (one !== undefined) return stateOf(one);
    return barred.has(key) ? declined('wallet_refused') : { kind: 'not_found' };
  }

  return {
    capabilities,
    accounts,
    calledKeys: new Set(),
    ledger: {
      balanceOf: (payer) => accountOf(payer).balanceMinor,
      get operatorMinor() {
        return operatorMinor;
      },
      get pendingMinor() {
        return pendingMinor;
      },
    },
    open: (account) => {
      accounts.set(account.payer, account);
      notes.funded(account.payer, account.balanceMinor);
    },
    serve: (request) => {
      switch (request.verb) {
        case 'authorize':
          return authorize(request.command, request.isRepeated);
        case 'validate':
          return validate(request.command);
        case 'settle':
          return once(request.command.key, true, () => settle(request.command));
        case 'reverse':
          return once(request.command.key, !isRefund(request.command), () => reverse(request.command));
        case 'query':
          return query(request.command);
      }
    },
    check: ({ payer, price }) => {
      const { refusal, balanceMinor, asks } = accountOf(payer);
      const isUnknown = refusal === 'account_unknown';
      const account = isUnknown ? 'unregistered' : refusal === 'account_blocked' ? 'unavailable' : 'available';
      return { account, affordable: balanceMinor < price.minor ? 'no' : 'yes', validation: asks ?? 'none' };
    },
    answerPush: (id, isYes) => {
      const one = byPurchase.get(id);
      if (one === undefined || one.state !== 'asking') return;
      if (stateOf(one).kind !== 'needs_validation') return;
      if (isYes) secure(one);
      else decline(one, 'payer_refused');
    },
    onPush: (listener) => {
      pushListener = listener;
    },
  };
}
