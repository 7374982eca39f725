/**
 * Plays a card without a person and checks what it says, with found and expected values.
 */
import type { DurationMs } from '../src/time.ts';
import type { Shown } from './boxes.ts';
import type { Card, CardChecks, CardStep, Moment } from './cards.ts';
import { type PhoneTexts, recognizer } from './phone-texts.ts';
import type { Stage } from './stage.ts';

/** One check with what was found. */
export type Check = {
  readonly what: string;
  readonly expected: string;
  readonly found: string;
  readonly isGood: boolean;
};

/** A card that has been played. */
export type Played = {
  readonly card: Card;
  readonly checks: readonly Check[];
  readonly shown: readonly Shown[];
  readonly tookMs: DurationMs;
};

/** What the player needs besides the stage. */
export type PlayerDeps = {
  readonly texts: PhoneTexts;
  readonly language: string;
  /** Told before each step, for the narration. */
  readonly onStep: (card: Card, step: CardStep) => void;
};

const SCREEN_MS: DurationMs = 12_000;
const SMS_MS: DurationMs = 60_000;
const MOMENT_MS: DurationMs = 60_000;
const REST_MS: DurationMs = 20_000;
const LOOK_MS: DurationMs = 100;
const CUTOFF_MS: DurationMs = 20_000;
const MARGIN_MS: DurationMs = 5_000;
const USUAL_WAIT_MS: DurationMs = 120_000;

type Before = {
  readonly payer: bigint;
  readonly operator: bigint;
  readonly goods: number;
  readonly calls: number;
};
/** One card being played: where it began, what has been checked and shown. */
type Play = {
  readonly stage: Stage;
  readonly deps: PlayerDeps;
  readonly card: Card;
  readonly before: Before;
  readonly checks: Check[];
  readonly shown: Shown[];
  readonly inboxAt: Map<string, number>;
  selectedAtMs: DurationMs;
};

/** Plays one card; a step that fails ends it with a failed check. */
export async function playCard(stage: Stage, card: Card, deps: PlayerDeps): Promise<Played> {
  const startMs = stage.parts.clock.now();
  await stage.waits(card.machine, card.waits_ms ?? null);
  await reach(stage, () => stage.machine(card.machine).status().agent?.link === 'ready', MOMENT_MS);
  const play: Play = {
    stage,
    deps,
    card,
    before: await evidence(stage, card),
    checks: [],
    shown: [],
    inboxAt: new Map(stage.parts.phones.map((phone) => [phone.name, stage.inbox(phone.name).length])),
    selectedAtMs: 0,
  };
  try {
    for (const step of card.steps) {
      deps.onStep(card, step);
      await playStep(play, step);
      if (play.checks.some((check) => !check.isGood)) break;
    }
  } catch (error) {
    play.checks.push({ what: 'step', expected: 'no error', found: String(error), isGood: false });
  }
  await checkAtRest(play, card.checks);
  await leaveClean(play);
  return { card, checks: play.checks, shown: play.shown, tookMs: stage.parts.clock.now() - startMs };
}

async function evidence(stage: Stage, card: Card): Promise<Before> {
  const { ledger, wallet, operatorAccount } = stage.parts;
  const payer = await ledger.payer(stage.phone(card.phone).msisdn);
  const operator = await ledger.operator(operatorAccount);
  return {
    payer: payer.balance - payer.held,
    operator: operator.available + operator.pending,
    goods: stage.machine(card.machine).dropped(),
    calls: wallet.calls().length,
  };
}

async function playStep(play: Play, step: CardStep): Promise<void> {
  const { stage, card } = play;
  const phone = 'phone' in step && step.phone !== undefined ? step.phone : card.phone;
  if ('select' in step) {
    play.selectedAtMs = stage.parts.clock.now();
    stage.machine(card.machine).select(step.select);
    await waitFor(play, 'order_waiting');
  } else if ('cancel' in step) stage.machine(card.machine).cancel();
  else if ('cash' in step) stage.machine(card.machine).hardware.payCash();
  else if ('dial' in step) stage.dial(phone, step.dial);
  else if ('dial_twice' in step) stage.dial(phone, step.dial_twice, true);
  else if ('key' in step) stage.key(phone, step.key);
  else if ('key_twice' in step) stage.key(phone, step.key_twice, true);
  else if ('pin' in step) stage.key(phone, pinOf(stage.phone(phone).pin, step.pin));
  else if ('hang_up' in step) stage.hangUp(phone);
  else if ('text' in step) await stage.text(phone, step.text);
  else if ('reply_code' in step) await stage.text(phone, step.reply_code.replace('{code}', codeOf(play, phone)));
  else if ('screen' in step) await seeScreen(play, phone, step.screen);
  else if ('sms' in step) await seeMessage(play, phone, step.sms);
  else if ('machine' in step) await stage.breakMachine(card.machine, step.machine);
  else if ('time_passes_at_machine' in step) stage.machine(card.machine).skip(step.time_passes_at_machine);
  else if ('wait_ms' in step) await waitMs(step.wait_ms);
  else if ('wallet' in step) await stage.breakWallet(step.wallet);
  else if ('until' in step) await waitFor(play, step.until);
  else await checkAtRest(play, step.check);
}

/** A PIN of the right length that is not the payer's. */
function pinOf(pin: string | null, which: 'right' | 'wrong'): string {
  if (pin === null) throw new Error('this phone has no PIN');
  if (which === 'right') return pin;
  return pin === '0000' ? '1111' : '0000';
}

/** The code that the quote told: the last number of three digits in it. */
function codeOf(play: Play, phone: string): string {
  const texts = play.stage.inbox(phone).map((message) => message.text);
  const code = /\b(?:OUI|YES) (\d{3})\b/.exec(texts.at(-1) ?? '')?.[1];
  if (code === undefined) throw new Error('the last message holds no code');
  return code;
}

async function seeScreen(play: Play, phone: string, keys: readonly string[]): Promise<void> {
  const screen = await play.stage.nextScreen(phone, SCREEN_MS);
  const { text, alphabet, units, limit } = screen;
  play.shown.push({ title: `${phone}: USSD`, text, alphabet, units, limit });
  checkText(play, 'screen', text, keys);
  checkSize(play, 'screen', screen);
}

async function seeMessage(play: Play, phone: string, keys: readonly string[]): Promise<void> {
  const { texts, language } = play.deps;
  const isIt = (text: string): boolean => keys.some((key) => recognizer(texts, language, key)(text));
  const from = play.inboxAt.get(phone) ?? 0;
  const message = await play.stage.nextMessage(phone, from, isIt, SMS_MS);
  if (message === null) {
    const others = play.stage
      .inbox(phone)
      .slice(from)
      .map((each) => each.text);
    play.checks.push({ what: 'SMS', expected: keys.join(' or '), found: others.join(' | ') || 'none', isGood: false });
    return;
  }
  const { text, alphabet, units } = message;
  const limit = alphabet === 'gsm7' ? 160 : 70;
  play.shown.push({ title: `${phone}: SMS`, text, alphabet, units, limit });
  play.checks.push({ what: 'SMS', expected: keys.join(' or '), found: keys.join(' or '), isGood: true });
  checkSize(play, 'SMS', { units, limit, alphabet });
}

function checkText(play: Play, what: string, text: string, keys: readonly string[]): void {
  const { texts, language } = play.deps;
  const key = keys.find((each) => recognizer(texts, language, each)(text));
  play.checks.push({
    what,
    expected: keys.join(' or '),
    found: key ?? JSON.stringify(text),
    isGood: key !== undefined,
  });
}

/** Nothing over its limit, and French amounts never force UCS-2. */
function checkSize(play: Play, what: string, shown: Pick<Shown, 'units' | 'limit' | 'alphabet'>): void {
  const isGood = shown.units <= shown.limit && shown.alphabet === 'gsm7';
  const found = `${shown.units} ${shown.alphabet}`;
  if (!isGood) play.checks.push({ what: `${what} size`, expected: `<= ${shown.limit} gsm7`, found, isGood });
}

async function waitFor(play: Play, moment: Moment): Promise<void> {
  const { stage, card, before } = play;
  const machine = stage.machine(card.machine);
  const waitsMs = card.waits_ms ?? USUAL_WAIT_MS;
  const cutoffAtMs = play.selectedAtMs + waitsMs - MARGIN_MS - CUTOFF_MS;
  const isReached: Readonly<Record<Moment, () => boolean>> = {
    machine_free: () => machine.status().agent?.order === null && machine.status().agent?.unacked === 0,
    order_waiting: () => machine.status().agent?.order?.state === 'waiting' && machine.display.includes('*'),
    wallet_asked: () => stage.authorizes(before.calls) > 0,
    good_dropped: () => machine.dropped() > before.goods,
    inside_cutoff: () => stage.parts.clock.now() > cutoffAtMs + 500,
  };
  const hasCome = await reach(stage, isReached[moment], MOMENT_MS);
  const found = hasCome ? moment : JSON.stringify(machine.status());
  play.checks.push({ what: 'until', expected: moment, found, isGood: hasCome });
}

function waitMs(ms: DurationMs): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

async function reach(stage: Stage, isReached: () => boolean, withinMs: DurationMs): Promise<boolean> {
  const untilMs = stage.parts.clock.now() + withinMs;
  while (!isReached()) {
    if (stage.parts.clock.now() > untilMs) return false;
    await waitMs(LOOK_MS);
  }
  return true;
}

/** Money settles a moment after the last screen: the checks are taken when they hold, or when time is up. */
async function checkAtRest(play: Play, wanted: CardChecks): Promise<void> {
  const untilMs = play.stage.parts.clock.now() + REST_MS;
  for (;;) {
    const found = await compare(play, wanted);
    if (found.every((check) => check.isGood) || play.stage.parts.clock.now() > untilMs) {
      play.checks.push(...found);
      return;
    }
    await waitMs(LOOK_MS);
  }
}

async function compare(play: Play, wanted: CardChecks): Promise<readonly Check[]> {
  const { stage, card, before } = play;
  const now = await evidence(stage, card);
  const found: Readonly<Record<keyof CardChecks, number>> = {
    payer: Number(now.payer - before.payer),
    operator: Number(now.operator - before.operator),
    goods: now.goods - before.goods,
    authorizes: stage.authorizes(before.calls),
  };
  const names = ['payer', 'operator', 'goods', 'authorizes'] as const;
  const differences = names.flatMap((what) => {
    const expected = wanted[what];
    if (expected === undefined) return [];
    return [{ what, expected: String(expected), found: String(found[what]), isGood: found[what] === expected }];
  });
  const findings = await stage.parts.ledger.verify();
  const verdict = {
    what: 'ledger',
    expected: 'balanced',
    found: findings.join(' ') || 'balanced',
    isGood: findings.length === 0,
  };
  return [...differences, verdict];
}

/** The next card finds machines repaired, wallet answering and phones free. */
async function leaveClean(play: Play): Promise<void> {
  const { stage, card } = play;
  await stage.breakWallet('none');
  const machine = stage.machine(card.machine);
  machine.goOnline();
  await stage.breakMachine(card.machine, 'repair');
  for (const phone of stage.parts.phones) stage.hangUp(phone.name);
  if (machine.status().agent?.order !== null) {
    machine.cancel();
    await reach(stage, () => machine.status().agent?.order === null, MOMENT_MS);
  }
}
