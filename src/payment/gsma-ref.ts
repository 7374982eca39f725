/**
 * The wallet reference of a GSMA connector: which kind of object secures the price, its name at the wallet, and the
 * request by which it came to be, while that one is still open. Made and read here only.
 */
import type { WalletRef } from '../purchase/payment-port.ts';

/** `tx`: a transaction; `code`: an authorisation code, which is a hold. `state`: serverCorrelationId, or null. */
export type GsmaRef = { readonly kind: 'tx' | 'code'; readonly id: string; readonly state: string | null };

/** At most 1024 characters: both names have at most 256, of which encoding may triple each. */
export function writeRef(ref: GsmaRef): WalletRef {
  const id = encodeURIComponent(ref.id);
  return ref.state === null ? `${ref.kind}:${id}` : `${ref.kind}:${id}:${encodeURIComponent(ref.state)}`;
}

/** Null for a reference that no GSMA connector wrote. */
export function readRef(text: WalletRef): GsmaRef | null {
  const parts = /^(tx|code):([^:]+)(?::([^:]+))?$/.exec(text);
  if (parts === null) return null;
  const [, kind, id, state] = parts;
  if ((kind !== 'tx' && kind !== 'code') || id === undefined) return null;
  return { kind, id: decodeURIComponent(id), state: state === undefined ? null : decodeURIComponent(state) };
}
