/**
 * Mistakes at the machine, on its link, on the order board and in what phones are told.
 */
import type { Mutant } from './mutant.ts';

const DESK = 'src/automaton-link/agent/order-desk.ts';
const ORDER = 'src/automaton-link/agent/order.ts';
const CALLS = 'src/automaton-link/server/machine-calls.ts';

const agentMutants: readonly Mutant[] = [
  {
    name: 'journal after the delivery',
    breaks:
      'The machine writes the approval down when the good has dropped; a power cut in between makes it say "not delivered".',
    edits: [
      {
        file: DESK,
        find: 'if (!this.#isWritten((journal) => journal.approve(orderSeq, approvalId, amount))) {',
        replace: 'live.approval = approval; if (false) {',
      },
      { file: DESK, find: 'if (!this.#isWritten((journal) => journal.deliver(orderSeq))) {', replace: 'if (false) {' },
      {
        file: DESK,
        find: 'const record = this.#deps.journal.find(live.seq);',
        replace: `if (live.approval !== undefined) {
            this.#isWritten((journal) => journal.approve(live.seq, live.approval.approvalId, live.approval.amount));
            this.#isWritten((journal) => journal.deliver(live.seq));
          }
          const record = this.#deps.journal.find(live.seq);`,
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'idempotency on the message id',
    breaks: 'The machine takes an approval that is said again, in a message of its own, for another one.',
    edits: [
      {
        file: ORDER,
        find: "return { kind: 'duplicate', state: record.state };",
        replace: "return { kind: 'accepted' };",
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'approval id not looked at',
    breaks: 'The machine answers a second approval of an order as if it were the first.',
    edits: [{ file: ORDER, find: 'if (record.approval.id !== approval.approvalId)', replace: 'if (false)' }],
    caughtBy: 'test/automaton-link/agent.test.ts',
  },
  {
    name: 'no deadline at the machine',
    breaks: 'The machine delivers whenever an approval comes, though its customer has waited his time.',
    edits: [
      { file: DESK, find: "clock.after(maxWaitMs, () => this.close('expired'));", replace: '() => undefined;' },
      { file: ORDER, find: 'function isLate(trial, live) {', replace: 'function isLate(trial, live) { return false;' },
      {
        file: ORDER,
        find: 'return live.selectedAtMs + live.maxWaitMs - nowMs < goAheadMarginMs;',
        replace: 'return false;',
      },
    ],
    caughtBy: 'test/automaton-link/agent.test.ts',
  },
  {
    name: 'expiry read from the wall clock',
    breaks: 'The machine reads from a clock that can be set whether its customer still waits.',
    edits: [
      { file: DESK, find: "clock.after(maxWaitMs, () => this.close('expired'));", replace: '() => undefined;' },
      {
        file: DESK,
        find: 'if (isTooLateToGo(live, clock.now())) {',
        replace: 'if (isTooLateToGo(live, clock.wall())) {',
      },
      {
        file: ORDER,
        find: 'const deadlineMs = live.selectedAtMs + live.maxWaitMs - trial.vmcMarginMs; if (trial.nowMs >= deadlineMs)',
        replace:
          'const deadlineMs = live.selectedWallMs + live.maxWaitMs - trial.vmcMarginMs; if (trial.wallMs >= deadlineMs)',
      },
      { file: ORDER, find: 'return driftMs > maxDriftMs;', replace: 'return false;' },
      {
        file: ORDER,
        find: 'return live.selectedAtMs + live.maxWaitMs - nowMs < goAheadMarginMs;',
        replace: 'return live.selectedWallMs + live.maxWaitMs - nowMs < goAheadMarginMs;',
      },
    ],
    caughtBy: 'test/automaton-link/agent.test.ts',
  },
  {
    name: 'delivery under way forgotten at boot',
    breaks: 'A machine whose power was cut while it delivered says that it never began.',
    edits: [
      {
        file: DESK,
        find: "journal.finish(seq, { state: 'presumed', basis: 'reboot' });",
        replace: "journal.finish(seq, { state: 'failed', code: 'not_started' });",
      },
    ],
    caughtBy: 'simulation',
  },
];

const serverMutants: readonly Mutant[] = [
  {
    name: 'acknowledged before the commit',
    breaks: 'The machine hears that its result is recorded before the journal has it.',
    edits: [
      {
        file: CALLS,
        find: 'const outcome = await deps.purchases.recordStatement(readStatement(machineId, call));',
        replace: `if (call.action !== 'vend.cancel') once(() => call.answer({ kind: 'result', result: {} }));
          const outcome = await deps.purchases.recordStatement(readStatement(machineId, call));`,
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'approval under a new id each time',
    breaks: 'An approval that is said again has another id, so that the machine takes it for another approval.',
    edits: [
      {
        file: 'src/automaton-link/server/machine-link.ts',
        find: 'orderId: order.orderId, approvalId,',
        replace: 'orderId: order.orderId, approvalId: this.#deps.newId(),',
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'claim released by the wrong dialog',
    breaks: 'A dialog that ends frees an order that another payer holds.',
    edits: [
      {
        file: 'test/support/memory-order-board.ts',
        find: "if (kept === undefined || kept.holder !== purchaseId || kept.state === 'closed')",
        replace: "if (kept === undefined || kept.state === 'closed')",
      },
    ],
    caughtBy: 'test/order-board/memory-order-board.test.ts',
  },
  {
    name: '"nothing debited" while it is unknown',
    breaks: 'A payer whose wallet is silent hears that his payment was declined.',
    edits: [
      {
        file: 'src/ussd/screens.ts',
        find: "case 'authorizing': return tell('in_progress');",
        replace: "case 'authorizing': return tell('declined');",
      },
    ],
    caughtBy: 'simulation',
  },
];

/** All of them. */
export const linkMutants: readonly Mutant[] = [...agentMutants, ...serverMutants];
