/**
 * The dialog: a dial or a key comes in, one screen goes out. Each turn is taken by compare-and-set on the board before
 * anything is asked of the world, so that of two nodes, two binds or two copies of a key only one acts; and each is
 * saved before its screen is sent, so that any node can go on from there.
 */
import type { NoticeTemplate } from '../purchase/effect.ts';
import { turnAfter } from '../purchase/order-board-port.ts';
import { Secret } from '../purchase/payment-port.ts';
import type { Msisdn, PurchaseId } from '../purchase/purchase.ts';
import { Fault } from '../result.ts';
import type { UssdRequest } from '../smpp/inbound.ts';
import { isDialedString, parseDial } from './dial-plan.ts';
import { type DialogRecord, newRecord, readRecord, writeRecord } from './dialog-record.ts';
import { dropClaim, steps } from './dialog-steps.ts';
import { digest, writtenPrint } from './marks.ts';
import { foldInput, nextStep } from './menu.ts';
import { isPin, passPinOn } from './paying.ts';
import { openDialog } from './redial.ts';
import { isGuarded, isOpen, pinScreens, renderInvalid, renderScreen, type Step } from './screens.ts';
import { isCopy, isFirst, isFromElsewhere, isUnread, keptInput, markShown } from './stray-keys.ts';
import { askBoard, type DialogDeps, type Next, show, type Turn } from './turn.ts';

/** Wrong keys in a row that one dialog bears. */
const wrongKeysMax = 3;
/** A turn is lost only to another node or an abort: more often than this is a fault of the board. */
const takesMax = 3;
/** Sessions remembered of dials before this one. */
const formerMax = 4;
/** The very same PDU is a copy for so long: by then it could be the yes to a screen that nobody has read. */
const exactCopyMs = 60_000;

/** What goes back to the gateway. */
export type Answer =
  | {
      readonly kind: 'say';
      readonly text: string;
      readonly isEnd: boolean;
      /** Turn under which this was saved; null when nothing was. */
      readonly turn: number | null;
      /** The outcome told, for `Purchases.told` once the text was taken. */
      readonly tells: { readonly id: PurchaseId; readonly template: NoticeTemplate } | null;
      /** The text says that something of ours failed. */
      readonly isFailure: boolean;
      /** The next key is about money: `Dialogs.shown` once the network has taken the text. */
      readonly isGuarded: boolean;
    }
  /** Nothing is sent: a copy, a second key while a text is owed, a key after the end, or a reply nobody waits for. */
  | { readonly kind: 'silent'; readonly why: 'copy' | 'owed' | 'over' | 'superseded' };

/** The dialogs of all payers. */
export interface Dialogs {
  /** The answer to a dial or key. Never rejects: what fails is told to the payer, with what is known of his money. */
  answer(request: UssdRequest, replyByMs: number): Promise<Answer>;
  /**
   * The payer, the network or the idle timer ended it: the claim is released, a purchase goes on. With `turn` only if
   * nothing has happened since. False when there was nothing to end.
   */
  end(account: string, msisdn: Msisdn, turn: number | null): Promise<boolean>;
  /** The network has taken the guarded screen of this turn: from now on a key may be the answer to it. */
  shown(account: string, msisdn: Msisdn, turn: number): Promise<void>;
}

type Found = { readonly number: number; readonly record: DialogRecord | null };
type Chosen = { readonly kind: 'pin'; readonly pin: Secret } | { readonly kind: Step | 'invalid' };

/** Makes the dialogs. */
export function createDialogs(deps: DialogDeps): Dialogs {
  return {
    answer: async (request, replyByMs) => {
      const payer = deps.subscribers.pseudonymOf(request.msisdn);
      const caller: Caller = { deps, request, payer, replyByMs };
      try {
        const found = await load(deps, request.account, payer);
        return isBegin(request, found.record) ? await begin(caller) : await takeKey(caller, found);
      } catch (error) {
        deps.log.error('ussd_dialog_failed', { account: request.account }, error);
        return failure(deps, null);
      }
    },
    end: (account, msisdn, turn) => endDialog(deps, { account, msisdn, turn }),
    shown: async (account, msisdn, turn) => {
      await markShown(deps, account, deps.subscribers.pseudonymOf(msisdn), turn);
    },
  };
}

type Caller = {
  readonly deps: DialogDeps;
  readonly request: UssdRequest;
  readonly payer: string;
  readonly replyByMs: number;
};

/** Without a stated operation, a text that was not dialed continues the open dialog, if there is one. */
function isBegin(request: UssdRequest, record: DialogRecord | null): boolean {
  if (request.opStated) return request.kind === 'begin';
  if (isDialedString(request.text ?? '')) return true;
  return record === null || record.phase === 'closed';
}

async function begin(caller: Caller): Promise<Answer> {
  const { deps, request, payer } = caller;
  const print = digest('begin', payer, request.sessionId ?? '', request.text ?? '');
  if (!(await isFirst(deps, request.account, print))) return repeat(caller, print);

  const { payerId, language } = await deps.subscribers.meet(request.msisdn);
  const views = await deps.purchases.recentOf(payerId, deps.settings.resumeMs);
  const dial = request.damaged
    ? ({ kind: 'ask_number' } as const)
    : parseDial(request.text ?? '', deps.settings.serviceCode, request.serviceCode);
  const { sessionId } = request;
  for (let takes = 0; takes < takesMax; takes += 1) {
    const found = await load(deps, request.account, payer);
    // A new name for each take: one that was written without an answer may have been taken up by a later dial, and paid.
    const fresh = newRecord({ payerId, language, sessionId, begunBy: print, purchaseId: deps.newPurchaseId() });
    const formerSessions = formerOf(found.record, sessionId);
    const taken = await take(caller, found.number, { ...takenUp(found.record, fresh), formerSessions });
    if (taken === null) continue;
    const turn = { ...taken, wasConfirmed: taken.record.isConfirmed, views, input: '' };
    return finish(turn, await carryOut(turn, () => openDialog(turn, dial)));
  }
  return { kind: 'silent', why: 'superseded' };
}

/**
 * The record of a new dialog: an offer that was left open goes with it. So does a name that was never confirmed: the
 * payer who dials again while his first dial still waits for an order must not stand in his own way.
 */
function takenUp(old: DialogRecord | null, fresh: DialogRecord): DialogRecord {
  if (old === null || old.payerId !== fresh.payerId) return fresh;
  const { purchaseId, isConfirmed, reference, machineNumber, quoted } = old;
  if (quoted === null) return isConfirmed ? fresh : { ...fresh, purchaseId };
  return { ...fresh, purchaseId, isConfirmed, reference, machineNumber, quoted };
}

/** The last sessions of this payer's earlier dials: a key that comes late out of one of them means nothing any more. */
function formerOf(old: DialogRecord | null, sessionId: string | null): string[] {
  if (old === null) return [];
  const known = old.sessionId === null ? old.formerSessions : [...old.formerSessions, old.sessionId];
  return known.filter((one) => one !== sessionId).slice(-formerMax);
}

/** A doubled dial: while the answer is owed nothing more goes out, afterwards the same text, once. */
async function repeat(caller: Caller, print: string): Promise<Answer> {
  const { deps, request, payer } = caller;
  const { record, number } = await load(deps, request.account, payer);
  // A copy may overtake its first: what is on the board then belongs to the dialog before.
  if (record === null || record.phase === 'answering' || record.begunBy !== print)
    return { kind: 'silent', why: 'owed' };
  // Broken off before its first screen was made: there is nothing to say again.
  if (record.text === '') return { kind: 'silent', why: 'over' };
  const isOnce = await isFirst(deps, request.account, `${print}:again`);
  return isOnce ? sayAgain(record, number) : { kind: 'silent', why: 'copy' };
}

async function takeKey(caller: Caller, found: Found): Promise<Answer> {
  const { deps, request } = caller;
  const { record, number } = found;
  if (record === null) return lapsed(caller);
  if (record.phase === 'closed') return { kind: 'silent', why: 'over' };
  // Pressed on another screen, perhaps for another price.
  if (request.sessionId !== null && record.formerSessions.includes(request.sessionId))
    return { kind: 'silent', why: 'over' };
  if (record.phase === 'answering' || record.screen === null) return { kind: 'silent', why: 'owed' };
  const print = digest('key', caller.payer, request.bind, request.sessionId ?? '', String(request.sequence));
  if (!(await isFirst(deps, request.account, print, Math.max(exactCopyMs, deps.settings.dedupeMs)))) {
    return { kind: 'silent', why: 'copy' };
  }
  const input = request.damaged ? '' : (request.text ?? '');
  if (await isCopy(caller, record, number, input)) return sayAgain(record, number);
  if (isFromElsewhere(request, record)) return follow(caller, number, record, input);
  if (await isUnread(caller, record, number)) return sayAgain(record, number);

  const chosen = await choose(deps, record, input);
  const isPinKey = chosen.kind === 'pin';
  const taken = await take(caller, number, {
    ...record,
    phase: 'answering',
    sessionId: request.sessionId ?? record.sessionId,
    lastInput: isPinKey ? null : keptInput(record, input),
    wrongKeys: chosen.kind === 'invalid' ? record.wrongKeys + 1 : 0,
    // Before the coordinator hears of it: whatever dies now, the next dial asks the journal.
    isConfirmed: record.isConfirmed || chosen.kind === 'pay',
  });
  if (taken === null) return overtaken(caller);
  const { isConfirmed: wasConfirmed } = record;
  const turn: Turn = { ...taken, wasConfirmed, views: null, input: isPinKey ? '' : (foldInput(input) ?? '') };
  return finish(turn, await carryOut(turn, () => act(turn, chosen)));
}

/** Redis was wiped, or the key is late: nothing was begun by this key. */
async function lapsed({ deps, request }: Caller): Promise<Answer> {
  const { language } = await deps.subscribers.meet(request.msisdn);
  return { ...ended(deps, show('lapsed'), language), isFailure: false };
}

/** Another node has answered this payer, or the board was wiped since the dialog was read. */
async function overtaken(caller: Caller): Promise<Answer> {
  const { record } = await load(caller.deps, caller.request.account, caller.payer);
  return record === null ? lapsed(caller) : { kind: 'silent', why: 'superseded' };
}

/**
 * Some gateways give a session another id in mid-dialog; a key may also come very late, out of a session long forgotten.
 * Both see the screen once more, under the id that they came with, and what is pressed there counts.
 */
async function follow(caller: Caller, number: number, record: DialogRecord, input: string): Promise<Answer> {
  const { deps, request, payer } = caller;
  // Whatever this screen is, it may be the PIN that another one asked for.
  const lastInput = isPin(foldInput(input) ?? '') ? null : keptInput(record, input);
  const taken = await take(caller, number, { ...record, sessionId: request.sessionId, lastInput });
  if (taken === null) return overtaken(caller);
  await isFirst(deps, request.account, writtenPrint(payer, taken.number));
  return sayAgain(taken.record, taken.number);
}

async function choose(deps: DialogDeps, record: DialogRecord, input: string): Promise<Chosen> {
  const { screen } = record;
  if (screen === null) return { kind: 'invalid' };
  const key = foldInput(input);
  if (key !== null && pinScreens.has(screen) && isPin(key)) return { kind: 'pin', pin: new Secret(key) };
  return { kind: await nextStep(screen, input, deps.clock) };
}

async function act(turn: Turn, chosen: Chosen): Promise<Next> {
  if (chosen.kind === 'pin') return passPinOn(turn, chosen.pin);
  if (chosen.kind !== 'invalid') return steps[chosen.kind](turn);
  const { record, deps } = turn;
  if (record.wrongKeys >= wrongKeysMax || record.screen === null) {
    await dropClaim(turn);
    return show('lapsed', record.machineNumber === null ? {} : { machine: record.machineNumber });
  }
  return { ...show(record.screen), text: renderInvalid(deps.phrases, record.language, record.text), isRepeat: true };
}

/** Runs a step; what fails becomes a screen that claims no more about the money than is known. */
async function carryOut(turn: Turn, step: () => Promise<Next>): Promise<Next & { readonly isFailure?: boolean }> {
  try {
    return await step();
  } catch (error) {
    const { record, deps } = turn;
    const code = error instanceof Fault ? error.code : 'bug';
    deps.log.error('ussd_step_failed', { purchaseId: record.purchaseId, screen: record.screen, code }, error);
    // After a yes only the journal knows. Before it, the journal was asked when the dialog was opened.
    const mayOwe = record.isConfirmed || turn.views?.some(({ sinceEndedMs }) => sinceEndedMs === null) === true;
    return { ...show(mayOwe ? 'not_known' : 'service_down'), isFailure: true };
  }
}

async function finish(turn: Turn, next: Next & { readonly isFailure?: boolean }): Promise<Answer> {
  const { deps, record } = turn;
  const text = next.text ?? renderScreen(deps.phrases, next.changes.language ?? record.language, next);
  const isEnd = !isOpen(next.screen);
  const after: DialogRecord = {
    ...record,
    ...next.changes,
    phase: isEnd ? 'closed' : 'waiting',
    screen: isOpen(next.screen) ? next.screen : null,
    text: next.isRepeat === true ? record.text : text,
  };
  const said = { text, isEnd, isFailure: next.isFailure === true, isGuarded: isGuarded(next.screen) };
  const answer = { kind: 'say', ...said, tells: next.tells ?? null } as const;
  // What has happened is still told; a key could not be taken, so an open screen would mislead.
  const unsaved = (): Answer => (isEnd ? { ...answer, turn: null } : failure(deps, after, record.isConfirmed));
  try {
    const saved = await save(deps, { account: turn.account, payer: turn.payer, number: turn.number }, after);
    if (saved === null) {
      const isWiped = await releaseIfOver(turn, after);
      if (!isWiped) return { kind: 'silent', why: 'superseded' };
      return unsaved();
    }
    if (!isEnd) await isFirst(deps, turn.account, writtenPrint(turn.payer, saved));
    return { ...answer, turn: saved };
  } catch (error) {
    deps.log.error('ussd_dialog_not_saved', { purchaseId: after.purchaseId }, error);
    return unsaved();
  }
}

/**
 * The dialog was ended, wiped or dialed anew while we were answering: what was claimed meanwhile may be nobody's. True
 * when nothing is left of it: then nobody else has answered.
 */
async function releaseIfOver(turn: Turn, after: DialogRecord): Promise<boolean> {
  const { record } = await load(turn.deps, turn.account, turn.payer);
  const isOver = record === null || record.phase === 'closed' || record.purchaseId !== after.purchaseId;
  const isElsewhere = record?.phase === 'waiting' && record.machineNumber !== after.machineNumber;
  if (isOver || isElsewhere) await dropClaim({ ...turn, record: after });
  return record === null;
}

async function endDialog(
  deps: DialogDeps,
  which: { readonly account: string; readonly msisdn: Msisdn; readonly turn: number | null },
): Promise<boolean> {
  const payer = deps.subscribers.pseudonymOf(which.msisdn);
  for (let takes = 0; takes < takesMax; takes += 1) {
    const { record, number } = await load(deps, which.account, payer);
    if (record === null || record.phase === 'closed') return false;
    if (which.turn !== null && which.turn !== number) return false;
    const closed: DialogRecord = { ...record, taker: deps.newId(), phase: 'closed', screen: null };
    const saved = await save(deps, { account: which.account, payer, number }, closed);
    if (saved === null) continue;
    const { account, msisdn } = which;
    const over = { replyByMs: 0, wasConfirmed: record.isConfirmed, input: '', views: null };
    await dropClaim({ deps, account, msisdn, payer, number: saved, record, ...over });
    return true;
  }
  return false;
}

async function take(
  caller: Caller,
  number: number,
  record: DialogRecord,
): Promise<Omit<Turn, 'views' | 'input' | 'wasConfirmed'> | null> {
  const { deps, request, payer, replyByMs } = caller;
  const own = { ...record, taker: deps.newId() };
  const saved = await save(deps, { account: request.account, payer, number }, own);
  const { account, msisdn } = request;
  return saved === null ? null : { deps, account, msisdn, payer, number: saved, record: own, replyByMs };
}

async function load(deps: DialogDeps, account: string, payer: string): Promise<Found> {
  const found = await askBoard(() => deps.dialogs.load(account, payer));
  return found === null ? { number: 0, record: null } : { number: found.turn, record: readRecord(found.body) };
}

/** The number of the saved turn, or null when another one came first or the dialog has vanished. */
async function save(
  deps: DialogDeps,
  of: { readonly account: string; readonly payer: string; readonly number: number },
  record: DialogRecord,
): Promise<number | null> {
  const { account, payer, number } = of;
  const body = writeRecord(record);
  const ttlMs = deps.settings.resumeMs;
  const turn = turnAfter(number, deps.clock);
  const attempt = (): Promise<boolean> => deps.dialogs.save({ account, payer, turnRead: number, turn, body, ttlMs });
  if (number > 0) return (await askBoard(attempt)) ? turn : null;
  try {
    return (await attempt()) ? turn : null;
  } catch (error) {
    if (!(error instanceof Fault) || error.happened === 'no') throw error;
    // Not repeated: a later dial may have taken it up and paid, and the board been wiped since.
    const found = await deps.dialogs.load(account, payer);
    return found?.body === body ? turn : null;
  }
}

function sayAgain(record: DialogRecord, turn: number): Answer {
  const isEnd = record.phase === 'closed';
  const said = { text: record.text, isEnd, isFailure: false, isGuarded: isGuarded(record.screen) };
  return { kind: 'say', ...said, turn, tells: null };
}

/** `wasConfirmed`: a yes was given before this turn, perhaps under a name that the record has left since. */
function failure(deps: DialogDeps, record: DialogRecord | null, wasConfirmed = false): Answer {
  if (record === null) return ended(deps, show('try_later'));
  const mayOwe = wasConfirmed || record.isConfirmed;
  return ended(deps, show(mayOwe ? 'not_known' : 'service_down'), record.language);
}

function ended(deps: DialogDeps, next: Next, language: string | null = null): Extract<Answer, { kind: 'say' }> {
  const text = renderScreen(deps.phrases, language, next);
  return { kind: 'say', text, isEnd: true, turn: null, tells: null, isFailure: true, isGuarded: false };
}
