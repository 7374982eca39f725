/**
 * What a machine's journal lines tell the books: which statements are on disk, and which were acknowledged.
 */
import type { JournalFile } from '../../src/automaton-link/agent/journal-file.ts';
import type { MachineNotes, StatementName } from './notes.ts';

/** Reads along. */
export interface JournalWatch {
  /** The file with its acknowledgements watched. */
  watched(file: JournalFile): JournalFile;
  /** Whole lines that are on disk. */
  durable(text: string): void;
  /** The journal is gone. */
  lost(): void;
}

/** A line as far as it matters here. The journal's own reader is not used: it is what is watched. */
type LineSeen = {
  readonly t: string;
  readonly seq: number;
  readonly kind: StatementName['kind'] | null;
  readonly firstSeq: number;
};

function kindOf(line: string): StatementName['kind'] | null {
  if (line.includes('"t":"R"')) return line.includes('"state":"failed"') ? 'failure' : 'success';
  return line.includes('"t":"C"') && line.includes('"isSilent":false') ? 'closed' : null;
}

function linesOf(text: string): LineSeen[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => ({
    t: /"t":"(\w)"/.exec(line)?.[1] ?? '',
    seq: Number(/"seq":(\d+)/.exec(line)?.[1] ?? 0),
    kind: kindOf(line),
    firstSeq: Number(/"firstSeq":(\d+)/.exec(line)?.[1] ?? 0),
  }));
}

/** Nothing seen yet. */
export function createJournalWatch(machineId: string, notes: MachineNotes): JournalWatch {
  const stated = new Map<number, StatementName['kind']>();
  let firstSeq = 1;

  function lost(): void {
    stated.clear();
    firstSeq = 1;
    notes.machineJournalLost(machineId);
  }

  function durable(text: string): void {
    // Most lines say nothing of this kind, and a story has millions of them.
    if (!/"t":"[HRC]"/.test(text)) return;
    for (const { seq, kind, firstSeq: first } of linesOf(text)) {
      if (first > firstSeq) {
        // A replaced journal vouches for nothing below: what it had closed there is forgotten unsaid.
        if (stated.size > 0) lost();
        firstSeq = first;
      }
      if (kind === null || stated.has(seq)) continue;
      stated.set(seq, kind);
      notes.stated({ machineId, orderSeq: seq, kind });
    }
  }

  return {
    durable,
    lost,
    watched: (file) => ({
      ...file,
      append: (text) => {
        // It has been heard, whether or not this can be written.
        for (const { t, seq } of text.includes('"t":"K"') ? linesOf(text) : []) {
          const kind = stated.get(seq);
          if (t === 'K' && kind !== undefined) notes.acknowledged({ machineId, orderSeq: seq, kind });
        }
        file.append(text);
      },
    }),
  };
}
