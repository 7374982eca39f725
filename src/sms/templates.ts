/**
 * The texts of SMS: which there are, and how a purchase's state and a notice are said. The phrases themselves are handed in.
 */
import { displayMoney } from '../money.ts';
import type { NoticeTemplate } from '../purchase/effect.ts';
import type { PurchaseView } from '../purchase/purchases-port.ts';
import type { UnixMs } from '../time.ts';

/** Texts that this room says. */
export type SmsTextKey =
  | 'sms_quote'
  | 'sms_no_order'
  | 'sms_busy'
  | 'sms_order_changed'
  | 'sms_unknown_number'
  | 'sms_too_many'
  | 'sms_help'
  | 'sms_expired'
  | 'sms_wrong_code'
  | 'sms_validate'
  | 'receipt'
  | 'unavailable'
  | 'too_late'
  | 'push'
  | 'paid'
  | 'in_progress'
  | 'not_known'
  | 'refunded'
  | 'refund_pending'
  | 'in_doubt'
  | 'cancelled'
  | 'service_down'
  | 'try_later'
  | 'slow_down';

/** What is filled in. */
export type SmsValues = {
  readonly machine?: string;
  readonly product?: string;
  readonly price?: string;
  readonly reference?: string;
  readonly code?: string;
  readonly minutes?: string;
  readonly when?: string;
};

/** The phrases as this room needs them; each text comes out in one SMS. */
export interface SmsPhrases {
  readonly languages: readonly string[];
  languageOr(language: string | null): string;
  say(language: string | null, key: SmsTextKey, values: SmsValues): string;
  sayDeclined(language: string | null, view: PurchaseView): string;
  productName(language: string | null, registered: string | null, item: number | null): string;
}

/** Values of every text about a purchase. */
function valuesOf(view: PurchaseView): SmsValues {
  return {
    machine: view.machineNumber,
    product: view.productName,
    price: displayMoney(view.price),
    reference: view.reference,
  };
}

/** What is true of a purchase now, for a payer who asks. */
export function sayState(phrases: SmsPhrases, language: string | null, view: PurchaseView): string {
  const say = (key: SmsTextKey): string => phrases.say(language, key, valuesOf(view));
  switch (view.state) {
    case 'authorizing':
      return say('in_progress');
    case 'validating':
      return say(view.validation?.by === 'push' ? 'push' : 'sms_validate');
    case 'approving':
      return say(view.isAccepted ? 'paid' : 'in_progress');
    case 'vending':
    case 'settling':
    case 'completed':
      return say('paid');
    case 'in_doubt':
      return say('in_doubt');
    case 'reversing':
      return say(view.reversalReason === 'never_seen' ? 'in_progress' : 'refund_pending');
    case 'reversed':
      return view.reversalReason === 'never_seen' ? phrases.sayDeclined(language, view) : say('refunded');
    case 'declined':
      return phrases.sayDeclined(language, view);
  }
}

/**
 * The text of a notice.
 *
 * @param options.nowMs     the wall clock, from which the moment of the purchase is counted back
 * @param options.timeZone  IANA name of the zone in which the payer lives
 */
export function sayNotice(
  phrases: SmsPhrases,
  notice: { readonly template: NoticeTemplate; readonly language: string | null; readonly view: PurchaseView },
  options: { readonly nowMs: UnixMs; readonly timeZone: string },
): string {
  const { template, view } = notice;
  const language = phrases.languageOr(notice.language);
  const say = (key: SmsTextKey): string => phrases.say(language, key, valuesOf(view));
  switch (template) {
    case 'receipt': {
      const when = displayMoment(options.nowMs - view.sinceConfirmedMs, options.timeZone, language);
      return phrases.say(language, 'receipt', { ...valuesOf(view), when });
    }
    case 'declined':
      return phrases.sayDeclined(language, view);
    case 'sms_validate':
      return say(view.validation?.by === 'push' ? 'push' : 'sms_validate');
    case 'refunded':
    case 'in_doubt':
    case 'refund_pending':
      return say(template);
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Made once for each zone that operators are in: making one costs more than all the rest of a text. */
const moments = new Map<string, Intl.DateTimeFormat>();

function momentsOf(timeZone: string): Intl.DateTimeFormat {
  const known = moments.get(timeZone);
  if (known !== undefined) return known;
  const twoDigits = { day: '2-digit', month: '2-digit', hour: '2-digit', minute: '2-digit' } as const;
  const made = new Intl.DateTimeFormat('en-GB', { timeZone, ...twoDigits, hourCycle: 'h23' });
  moments.set(timeZone, made);
  return made;
}

/** Day and minute in GSM-7: `22/11 15:20`, in English `22 Nov 15:20`. */
export function displayMoment(at: UnixMs, timeZone: string, language: string): string {
  const parts = momentsOf(timeZone).formatToParts(at);
  const part = (type: string): string => parts.find((found) => found.type === type)?.value ?? '';
  const month = language === 'en' ? ` ${MONTHS[Number(part('month')) - 1] ?? ''}` : `/${part('month')}`;
  return `${part('day')}${month} ${part('hour')}:${part('minute')}`;
}
