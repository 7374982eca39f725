/**
 * How long a wallet has kept saying that it never saw a purchase's key, by this process's own clock. The journal's clock
 * tells the age of a purchase too, but it may have been set forward: then a call that has only just left would count as
 * one that can no longer arrive.
 */
import type { PurchaseId } from '../purchase/purchase.ts';
import type { DurationMs } from '../time.ts';

/** What this process has heard. */
export interface NeverSeen {
  /** The wallet said so to a question of this moment: the time since the first one to which it did; 0 for the first. */
  heard(id: PurchaseId, askedAtMs: number): DurationMs;
  /** It has said something else. */
  forget(id: PurchaseId): void;
}

/** Not asked here for so long: another node has gone on with it. A node that forgets only believes later. */
const FORGOTTEN_AFTER_MS: DurationMs = 2 * 3600 * 1000;

/** Nothing heard yet. Moments on the monotonic clock. */
export function createNeverSeen(): NeverSeen {
  /** The one asked last comes last. */
  const kept = new Map<PurchaseId, { readonly firstAtMs: number; readonly lastAtMs: number }>();

  function dropOld(nowMs: number): void {
    for (const [id, { lastAtMs }] of kept) {
      if (nowMs - lastAtMs < FORGOTTEN_AFTER_MS) return;
      kept.delete(id);
    }
  }

  return {
    heard: (id, askedAtMs) => {
      dropOld(askedAtMs);
      const firstAtMs = kept.get(id)?.firstAtMs ?? askedAtMs;
      kept.delete(id);
      kept.set(id, { firstAtMs, lastAtMs: askedAtMs });
      return Math.max(0, askedAtMs - firstAtMs);
    },
    forget: (id) => {
      kept.delete(id);
    },
  };
}
