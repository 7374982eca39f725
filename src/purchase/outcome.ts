/**
 * What a wallet's outcome means as an event (payment page, section 1). Null: still open, so the same question or call
 * is put again later under the same key.
 */
import type { DurationMs } from '../time.ts';
import type { PurchaseEvent } from './event.ts';
import type { Outcome } from './payment-port.ts';
import type { Purchase } from './purchase.ts';

/**
 * Of a call of `authorize`. A repeated call proves less than a first one: its refusal, like "no byte was sent", counts
 * only once a query confirms it, since the first transmission may have taken the money.
 */
export function eventOfAuthorize(outcome: Outcome, call: { isFirst: boolean; leftMs: DurationMs }): PurchaseEvent {
  switch (outcome.kind) {
    case 'done': {
      const { ref, holdExpiresInMs } = outcome;
      return { type: 'authorized', ref, holdExpiresInMs, leftMs: call.leftMs };
    }
    case 'declined':
      if (!call.isFirst) return { type: 'payment_unknown', ref: null };
      return { type: 'authorize_declined', code: outcome.code, leftMs: call.leftMs };
    case 'needs_validation':
      return validationRequired(outcome);
    case 'pending':
      return { type: 'payment_unknown', ref: outcome.ref };
    case 'unknown':
    case 'not_found':
      return { type: 'payment_unknown', ref: null };
  }
}

/** Of a call of `validate`. */
export function eventOfValidate(outcome: Outcome, leftMs: DurationMs): PurchaseEvent {
  switch (outcome.kind) {
    case 'done':
      return { type: 'validated', ref: outcome.ref, holdExpiresInMs: outcome.holdExpiresInMs, leftMs };
    case 'declined':
      return { type: 'authorize_declined', code: outcome.code, leftMs };
    case 'needs_validation':
      return validationRequired(outcome);
    case 'pending':
      return { type: 'payment_unknown', ref: outcome.ref };
    case 'unknown':
    case 'not_found':
      return { type: 'payment_unknown', ref: null };
  }
}

/** Of a query of the authorization: the sole authority after an open outcome. */
export function eventOfQuery(
  outcome: Outcome,
  read: { purchase: Purchase; leftMs: DurationMs; sinceConfirmedMs: DurationMs },
): PurchaseEvent | null {
  const { purchase, leftMs, sinceConfirmedMs } = read;
  switch (outcome.kind) {
    case 'done': {
      const type = purchase.state === 'validating' ? 'validated' : 'authorized';
      return { type, ref: outcome.ref, holdExpiresInMs: outcome.holdExpiresInMs, leftMs };
    }
    case 'declined':
      return { type: 'authorize_declined', code: outcome.code, leftMs };
    case 'needs_validation':
      // Asked already and nothing new: the request's own expiry, or the payer's next key, goes on from here.
      if (purchase.state === 'validating' && purchase.facts.validation?.triesLeft === outcome.triesLeft) return null;
      return validationRequired(outcome);
    case 'not_found':
      return { type: 'payment_not_found', leftMs, sinceConfirmedMs };
    case 'pending':
    case 'unknown':
      return null;
  }
}

function validationRequired(outcome: Extract<Outcome, { kind: 'needs_validation' }>): PurchaseEvent {
  const { ref, by, triesLeft, expiresInMs } = outcome;
  return { type: 'validation_required', ref, by, triesLeft, expiresInMs };
}
