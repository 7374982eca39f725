/**
 * A deliberate mistake, planted in the built text of the program while a test process loads it. Nothing on disk changes.
 */

/** One place that is altered. */
export type Edit = {
  /** Path of the source from the checkout: `src/worker/lease.ts`. */
  readonly file: string;
  /** As the build writes it, without types; runs of white space count as one. It must occur exactly once. */
  readonly find: string;
  readonly replace: string;
};

/** A deliberate mistake, and who must find it. */
export type Mutant = {
  /** The mistake in a few words, unique in the table. */
  readonly name: string;
  /** What it breaks: one sentence. */
  readonly breaks: string;
  readonly edits: readonly Edit[];
  /** The simulation, or the test file that fails, by its path from the checkout. */
  readonly caughtBy: 'simulation' | `test/${string}.test.ts`;
};

function expressionOf(find: string): RegExp {
  const words = find.trim().split(/\s+/);
  return new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('\\s+'), 'g');
}

/** How often the text to be altered occurs; anything but 1 means that the table has rotted. */
export function placesOf(text: string, { find }: Edit): number {
  return [...text.matchAll(expressionOf(find))].length;
}

/** The text with all edits made. @throws Error for one that has not exactly one place. */
export function altered(text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const edit of edits) {
    const places = placesOf(result, edit);
    if (places !== 1) throw new Error(`${edit.file} has ${places} places for: ${edit.find}`);
    result = result.replace(expressionOf(edit.find), () => edit.replace);
  }
  return result;
}
