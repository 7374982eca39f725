/**
 * A sequence that comes in chunks, read one by one: waiting only where a chunk has to be fetched.
 */

/** The next item, if it is here; `more` fetches the next chunk, false when there is none. */
export type Feed<Item> = {
  readonly peek: () => Item | undefined;
  readonly skip: () => void;
  readonly more: () => Promise<boolean>;
};

/** A feed over chunks. */
export function createFeed<Item>(chunks: AsyncIterable<readonly Item[]>): Feed<Item> {
  const iterator = chunks[Symbol.asyncIterator]();
  let chunk: readonly Item[] = [];
  let at = 0;
  return {
    peek: () => chunk[at],
    skip: () => {
      at += 1;
    },
    more: async () => {
      const next = await iterator.next();
      if (next.done === true) return false;
      chunk = next.value;
      at = 0;
      return true;
    },
  };
}
