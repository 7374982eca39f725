/**
 * Between the SMPP accounts and the dialogs: the reply's deadline, what becomes of a reply, the idle timer, and the
 * outcomes that operators read their failure graphs from.
 */
import type { Msisdn } from '../purchase/purchase.ts';
import type { SmppAccount, UssdOutcome } from '../smpp/account.ts';
import type { SmppMetrics } from '../smpp/bind.ts';
import type { UssdRequest } from '../smpp/inbound.ts';
import type { CancelTimer } from '../time.ts';
import { type Answer, createDialogs } from './dialog.ts';
import { renderScreen } from './screens.ts';
import { type DialogDeps, show } from './turn.ts';

/** How a dialog ended, for `ussd_dialogs_total{profile,outcome}`. */
export type DialogOutcome = 'completed' | 'user_abort' | 'reply_timeout' | 'network_abort' | 'app_error';

/** The part of an SMPP account that dialogs need. */
export type UssdAccount = Pick<SmppAccount, 'name' | 'onUssd' | 'sendUssd'>;

/** The USSD side of this node. */
export interface UssdGateway {
  /** From now on the account's dialogs are answered here. */
  listen(account: UssdAccount): void;
  /** New dialogs hear `maintenance`; resolves once every text that is owed has been handed to its account. */
  drain(): Promise<void>;
  /** Dialogs that wait for a key or an answer in this node. */
  openDialogs(): number;
}

type Said = Extract<Answer, { kind: 'say' }>;
type Open = { readonly cancelIdle: CancelTimer };

/** Makes the USSD side. Nothing runs before `listen`. */
export function createUssdGateway(deps: DialogDeps & { readonly metrics: SmppMetrics }): UssdGateway {
  const { clock, settings, metrics, log, phrases, purchases } = deps;
  const dialogs = createDialogs(deps);
  const open = new Map<string, Open>();
  const owed = new Set<Promise<void>>();
  let isDraining = false;

  const keyOf = (account: string, msisdn: Msisdn): string => `${account}/${msisdn}`;

  function close(account: UssdAccount, msisdn: Msisdn, outcome: DialogOutcome): void {
    open.get(keyOf(account.name, msisdn))?.cancelIdle();
    open.delete(keyOf(account.name, msisdn));
    metrics.count('ussd_dialogs_total', { profile: account.name, outcome });
  }

  function waitForKey(account: UssdAccount, msisdn: Msisdn, turn: number | null): void {
    const key = keyOf(account.name, msisdn);
    const expire = async (): Promise<void> => {
      if (await dialogs.end(account.name, msisdn, turn)) close(account, msisdn, 'reply_timeout');
      // It has gone on elsewhere, or is being answered here: then that answer waits for the next key.
      else if (open.get(key) === waiting) open.delete(key);
    };
    open.get(key)?.cancelIdle();
    const cancelIdle = clock.after(settings.dialogIdleMs, () => {
      // The claim also lapses by itself: a failure here delays that and costs nothing else.
      expire().catch((error: unknown) =>
        log.warn('ussd_idle_not_ended', { account: account.name, error: String(error) }),
      );
    });
    const waiting: Open = { cancelIdle };
    open.set(key, waiting);
  }

  async function takeRequest(account: UssdAccount, request: UssdRequest): Promise<void> {
    const arrivedMs = clock.now();
    switch (request.kind) {
      case 'ack':
        return;
      case 'end':
      case 'abort':
        if (await dialogs.end(account.name, request.msisdn, null)) close(account, request.msisdn, 'user_abort');
        return;
      case 'begin':
      case 'continue': {
        const replyByMs = arrivedMs + settings.replyDeadlineMs;
        const refusal = await refusalOf(account, request);
        const answer = refusal ?? (await dialogs.answer(request, replyByMs));
        await deliver(account, request, answer, replyByMs);
        metrics.observe('ussd_reply_seconds', (clock.now() - arrivedMs) / 1000, { profile: account.name });
      }
    }
  }

  /** A dial that is not let in: this node is going down, or full. Dialogs that are open go on. */
  async function refusalOf(account: UssdAccount, request: UssdRequest): Promise<Answer | null> {
    if (request.kind !== 'begin' || open.has(keyOf(account.name, request.msisdn))) return null;
    if (!isDraining && open.size < settings.maxDialogs) return null;
    const text = renderScreen(phrases, null, show('try_later'));
    if (isDraining) {
      const said = await sayMaintenance(request.msisdn).catch(() => text);
      return { kind: 'say', text: said, isEnd: true, turn: null, tells: null, isFailure: false, isGuarded: false };
    }
    return { kind: 'say', text, isEnd: true, turn: null, tells: null, isFailure: true, isGuarded: false };
  }

  /** Whose purchase is under way, or was ended a moment ago, may have been debited. @throws when the journal is away */
  async function sayMaintenance(msisdn: Msisdn): Promise<string> {
    const { payerId } = await deps.subscribers.meet(msisdn);
    const views = await purchases.recentOf(payerId, settings.resumeMs);
    const charged = views.filter(({ state }) => state !== 'declined' && state !== 'reversed');
    if (charged.length === 0) return phrases.say(null, 'maintenance', {});
    return phrases.say(null, charged.some(({ state }) => state !== 'completed') ? 'not_known' : 'try_later', {});
  }

  async function deliver(account: UssdAccount, request: UssdRequest, answer: Answer, replyByMs: number): Promise<void> {
    if (answer.kind === 'silent') {
      const isLate = answer.why === 'superseded';
      if (isLate) metrics.count('ussd_late_replies_total', { profile: account.name });
      log.info('ussd_not_answered', { account: account.name, why: answer.why });
      return;
    }
    if (clock.now() >= replyByMs) {
      metrics.count('ussd_late_replies_total', { profile: account.name });
      await dialogs.end(account.name, request.msisdn, answer.turn);
      close(account, request.msisdn, 'app_error');
      return;
    }
    const outcome = await account.sendUssd({
      echo: request.echo,
      kind: answer.isEnd ? 'end' : 'continue',
      text: answer.text,
      replyByMs,
    });
    await settle(account, request.msisdn, answer, outcome);
  }

  /** Best effort: without it the payer's next key has the screen shown once more. */
  async function noteShown(account: UssdAccount, msisdn: Msisdn, answer: Said): Promise<void> {
    if (!answer.isGuarded || answer.turn === null) return;
    await dialogs.shown(account.name, msisdn, answer.turn).catch((error: unknown) => {
      log.warn('ussd_shown_not_noted', { account: account.name, error: String(error) });
    });
  }

  /** What the gateway said of our text. Unknown counts as shown for the dialog, never for what the payer has read. */
  async function settle(account: UssdAccount, msisdn: Msisdn, answer: Said, outcome: UssdOutcome): Promise<void> {
    switch (outcome) {
      case 'taken':
      case 'unknown':
        if (outcome === 'taken') await noteShown(account, msisdn, answer);
        if (!answer.isEnd) waitForKey(account, msisdn, answer.turn);
        else close(account, msisdn, answer.isFailure ? 'app_error' : 'completed');
        if (outcome === 'taken' && answer.tells !== null) {
          const { id, template } = answer.tells;
          // Best effort: without it the payer reads the same by SMS.
          await purchases.told(id, template).catch((error: unknown) => {
            log.warn('ussd_told_not_noted', { purchaseId: id, error: String(error) });
          });
        }
        return;
      case 'gone':
      case 'unsuited':
      case 'not_sent':
        if (outcome === 'unsuited') log.error('ussd_dialect_error', { account: account.name });
        await dialogs.end(account.name, msisdn, answer.turn);
        close(account, msisdn, outcome === 'gone' ? 'network_abort' : 'app_error');
    }
  }

  return {
    listen: (account) => {
      account.onUssd(async (request) => {
        const answered = takeRequest(account, request).catch((error: unknown) => {
          log.error('ussd_request_failed', { account: account.name, kind: request.kind }, error);
          close(account, request.msisdn, 'app_error');
        });
        owed.add(answered);
        await answered;
        owed.delete(answered);
      });
    },
    drain: async () => {
      isDraining = true;
      while (owed.size > 0) await Promise.all(owed);
    },
    openDialogs: () => open.size,
  };
}
