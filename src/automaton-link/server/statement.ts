/**
 * A machine's final word on an order, translated for the journal: `vend.success`, `vend.failure`, `vend.closed`,
 * `vend.cancel`.
 */
import type { PurchaseEvent } from '../../purchase/event.ts';
import type { MachineStatement } from '../../purchase/store-port.ts';
import type { MachineCall } from './machine-connection.ts';

/** A call that is a statement. */
export type StatementCall = Extract<
  MachineCall,
  { action: 'vend.success' | 'vend.failure' | 'vend.closed' | 'vend.cancel' }
>;

/** What `Purchases.recordStatement` takes. */
export type Statement = {
  readonly statement: MachineStatement;
  readonly event: Extract<PurchaseEvent, { type: 'vend_succeeded' | 'vend_failed' | 'vend_closed' }>;
  readonly approvalId: string | null;
};

/** True for calls that are acknowledged only when they are recorded. */
export function isStatement(call: MachineCall): call is StatementCall {
  return call.action === 'vend.success' || call.action === 'vend.failure' || isClosing(call);
}

/** True for the statements that say: not delivered, and never will be. */
export function isClosing(call: MachineCall): call is Extract<MachineCall, { action: 'vend.closed' | 'vend.cancel' }> {
  return call.action === 'vend.closed' || call.action === 'vend.cancel';
}

/** The statement as the journal keeps it. Nothing of it can be about the payer: no message has a place for that. */
export function readStatement(machineId: string, call: StatementCall): Statement {
  const { orderSeq } = call.content;
  switch (call.action) {
    case 'vend.success': {
      const { amount, ...rest } = call.content;
      return {
        statement: { machineId, orderSeq, kind: 'success', content: { ...rest, amount: amount.toString() } },
        event: { type: 'vend_succeeded', basis: call.content.basis },
        approvalId: call.content.approvalId,
      };
    }
    case 'vend.failure':
      return {
        statement: { machineId, orderSeq, kind: 'failure', content: call.content },
        event: { type: 'vend_failed', code: call.content.code },
        approvalId: call.content.approvalId,
      };
    case 'vend.closed':
      return {
        statement: { machineId, orderSeq, kind: 'closed', content: call.content },
        event: { type: 'vend_closed', result: call.content.result },
        approvalId: null,
      };
    case 'vend.cancel':
      return {
        statement: { machineId, orderSeq, kind: 'closed', content: { ...call.content, result: 'canceled' } },
        event: { type: 'vend_closed', result: 'canceled' },
        approvalId: null,
      };
  }
}
