/**
 * `relais demo`: the world in the terminal, played by hand or by cards.
 */

import { boxed } from '../../simulators/boxes.ts';
import { type Played, playCard } from '../../simulators/card-player.ts';
import { type Card, readCards } from '../../simulators/cards.ts';
import { openTerminal } from '../../simulators/terminal.ts';
import { CommandEnd, exitCodes, print, say } from '../cli/exit.ts';
import { loadTexts } from '../config.ts';
import { openWorld, type World } from './demo-world.ts';

/** What the command line says. */
export type DemoOptions = {
  readonly cards?: boolean;
  readonly card?: string;
  readonly json?: boolean;
  readonly keep?: string;
  readonly lang: string;
};

/** Plays cards or waits for a person. @throws CommandEnd 1 when a check of a card failed. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const chosen = chosenCards(options);
  const stopping = new AbortController();
  const world = await openWorld({
    language: options.lang,
    keep: options.keep ?? null,
    onReady: (part, tookMs) => say(`  ${part.padEnd(36)} ready in ${(tookMs / 1000).toFixed(2)} s`),
    onLogLine: () => {},
    narrate: options.json === true ? null : (line) => say(line),
  });
  const closed = closeOnce(world);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stopping.abort();
      void closed().then(() => process.exit(exitCodes.interrupted));
    });
  }
  try {
    if (chosen.length > 0) await playAll(world, chosen, options);
    else await openTerminal(world, { texts: texts(), language: options.lang, write: print, signal: stopping.signal });
  } finally {
    await closed();
  }
}

function texts(): ReturnType<typeof loadTexts> {
  return loadTexts(new URL('../../config/texts/', import.meta.url));
}

function closeOnce(world: World): () => Promise<void> {
  let closing: Promise<void> | null = null;
  return () => {
    closing ??= world.close();
    return closing;
  };
}

function chosenCards(options: DemoOptions): readonly Card[] {
  if (options.card === undefined) return options.cards === true ? readCards() : [];
  const card = readCards().find((each) => String(each.number) === options.card);
  if (card === undefined) throw new CommandEnd(exitCodes.usage, `There is no card ${options.card}.`);
  return [card];
}

async function playAll(world: World, cards: readonly Card[], options: DemoOptions): Promise<void> {
  const played: Played[] = [];
  for (const card of cards) {
    if (options.json !== true) say(`\nCard ${card.number}: ${card.title}`);
    const result = await playCard(world.stage, card, { texts: texts(), language: options.lang, onStep: () => {} });
    played.push(result);
    if (options.json !== true) for (const shown of result.shown) print(boxed(shown));
    for (const check of result.checks.filter((each) => !each.isGood)) {
      say(`  FAILED ${check.what}: expected ${check.expected}, found ${check.found}`);
    }
  }
  print(options.json === true ? JSON.stringify(played.map(plain)) : table(played));
  const failed = played.filter((each) => !isGood(each));
  if (failed.length > 0) {
    throw new CommandEnd(exitCodes.failed, `${failed.length} of ${played.length} cards failed.`);
  }
}

function isGood(played: Played): boolean {
  return played.checks.every((check) => check.isGood);
}

function plain({ card, checks, tookMs }: Played): object {
  return { card: card.number, title: card.title, checks, tookMs: Math.round(tookMs) };
}

function table(played: readonly Played[]): string {
  const rows = played.map((each) => {
    const ledger = each.checks.filter((check) => check.what === 'ledger');
    const verdict = ledger.length > 0 && ledger.every((check) => check.isGood) ? 'balanced' : 'NOT BALANCED';
    const money = ['payer', 'operator', 'goods', 'authorizes']
      .map((what) => each.checks.findLast((check) => check.what === what)?.found ?? '-')
      .map((found) => found.padStart(6))
      .join(' ');
    const state = isGood(each) ? 'passed' : 'FAILED';
    const title = each.card.title.padEnd(58);
    return `${String(each.card.number).padStart(2)}  ${title} ${state}  ${money}  ${verdict.padEnd(12)} ${(each.tookMs / 1000).toFixed(1).padStart(5)} s`;
  });
  const head = `\n    ${'card'.padEnd(58)} result   payer operat.  goods author.  ledger`;
  return [head, ...rows].join('\n');
}
