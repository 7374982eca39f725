/**
 * Notices to payers: one row of the journal, one text, in the payer's language, with a receipt asked for. The worker
 * keeps the row and asks again; here is decided when.
 */
import type { EffectKey, NoticeTemplate } from '../purchase/effect.ts';
import { maskMsisdn } from '../purchase/msisdn.ts';
import type { NoticePort } from '../purchase/purchases-port.ts';
import type { SmppAccount, SmsOutcome } from '../smpp/account.ts';
import type { SmppLog, SmppMetrics } from '../smpp/bind.ts';
import type { Clock, DurationMs } from '../time.ts';
import type { SmsSettings } from './sms-settings.ts';
import { type SmsPhrases, sayNotice } from './templates.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** Waits after a temporary refusal, by the number of tries; the last one from then on. */
const retryAfterMs: readonly DurationMs[] = [5 * SECOND, 30 * SECOND, 120 * SECOND, 600 * SECOND, HOUR, 6 * HOUR];
/** Wait after a text without an answer: it may have arrived, so it goes out once more and no oftener. */
const unknownAfterMs = 60 * SECOND;
/** Texts remembered as unanswered once. Beyond it, or after a restart, one of them may go out a third time. */
const unansweredMax = 10_000;

/** How long a notice is worth sending. Money that came back, or is looked for, is told for three days. */
const worthMs: Readonly<Record<NoticeTemplate, DurationMs>> = {
  receipt: 24 * HOUR,
  declined: 24 * HOUR,
  sms_validate: 120 * SECOND,
  refunded: 72 * HOUR,
  refund_pending: 72 * HOUR,
  in_doubt: 72 * HOUR,
};

/** What the notifier needs. `sender`: the account whose short code payers know. */
export interface NotifierDeps {
  readonly settings: SmsSettings;
  readonly phrases: SmsPhrases;
  readonly sender: Pick<SmppAccount, 'sendSms'>;
  readonly clock: Clock;
  readonly log: SmppLog;
  readonly metrics: SmppMetrics;
}

/** Makes the notifier. */
export function createNotifier(deps: NotifierDeps): NoticePort {
  const { phrases, sender, clock, settings, log, metrics } = deps;
  const unanswered = new Set<EffectKey>();

  return {
    send: async (notice) => {
      const text = sayNotice(phrases, notice, { nowMs: clock.wall(), timeZone: settings.timeZone });
      const outcome = await sender.sendSms({ to: notice.payer, text, registeredDelivery: true });
      metrics.count('sms_messages_total', { direction: 'out', outcome: outcome.kind });
      const fields = { purchaseId: notice.view.id, template: notice.template, payer: maskMsisdn(notice.payer) };
      switch (outcome.kind) {
        case 'accepted':
          unanswered.delete(notice.key);
          log.info('notice_sent', fields);
          return { kind: 'sent' };
        case 'refused': {
          const why = whyRefused(outcome);
          log.warn('notice_refused', { ...fields, why });
          if (outcome.permanent) return { kind: 'given_up', why };
          const inMs = nextTryMs(notice.tries, worthMs[notice.template]);
          return inMs === null ? { kind: 'given_up', why } : { kind: 'later', inMs, why };
        }
        case 'unknown':
          log.warn('notice_unanswered', fields);
          if (unanswered.delete(notice.key)) return { kind: 'given_up', why: 'unanswered_twice' };
          remember(unanswered, notice.key);
          return { kind: 'later', inMs: unknownAfterMs, why: 'unanswered' };
      }
    },
  };
}

/**
 * The wait before the next try of a text that was refused for the time being; null when it would come too late.
 *
 * @param tries  times taken, this one included, from 1
 * @param limitMs how long the text is worth sending, counted from the first try
 */
export function nextTryMs(tries: number, limitMs: DurationMs): DurationMs | null {
  const waitAfter = (n: number): DurationMs => retryAfterMs[Math.min(n, retryAfterMs.length) - 1] ?? 0;
  let spentMs = 0;
  for (let n = 1; n <= tries && spentMs <= limitMs; n += 1) spentMs += waitAfter(n);
  return spentMs > limitMs ? null : waitAfter(tries);
}

function whyRefused(outcome: Extract<SmsOutcome, { kind: 'refused' }>): string {
  return outcome.status === null ? 'not_sent' : `status_0x${outcome.status.toString(16)}`;
}

function remember(keys: Set<EffectKey>, key: EffectKey): void {
  for (const oldest of keys) {
    if (keys.size < unansweredMax) break;
    keys.delete(oldest);
  }
  keys.add(key);
}
