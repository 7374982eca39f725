/**
 * The screens of the dialog: which wait for a key, what each key means there, and which screen tells a purchase's state.
 */
import { displayMoney } from '../money.ts';
import type { NoticeTemplate } from '../purchase/effect.ts';
import type { PurchaseView } from '../purchase/purchases-port.ts';
import { assert } from '../result.ts';
import { measureText, textLimits } from '../smpp/data-coding.ts';
import type { Phrases, PhraseValues, TextKey } from './phrases.ts';

/** Screens that wait for a key. */
export type OpenScreen =
  | 'ask_number'
  | 'unknown_number'
  | 'quote'
  | 'no_order'
  | 'busy'
  | 'order_changed'
  | 'ask_pin'
  | 'wrong_pin'
  | 'ask_confirm'
  | 'resume'
  | 'already_paid'
  | 'language';

/** Screens with which the dialog ends. Each says what happened to the money, as far as that is known. */
export type EndScreen =
  | 'unavailable'
  | 'too_late'
  | 'push'
  | 'paid'
  | 'in_progress'
  | 'not_known'
  | 'insufficient'
  | 'no_account'
  | 'account_blocked'
  | 'declined'
  | 'refunded'
  | 'refund_pending'
  | 'in_doubt'
  | 'lapsed'
  | 'cancelled'
  | 'service_down'
  | 'try_later'
  | 'slow_down';

/** A screen of the dialog. */
export type Screen = OpenScreen | EndScreen;

/** What a key may lead to; each is one function in `dialog-steps.ts` or `paying.ts`. */
export type Step =
  | 'enter_number'
  | 'enter_wrong_number'
  | 'start'
  | 'leave'
  | 'pay'
  | 'choose_other'
  | 'look_again'
  | 'take_up'
  | 'start_over'
  | 'buy_again'
  | 'keep_paid'
  | 'agree'
  | 'refuse'
  | 'leave_unvalidated'
  | 'speak_french'
  | 'speak_english';

const NUMBER = '*^[1-9][0-9]{3,7}$';
/** Anything with a digit in it that is neither a number nor a key. */
const WRONG_NUMBER = '*^(?!0{1,2}$)(?![1-9][0-9]{3,7}$)(?=.*[0-9]).*$';
const NUMBER_KEYS = {
  [NUMBER]: 'enter_number',
  [WRONG_NUMBER]: 'enter_wrong_number',
  '0': 'leave',
  '00': 'start',
} as const;
const PIN_KEYS = { '0': 'leave_unvalidated' } as const;

/**
 * The whole menu: screen, key, step. A key is a literal, or an anchored expression after `*`; at most one matches any
 * input. `1` always goes on, `0` leaves, `00` starts again. A PIN is no key: `paying.ts` takes it before the menu is asked.
 */
export const keysOf: Readonly<Record<OpenScreen, Readonly<Record<string, Step>>>> = {
  ask_number: NUMBER_KEYS,
  unknown_number: NUMBER_KEYS,
  quote: { '1': 'pay', '2': 'choose_other', '0': 'leave', '00': 'start' },
  no_order: { '1': 'look_again', '0': 'leave', '00': 'start' },
  busy: { '1': 'look_again', '0': 'leave', '00': 'start' },
  order_changed: { '1': 'look_again', '0': 'leave', '00': 'start' },
  resume: { '1': 'take_up', '2': 'start_over', '0': 'leave', '00': 'start' },
  already_paid: { '1': 'buy_again', '0': 'keep_paid' },
  ask_pin: PIN_KEYS,
  wrong_pin: PIN_KEYS,
  ask_confirm: { '1': 'agree', '0': 'refuse' },
  language: { '1': 'speak_french', '2': 'speak_english', '0': 'start' },
};

/** Screens on which a key that was not meant for them must not count: it would pay, or try a PIN (edge 30). */
const guardedScreens: ReadonlySet<Screen> = new Set([
  'quote',
  'already_paid',
  'resume',
  'ask_pin',
  'wrong_pin',
  'ask_confirm',
]);

/** Screens where a PIN is keyed. */
export const pinScreens: ReadonlySet<Screen> = new Set(['ask_pin', 'wrong_pin']);

/** True for a screen on which a key is about money. */
export function isGuarded(screen: Screen | null): boolean {
  return screen !== null && guardedScreens.has(screen);
}

/** True for a screen that waits for a key. */
export function isOpen(screen: Screen): screen is OpenScreen {
  return Object.hasOwn(keysOf, screen);
}

/** The rendered text. @throws Bug beyond the hard limit of a USSD text: such a text is a fault of `config/texts/`. */
export function renderScreen(
  phrases: Phrases,
  language: string | null,
  screen: { readonly screen: Screen; readonly values: PhraseValues },
): string {
  return checked(phrases.say(language, screen.screen, screen.values));
}

/** The same screen once more, under a line that says why. Without that line where both together would be too long. */
export function renderInvalid(phrases: Phrases, language: string | null, text: string): string {
  const both = `${phrases.say(language, 'invalid', {})}\n${text}`;
  const { alphabet, units } = measureText(both);
  return units <= textLimits.ussdBudget[alphabet] ? both : text;
}

function checked(text: string): string {
  const { alphabet, units } = measureText(text);
  assert(units <= textLimits.ussd[alphabet], `a screen of ${units} units in ${alphabet} is too long`);
  return text;
}

/** How a purchase's state is told: the screen, its text, and the SMS that need not go out once it was shown. */
export type Telling = {
  readonly screen: Screen;
  readonly key: TextKey;
  readonly values: PhraseValues;
  readonly template: NoticeTemplate | null;
};

/**
 * The screen that tells a purchase's state.
 *
 * @param isAnswered the wallet has just refused an answer of the payer's and waits for another
 */
export function tellingOf(view: PurchaseView, isAnswered: boolean): Telling {
  const values = valuesOf(view);
  const tell = (screen: Screen, template: NoticeTemplate | null = null): Telling => ({
    screen,
    key: screen,
    values,
    template,
  });
  switch (view.state) {
    case 'authorizing':
      return tell('in_progress');
    case 'validating':
      return validatingOf(view, isAnswered, tell);
    case 'approving':
      return tell(view.isAccepted ? 'paid' : 'in_progress');
    case 'vending':
      // Delivery is not known yet: the receipt, or the refund, still goes out.
      return tell('paid');
    case 'settling':
    case 'completed':
      return tell('paid', 'receipt');
    case 'in_doubt':
      return tell('in_doubt', 'in_doubt');
    case 'reversing':
      return tell(view.reversalReason === 'never_seen' ? 'in_progress' : 'refund_pending');
    case 'reversed':
      return view.reversalReason === 'never_seen' ? tell('declined', 'declined') : tell('refunded', 'refunded');
    case 'declined':
      return tell('declined', 'declined');
  }
}

function validatingOf(
  view: PurchaseView,
  isAnswered: boolean,
  tell: (screen: Screen, template?: NoticeTemplate) => Telling,
): Telling {
  switch (view.validation?.by ?? 'push') {
    case 'push':
      return tell('push', 'sms_validate');
    case 'confirm':
      return tell('ask_confirm', 'sms_validate');
    case 'pin': {
      if (!isAnswered) return tell('ask_pin', 'sms_validate');
      const triesLeft = view.validation?.triesLeft ?? null;
      const key = triesLeft === null ? 'wrong_pin_again' : triesLeft <= 1 ? 'wrong_pin_last' : 'wrong_pin';
      return { ...tell('wrong_pin', 'sms_validate'), key };
    }
  }
}

function valuesOf(view: PurchaseView): PhraseValues {
  return {
    machine: view.machineNumber,
    product: view.productName,
    price: displayMoney(view.price),
    reference: view.reference,
    tries: String(view.validation?.triesLeft ?? ''),
  };
}
