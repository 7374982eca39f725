/**
 * What the books are told, taken down in the trace as well.
 */
import type { PurchaseId } from '../../src/purchase/purchase.ts';
import type { Notes } from './notes.ts';
import type { Trace } from './trace.ts';

/** Those who look at what happens: people at the desk. */
export type Witness = {
  readonly dropped: (machineId: string, orderSeq: number) => void;
  readonly doubtful: (id: PurchaseId) => void;
};

/** The same notes, each with its line. */
export function traced(notes: Notes, trace: Trace, seen: Witness): Notes {
  return {
    ...notes,
    begun: (node, commit, answer) => {
      const { id, order, reference } = commit.purchase;
      trace.line(node, `begin ${id} ${order.machineId}/${order.orderSeq} ${reference}: ${answer.kind}`);
      notes.begun(node, commit, answer);
    },
    committed: (node, commit, answer) => {
      const { before, after, event } = commit;
      trace.line(
        node,
        `commit ${after.id} v${after.version} ${before.state} ${event.type} ${after.state}: ${answer.kind}`,
      );
      if (after.state === 'in_doubt' && before.state !== 'in_doubt') seen.doubtful(after.id);
      notes.committed(node, commit, answer);
    },
    statementKept: (node, statement, id, opened) => {
      const { machineId, orderSeq, kind } = statement;
      trace.line(node, `statement ${machineId}/${orderSeq} ${kind} kept for ${id} ${opened.join(' ')}`);
      notes.statementKept(node, statement, id, opened);
    },
    queryPlanned: (node, id, row) => {
      trace.line(node, `query planned ${id}`);
      notes.queryPlanned(node, id, row);
    },
    refundRecorded: (node, commit, answer) => {
      trace.line(node, `refund ${commit.purchaseId} ${commit.n}: ${answer}`);
      notes.refundRecorded(node, commit, answer);
    },
    refundSettled: (node, id, n) => {
      trace.line(node, `refund settled ${id} ${n}`);
      notes.refundSettled(node, id, n);
    },
    caseOpened: (node, id, attention) => {
      trace.line(node, `case ${id} ${attention}`);
      notes.caseOpened(node, id, attention);
    },
    effectFinished: (node, id, key) => {
      trace.line(node, `effect finished ${id} ${key}`);
      notes.effectFinished(node, id, key);
    },
    walletCalled: (node, call) => {
      trace.line(node, `asks the wallet: ${call.verb} ${call.purchaseId} ${call.key}`);
      notes.walletCalled(node, call);
    },
    moneyMoved: (movement) => {
      trace.line('wallet', `${movement.kind} ${movement.amountMinor} ${movement.purchaseId}`);
      notes.moneyMoved(movement);
    },
    dropped: (drop) => {
      seen.dropped(drop.machineId, drop.orderSeq);
      trace.line('hardware', `dropped ${drop.machineId}/${drop.orderSeq} `);
      notes.dropped(drop);
    },
    noticed: (node, notice, outcome) => {
      trace.line(node, `notice ${notice.purchaseId} ${notice.template}: ${outcome}`);
      notes.noticed(node, notice, outcome);
    },
  };
}
