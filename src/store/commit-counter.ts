/**
 * The count of transactions that wrote something, told apart by whether their caller waited for the disk.
 */

/** `flushed`: answered after the write-ahead log was on disk; `lazy`: visible at once, on disk a moment later. */
export type CommitKind = 'flushed' | 'lazy';

/** Tells about each transaction that changed a row; a statement that changed none waits for no disk. */
export type CommitCounter = {
  flushed(changed: readonly unknown[]): void;
  lazy(changed: readonly unknown[]): void;
};

/** Passes on to `onCommit`, if there is anybody. */
export function createCommitCounter(onCommit: ((kind: CommitKind) => void) | undefined): CommitCounter {
  const count = (kind: CommitKind, changed: readonly unknown[]): void => {
    if (changed.length > 0) onCommit?.(kind);
  };
  return { flushed: (changed) => count('flushed', changed), lazy: (changed) => count('lazy', changed) };
}
