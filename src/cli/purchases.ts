/**
 * `relais purchases`: open cases, the whole of one purchase, and what a person may do to it.
 */
import { displayMoney } from '../money.ts';
import type { Act, ActOutcome, ActRefusal } from '../purchase/people.ts';
import type { Purchase } from '../purchase/purchase.ts';
import type { JournalEntry, Loaded } from '../purchase/store-port.ts';
import type { Beside, OpenCase } from '../store/desk.ts';
import type { UnixMs } from '../time.ts';
import { CommandEnd, exitCodes, print } from './exit.ts';

const CASES: Readonly<Record<string, readonly [what: string, todo: string]>> = {
  in_doubt: [
    'nobody knows whether the good came out',
    'find out at the machine, then: relais purchases confirm ID, or: relais purchases refund ID',
  ],
  reversal_overdue: [
    'the payer waits for his money',
    'ask the wallet why it does not give it back; Relais keeps asking',
  ],
  settlement_overdue: [
    'delivered, and the operator has no money yet',
    'ask the wallet; when its hold is gone for good: relais purchases accept-loss ID',
  ],
  contradicting_result: [
    "the machine's word contradicts what is known",
    'compare with the machine; where the payer is owed: relais purchases refund ID',
  ],
  paid_after_close: ['paid after the end, and given back', 'nothing, unless its refund stays pending'],
  payment_overdue: [
    'the wallet has not said what became of the payment',
    'ask the wallet; to give back whatever it took: relais purchases refund ID',
  ],
  parked: ['Relais itself failed at it too often', 'read the log for this id, and report the bug'],
};

const EVENTS: Readonly<Record<string, string>> = {
  confirmed: 'the payer said yes',
  authorized: 'the wallet secured the price',
  authorize_declined: 'the wallet declined',
  validation_required: "the wallet wants the payer's own word",
  validation_given: "the payer's answer is passed on",
  validated: "the payer's answer was right, the price is secured",
  payment_unknown: 'the wallet gave no answer, and is asked again',
  payment_not_found: 'the wallet has never seen the payment',
  approval_accepted: 'the machine accepted, and delivers',
  approval_rejected: 'the machine rejected the approval',
  approval_unreachable: 'the machine was not reached, and never will be',
  vend_succeeded: 'the machine says that the good came out',
  vend_failed: 'the machine says that the delivery failed',
  vend_closed: 'the machine closed the order',
  settled: 'the operator has the money',
  settle_refused: 'the wallet refused to collect',
  loss_accepted: 'a person accepted the loss',
  reversed: 'the payer has his money back',
  reverse_refused: 'the wallet refused to give back',
  operator_refunded: 'a person decided for the payer',
  operator_confirmed: 'a person saw the delivery',
  deadline_passed: 'the deadline passed',
};

const REFUSALS: Readonly<Record<ActRefusal, string>> = {
  no_purchase: 'There is no such purchase.',
  still_delivering: 'The machine may be delivering: wait for its result, or until the purchase is in doubt.',
  being_collected: 'The good came out and the price is being collected: refund it when it is completed.',
  going_back: 'The money is going back to the payer already.',
  already_back: 'The payer has all his money back already.',
  nothing_moved: 'Nothing was taken from the payer: the purchase was declined.',
  nothing_collected: 'Nothing was collected: the loss was accepted, and the payer paid nothing.',
  only_whole: 'Before its end a purchase can only be given back in whole: leave --amount out.',
  above_rest: 'That is more than what is left of the price.',
  not_in_parts: 'This wallet only gives back in whole: leave --amount out.',
  not_in_doubt: 'Only a purchase in doubt can be confirmed.',
  nothing_to_accept: 'There is no loss: the purchase is not being collected.',
  hold_not_gone: 'The hold is not gone: the wallet may still pay.',
  not_overdue: 'The wallet has not been silent for long enough: Relais is asking it.',
  not_reversible: 'This wallet cannot undo a payment of which it has given no reference: ask it first.',
  changed_meanwhile: 'Something else happened to it just now: look at it again.',
};

/** One line a case, oldest first. `limit` was reached: more are waiting. */
export function printCases(
  cases: readonly OpenCase[],
  options: { readonly isJson: boolean; readonly limit: number },
): void {
  if (options.isJson) {
    print(jsonOf({ cases }));
    return;
  }
  for (const each of cases) print(lineOfCase(each));
  if (cases.length === 0) print('No open case.');
  if (cases.length === options.limit) print(`Only the oldest ${options.limit} are shown.`);
}

function lineOfCase(one: OpenCase): string {
  const [what, todo] = CASES[one.kind] ?? [one.kind, 'look at it'];
  const amount = displayMoney({ minor: one.amountMinor, currency: one.currency });
  const advice = todo.replaceAll('ID', one.purchaseId);
  return `${one.reference} ${one.purchaseId}  ${age(one.openForMs)}  ${amount}  ${one.machineId}  ${one.state}: ${what}. What to do: ${advice}.`;
}

function age(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2_880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1_440)} d`;
}

/** The one purchase that a name means. @throws CommandEnd 1 when there is none, or when several share the reference. */
export function theOne(name: string, found: readonly Loaded[]): Loaded {
  const [one, ...others] = found;
  if (one === undefined) throw new CommandEnd(exitCodes.failed, `There is no purchase ${name}.`);
  if (others.length === 0) return one;
  const lines = found.map(
    ({ purchase }) =>
      `  ${purchase.id}  ${purchase.order.machineNumber}  ${displayMoney(purchase.order.price)}  ${purchase.state}`,
  );
  throw new CommandEnd(
    exitCodes.failed,
    `Several purchases have the reference ${name}; name one by its id:\n${lines.join('\n')}`,
  );
}

/** A purchase with all that is known of it. `payer`: masked; null once erased. */
export type Whole = {
  readonly loaded: Loaded;
  readonly payer: string | null;
  readonly timeline: readonly JournalEntry[];
  readonly beside: Beside;
};

/** The whole of one purchase. */
export function printPurchase(whole: Whole, isJson: boolean): void {
  const { purchase, leftMs } = whole.loaded;
  if (isJson) {
    const { walletRef: _walletRef, ...facts } = purchase.facts;
    print(
      jsonOf({
        ...purchase,
        facts,
        leftMs,
        payer: whole.payer,
        payerId: undefined,
        timeline: whole.timeline.map((entry) => ({ ...entry, content: toldOf(entry) })),
        ...whole.beside,
      }),
    );
    return;
  }
  for (const line of headOf(purchase, whole.payer, leftMs)) print(line);
  print('Timeline');
  for (const entry of whole.timeline) print(`  ${lineOfEntry(entry)}`);
  for (const line of linesBeside(whole.beside, purchase)) print(line);
}

function headOf(purchase: Purchase, payer: string | null, leftMs: number | null): readonly string[] {
  const { order, state, reference, id, facts } = purchase;
  const reason = facts.declineCode ?? facts.reversalReason;
  const deadline =
    leftMs === null ? '' : leftMs < 0 ? `, ${age(-leftMs)} past its deadline` : `, ${age(leftMs)} until its deadline`;
  return [
    `${reference} ${id}`,
    `  ${state}${reason === null ? '' : ` (${reason})`}${deadline}`,
    `  ${displayMoney(order.price)}, ${order.productName}, machine ${order.machineNumber} (${order.machineId}), order ${order.orderSeq}`,
    `  payer ${payer ?? 'erased'} by ${purchase.channel}, wallet ${purchase.wallet.provider}, ${purchase.plan}, to ${order.operatorAccount}`,
  ];
}

/** What a line of the timeline tells beside its event: reasons and names, never a reference of the wallet. */
const TOLD = ['by', 'reason', 'code', 'result', 'basis'] as const;

function lineOfEntry({ at, event, state, node, content }: JournalEntry): string {
  const told = Object.values(toldOf({ event, content }));
  return `${time(at)}  ${EVENTS[event] ?? event}${told.length === 0 ? '' : ` (${told.join(', ')})`}: ${state}  [${node}]`;
}

function toldOf({
  content,
  event,
}: Pick<JournalEntry, 'content'> & { readonly event?: string }): Readonly<Record<string, string>> {
  const told = event === 'confirmed' ? [] : TOLD;
  return Object.fromEntries(told.flatMap((name) => wordOf(content[name]).map((word) => [name, word])));
}

function wordOf(value: unknown): readonly string[] {
  return typeof value === 'string' && value !== '' ? [value] : [];
}

function time(at: UnixMs): string {
  return new Date(at).toISOString();
}

function linesBeside(beside: Beside, { order }: Purchase): readonly string[] {
  const when = (inMs: number): string =>
    inMs < 0 ? `due for ${Math.round(-inMs / 1000)} s` : `due in ${Math.round(inMs / 1000)} s`;
  const part = (title: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
  const money = (minor: bigint): string => displayMoney({ minor, currency: order.price.currency });
  return [
    ...part(
      'Still to do',
      beside.effects.map(
        (each) =>
          `${each.name}, ${when(each.inMs)}, taken ${each.tries} times${each.lastError === null ? '' : `, last: ${each.lastError}`}`,
      ),
    ),
    ...part(
      'The machine said',
      beside.statements.map((each) => [`${time(each.at)}  ${each.kind}`, ...Object.values(toldOf(each))].join(' ')),
    ),
    ...part(
      'Refunds',
      beside.refunds.map(
        (each) =>
          `${time(each.at)}  ${each.n}. ${money(each.amountMinor)}, ${each.state}, by ${each.requestedBy}: ${each.reason}`,
      ),
    ),
    ...part(
      'Cases',
      beside.cases.map(
        (each) =>
          `${each.kind}, opened ${time(each.openedAt)}${each.closedAt === null ? ', open' : `, closed ${time(each.closedAt)}`}`,
      ),
    ),
  ];
}

const DONE = {
  refund: 'is given back',
  confirm: 'is confirmed as delivered; the price goes to the operator',
  'accept-loss': 'is closed; the operator gets nothing',
} as const;

/** An act by its word on the command line. */
export type ActName = keyof typeof DONE;

/** Says what became of an act. @throws CommandEnd 1 for a refusal, in a sentence. */
export function printOutcome(act: ActName, { purchase }: Loaded, outcome: ActOutcome, isJson: boolean): void {
  const name = `${purchase.reference} ${purchase.id}`;
  if (outcome.kind === 'refused')
    throw new CommandEnd(exitCodes.failed, `${name}: ${REFUSALS[outcome.why]} Nothing was changed.`);
  const amount = displayMoney({ minor: outcome.amountMinor, currency: purchase.order.price.currency });
  const isBefore = outcome.kind === 'done_before';
  if (isJson) {
    const who = isBefore ? { by: outcome.by, at: time(outcome.at) } : {};
    print(jsonOf({ id: purchase.id, act, outcome: outcome.kind, amountMinor: outcome.amountMinor, ...who }));
  } else if (isBefore)
    print(`${name}: ${outcome.by} did this at ${time(outcome.at)} (${amount}). Nothing was done again.`);
  else print(`${name}: ${amount} ${DONE[act]}. A running node carries it out within seconds.`);
}

/** The program's own name in the journal: what it gives back by itself is no person's act. */
const OWN_NAME = 'relais';

/** Who acts and why, as given. @throws CommandEnd 2 where one is missing, or is the program's own name. */
export function checkedAct(act: Act): Act {
  if (act.reason === '') throw new CommandEnd(exitCodes.usage, 'Say why: --reason.');
  if (act.by === '') throw new CommandEnd(exitCodes.usage, 'Say who decides: --by; this login has no name.');
  if (act.by.toLowerCase() === OWN_NAME)
    throw new CommandEnd(exitCodes.usage, `Say who decides: --by; ${act.by} is the name of the program itself.`);
  return act;
}

/** Minor units from the command line. @throws CommandEnd 2 */
export function amountOf(text: string | undefined): bigint | null {
  if (text === undefined) return null;
  if (!/^[1-9]\d{0,17}$/.test(text))
    throw new CommandEnd(exitCodes.usage, `${text} is no amount; give whole minor units.`);
  return BigInt(text);
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) => (typeof each === 'bigint' ? each.toString() : each));
}
