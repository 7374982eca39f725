/**
 * A payer: dials, reads screens, presses keys, hangs up, dials again, writes texts. Knows nothing but what his phone shows.
 */
import type { Msisdn, PurchaseId } from '../../src/purchase/purchase.ts';
import type { CancelTimer, DurationMs } from '../../src/time.ts';
import type { TextKey } from '../../src/ussd/phrases.ts';
import type { Dice } from './chance.ts';
import type { FaultPlan } from './faults.ts';
import type { Phone, PhoneNetwork } from './network.ts';
import type { WorldNotes } from './notes.ts';
import type { TextReader } from './said-text.ts';
import type { Timeline } from './timeline.ts';
import type { Account, SimWallet } from './wallet.ts';

/** What a payer is about. */
export type Errand = {
  readonly machineNumber: string;
  readonly by: 'ussd' | 'sms';
  /** Called once, when he is through with it, paid or not. */
  readonly onDone: () => void;
};

/** A payer. */
export interface Payer {
  readonly msisdn: Msisdn;
  /** Without an errand, and without a phone in his hand. */
  isFree(): boolean;
  begin(errand: Errand): void;
  /** His phone shows that the wallet asks him. */
  push(id: PurchaseId): void;
  /** The machine that he stands at is dark, or free again: there is nothing to pay any more. */
  giveUp(machineNumber: string): void;
  /** The end of faults: he finishes what he is at, and begins nothing. */
  goHome(): void;
}

/** What a payer is made of. */
export type PayerDeps = {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: FaultPlan;
  readonly notes: Pick<WorldNotes, 'reached'>;
  readonly network: PhoneNetwork;
  readonly wallet: SimWallet;
  readonly reader: TextReader;
  readonly account: Account;
};

const THINKS_MS: DurationMs = 1_600;
/** He gives up a purchase after this. */
const PATIENCE_MS: DurationMs = 70_000;
const MOST_DIALS = 4;
const MOST_LOOKS = 2;

const PAID: ReadonlySet<TextKey> = new Set<TextKey>(['paid', 'receipt', 'refunded', 'in_doubt', 'refund_pending']);
/** A last screen after which he may dial again. */
const AGAIN: ReadonlySet<TextKey> = new Set<TextKey>([
  'not_known',
  'lapsed',
  'service_down',
  'try_later',
  'sms_validate',
]);

/** A payer with an account at the wallet and a phone on the network. */
export function createPayer(deps: PayerDeps): Payer {
  const { timeline, dice, faults, notes, wallet, reader, account } = deps;
  const { payer: msisdn } = account;
  let errand: Errand | null = null;
  let dials = 0;
  let looks = 0;
  let pins = 0;
  let isHome = false;
  let cancelThought: CancelTimer = () => undefined;
  let cancelPatience: CancelTimer = () => undefined;

  const phone: Phone = deps.network.phone(msisdn, { onScreen: read, onSms: readSms, onGone: tryAgain });

  /** One thought at a time: a new screen takes the place of what he was about to do. */
  function think(meanMs: DurationMs, act: () => void): void {
    cancelThought();
    cancelThought = timeline.after(dice.latency(meanMs), act);
  }

  function done(): void {
    const was = errand;
    errand = null;
    cancelThought();
    cancelPatience();
    was?.onDone();
  }

  function dial(): void {
    if (errand === null) return;
    dials += 1;
    looks = 0;
    const isWrong = faults.strikes('wrong_number', 0.03);
    const number = isWrong ? '9999' : errand.machineNumber;
    phone.dial(dice.happens(0.8) ? `*123*${number}#` : '*123#');
  }

  function text(): void {
    if (errand === null) return;
    dials += 1;
    phone.sms(faults.strikes('wrong_number', 0.03) ? '9999' : errand.machineNumber);
  }

  function tryAgain(): void {
    if (errand === null) return;
    if (isHome || dials >= MOST_DIALS) return done();
    think(THINKS_MS * 2, errand.by === 'ussd' ? dial : text);
  }

  function press(key: string, isYes = false): void {
    const meanMs = faults.strikes('payer_slow', 0.02) ? 30_000 : THINKS_MS;
    think(meanMs, () => {
      phone.key(key);
      if (faults.strikes('payer_confirms_twice', 0.02)) {
        timeline.after(dice.latency(dice.pick([100, 800, 2_500])), () => {
          if (isYes && phone.isOpen) notes.reached(22);
          phone.key(key);
        });
      }
      hangUpSoon(dice.pick([50, 500, 3_000]));
    });
  }

  function hangUpSoon(meanMs: DurationMs): void {
    if (!faults.strikes('payer_hangs_up', 0.012)) return;
    timeline.after(dice.latency(meanMs), () => {
      if (!phone.isOpen) return;
      phone.hangUp();
      if (errand === null) return;
      if (isHome || dials >= MOST_DIALS) return done();
      if (dice.happens(0.6)) {
        faults.note('payer_redials');
        think(dice.pick([500, 4_000, 20_000]), dial);
      }
    });
  }

  function pinKey(): string {
    pins += 1;
    return faults.strikes('wrong_pin', 0.06) ? '9876' : account.pin;
  }

  function lookAgain(): void {
    looks += 1;
    if (looks > MOST_LOOKS) press('0');
    else think(THINKS_MS * 2, () => phone.key('1'));
  }

  function numberKey(): string {
    return faults.strikes('wrong_number', 0.02) ? '9999' : (errand?.machineNumber ?? '0');
  }

  /** The key that he presses on a screen; null when it is the last one. */
  function answer(key: TextKey): void {
    switch (key) {
      case 'ask_number':
      case 'unknown_number':
        return press(numberKey());
      case 'quote':
        return dice.happens(0.97) ? press('1', true) : press(dice.pick(['0', '2', '7', '00']));
      case 'no_order':
      case 'busy':
      case 'order_changed':
        return lookAgain();
      case 'resume':
        return press(dice.pick(['1', '1', '1', '2', '0']));
      case 'already_paid':
        return press(dice.pick(['1', '0']));
      case 'ask_pin':
      case 'wrong_pin':
      case 'wrong_pin_last':
      case 'wrong_pin_again':
        return press(dice.happens(0.03) ? '0' : pinKey());
      case 'ask_confirm':
        return press(dice.happens(0.9) ? '1' : '0');
      case 'language':
        return press(dice.pick(['1', '2', '0']));
      default:
        // A last screen that says nothing of an outcome.
        return undefined;
    }
  }

  function read(screen: string, isEnd: boolean): void {
    const key = reader.read(screen)?.key ?? null;
    if (isEnd) return ended(key);
    hangUpSoon(3_000);
    if (key !== null && phone.isOpen) answer(key);
  }

  function ended(key: TextKey | null): void {
    cancelThought();
    if (errand === null) return;
    if (key !== null && AGAIN.has(key)) return tryAgain();
    // He trusts what he reads; now and then he dials once more all the same.
    if (!isHome && faults.strikes('payer_redials', 0.02) && dials < MOST_DIALS) {
      think(dice.pick([1_000, 10_000]), dial);
      return;
    }
    if (key === 'in_progress' || key === 'push') return;
    done();
  }

  function readSms(text: string): void {
    const key = reader.read(text)?.key ?? null;
    if (key === null) return;
    if (key === 'sms_quote') {
      const code = /(?:YES|OUI) (\d{3})/.exec(text)?.[1] ?? '000';
      const said = faults.strikes('wrong_pin', 0.03) ? '000' : code;
      const meanMs = faults.strikes('payer_slow', 0.03) ? 40_000 : THINKS_MS * 2;
      think(meanMs, () => {
        if (!isHome && errand === null) return;
        phone.sms(`OUI ${said}`);
        if (faults.strikes('payer_confirms_twice', 0.03)) phone.sms(`OUI ${said}`);
      });
      return;
    }
    if (errand === null) return;
    if (key === 'sms_validate') return think(THINKS_MS * 2, dial);
    if (PAID.has(key)) return done();
    if (errand.by === 'sms' && !phone.isOpen) tryAgain();
  }

  return {
    msisdn,
    isFree: () => errand === null && !phone.isOpen,
    begin: (given) => {
      errand = given;
      dials = 0;
      pins = 0;
      cancelPatience = timeline.after(PATIENCE_MS, () => {
        if (phone.isOpen) phone.hangUp();
        done();
      });
      think(THINKS_MS, given.by === 'ussd' ? dial : text);
    },
    push: (id) => {
      if (dice.happens(0.08)) return;
      timeline.after(dice.latency(5_000), () => wallet.answerPush(id, dice.happens(0.92)));
    },
    giveUp: (machineNumber) => {
      if (errand?.machineNumber !== machineNumber || looks === 0) return;
      if (phone.isOpen) phone.hangUp();
      done();
    },
    goHome: () => {
      isHome = true;
    },
  };
}
