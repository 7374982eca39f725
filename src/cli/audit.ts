/**
 * `relais audit`: what does not agree, one line each, and a last line with the counts.
 */
import type { AuditCounts, AuditListener, AuditRange } from '../audit/audit.ts';
import { lineOf } from '../audit/finding.ts';
import { CommandEnd, exitCodes, print, say } from './exit.ts';

/** An audit that is ready. */
export type AuditRun = (range: AuditRange, listener: AuditListener) => Promise<AuditCounts>;

/** How it is asked for. `comparedWith`: the wallet's side in words, or null where there is none. */
export type AuditAsked = { readonly range: AuditRange; readonly isJson: boolean; readonly comparedWith: string | null };

/** Work of more than this is told of, that often. */
const TELL_EVERY_MS = 10_000;

/** A UTC day from the command line. @throws CommandEnd 2 */
export function dayOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.slice(0, 10) === text;
  if (!isDay) throw new CommandEnd(exitCodes.usage, `${text} is no day; write it as 2026-11-25.`);
  return text;
}

/** Runs it and prints. @returns the exit code: 0 when all agrees, 1 when something does not. */
export async function runAudit(run: AuditRun, asked: AuditAsked): Promise<number> {
  const startMs = performance.now();
  let toldMs = startMs;
  const counts = await run(asked.range, {
    onFinding: (finding) => print(asked.isJson ? JSON.stringify({ finding }) : lineOf(finding)),
    onDay: (day, soFar) => {
      if (performance.now() - toldMs < TELL_EVERY_MS) return;
      toldMs = performance.now();
      say(`${day}: ${soFar.purchases} purchases so far`);
    },
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const isWhole = asked.range.from === null && asked.range.to === null;
  if (asked.isJson)
    print(
      JSON.stringify({
        summary: { ...counts, ...asked.range, comparedWith: asked.comparedWith, seconds: Number(seconds) },
      }),
    );
  else
    print(
      `${sentenceOf(counts)} Compared with ${asked.comparedWith ?? 'no wallet: only the journal was checked'}.${leftOut(counts)} ${seconds} s.`,
    );
  if (!isWhole)
    say(
      'Without --from and --to also the ledger as a whole, the audit log, and what belongs to no purchase are checked.',
    );
  return counts.findings === 0 ? exitCodes.done : exitCodes.failed;
}

function sentenceOf({ findings, purchases, days, movements }: AuditCounts): string {
  const what = findings === 0 ? 'All agrees' : findings === 1 ? '1 disagreement' : `${findings} disagreements`;
  return `${what}: ${purchases} purchases of ${days} days, ${movements} movements of money.`;
}

function leftOut({ notCompared }: AuditCounts): string {
  return notCompared === 0 ? '' : ` ${notCompared} purchases by another wallet were not compared.`;
}
