/**
 * Buying by text: number, quote with a code, the code back. A sender can be forged, so a text alone never moves money:
 * only who reads the quote knows its code, and the wallet's own validation comes on top. A text is acknowledged once
 * what it asked for is durable or refused.
 */
import { createHash } from 'node:crypto';
import { maskMsisdn } from '../purchase/msisdn.ts';
import type { DialogBoard } from '../purchase/order-board-port.ts';
import type { SmppAccount } from '../smpp/account.ts';
import type { SmsMessage } from '../smpp/inbound.ts';
import { type DurationMs, pause } from '../time.ts';
import { readCommand, type SmsCommand } from './command.ts';
import { wholeText } from './reassembly.ts';
import { createShop, type Sender, type Served, type ShopDeps } from './shop.ts';

/** Waits before an answer of ours that was refused for the time being goes out again; then the payer asks again. */
const answerRetryMs = [5_000, 30_000] as const;
/** What was found out for a text is handed to the network within so long, or not at all. */
const freshMs: DurationMs = 15_000;

/** An answer that is owed to the sender of a text. */
type Answer = Served & {
  readonly sender: Sender;
  /** On `clock.now()`: this node may have stood still, and what it says then be true no longer, or a price be kept no longer. */
  readonly sendByMs: DurationMs;
  /** What is said instead later than that: it promises nothing. */
  readonly whenLate: string | null;
};

/** The part of an SMPP account that texts need. */
export type SmsAccount = Pick<SmppAccount, 'name' | 'onSms' | 'sendSms'>;

/** The SMS side of this node. */
export interface SmsGateway {
  /** From now on the account's texts are answered here. */
  listen(account: SmsAccount): void;
  /** Resolves once every answer that is owed has been handed to its account, or given up. */
  drain(): Promise<void>;
}

/** Makes the SMS side. Nothing runs before `listen`. */
export function createSmsGateway(deps: ShopDeps & { readonly dialogs: DialogBoard }): SmsGateway {
  const { settings, subscribers, dialogs, clock, log, metrics } = deps;
  const shop = createShop(deps);
  const owed = new Set<Promise<void>>();
  let isDraining = false;

  function inBackground(act: Promise<void>): void {
    const watched: Promise<void> = act
      .catch((error: unknown) => log.error('sms_answer_failed', {}, error))
      .finally(() => owed.delete(watched));
    owed.add(watched);
  }

  async function send(account: SmsAccount, answer: Answer): Promise<void> {
    const { sender, sendByMs, whenLate } = answer;
    for (const waitMs of [...answerRetryMs, null]) {
      const isLate = clock.now() >= sendByMs;
      const text = isLate ? whenLate : answer.text;
      if (text === null) return;
      const outcome = await account.sendSms({ to: sender.msisdn, text, ...(isLate ? {} : { sendByMs }) });
      metrics.count('sms_messages_total', { direction: 'out', outcome: outcome.kind });
      // Unknown may have arrived: an answer is not worth a second copy, the payer asks again.
      if (outcome.kind !== 'refused' || outcome.permanent || waitMs === null || isDraining) return;
      const hasStoodStill = !isLate && clock.now() >= sendByMs;
      if (!hasStoodStill) await pause(clock, waitMs);
      if (await shop.isOvertaken(sender, answer)) return;
    }
  }

  async function take(account: SmsAccount, message: SmsMessage): Promise<void> {
    const count = (outcome: string): void => metrics.count('sms_messages_total', { direction: 'in', outcome });
    // Short codes, names and our own number are robots: an answer would begin a loop.
    if (message.alphanumeric || !/^[1-9]\d{7,14}$/.test(message.from) || message.from === message.to) {
      return count('dropped');
    }
    const payer = subscribers.pseudonymOf(message.from);
    const whole = await wholeText(dialogs, message, { payer, ttlMs: settings.partsMs });
    if (whole === null) return count('part');
    const command: SmsCommand = whole.damaged ? { kind: 'unclear' } : readCommand(whole.text);
    const { payerId, language } = await subscribers.meet(message.from);
    const sender: Sender = { account: account.name, msisdn: message.from, payer, payerId, language };
    const print = await printOf(sender, command, whole.text, message);
    if (!(await dialogs.isFirst(account.name, print, settings.dedupeMs))) return count('doubled');

    count(command.kind);
    const answer = await answerTo(sender, command);
    if (answer !== null) inBackground(send(account, answer));
    if (command.kind === 'confirm') {
      // Acknowledged after the commit; what the wallet says later is told by itself.
      inBackground(sayWhenSlow(account, sender));
    }
  }

  /** From here on nothing is asked of the centre again: what fails is told to the payer. */
  async function answerTo(sender: Sender, command: SmsCommand): Promise<Answer | null> {
    const sendByMs = clock.now() + freshMs;
    const failed = shop.sayFailed(sender, command);
    try {
      const served = await shop.serve(sender, command);
      return served === null ? null : { ...served, sender, sendByMs, whenLate: failed };
    } catch (error) {
      log.error('sms_failed', { payer: maskMsisdn(sender.msisdn), command: command.kind }, error);
      return { sender, text: failed, turn: null, sendByMs: Number.POSITIVE_INFINITY, whenLate: null };
    }
  }

  async function sayWhenSlow(account: SmsAccount, sender: Sender): Promise<void> {
    const text = await shop.sayIfSlow(sender);
    if (text === null) return;
    // Not worth a word once it is late: the notices tell the outcome.
    await send(account, { sender, text, turn: null, sendByMs: clock.now() + freshMs, whenLate: null });
  }

  /** An order sent again after its quote is gone is a new order, so the conversation's turn is part of its mark. */
  async function printOf(sender: Sender, command: SmsCommand, text: string, message: SmsMessage): Promise<string> {
    const turn = command.kind === 'order' ? await shop.turnOf(sender) : 0;
    const parts = [sender.payer, message.to, text, message.parts?.reference ?? null, turn];
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
  }

  return {
    listen: (account) => account.onSms((message) => take(account, message)),
    drain: async () => {
      isDraining = true;
      while (owed.size > 0) await Promise.all(owed);
    },
  };
}
