/**
 * Mistakes in the purchase, its journal and its workers.
 */
import type { Mutant } from './mutant.ts';

const CARRY_OUT = 'src/worker/carry-out.ts';
const COORDINATOR = 'src/purchase/coordinator.ts';
const TRANSITION = 'src/purchase/transition.ts';
const CLOSING = 'src/purchase/closing.ts';
const OUTCOME = 'src/purchase/outcome.ts';
const CONFIRM = 'src/purchase/confirm.ts';
const PURCHASES = 'src/purchase/purchases.ts';
const MEMORY_JOURNAL = 'test/support/memory-journal.ts';

/** Mistakes against the wallet: what is asked, under which key, and what its answer or silence means. */
const walletMutants: readonly Mutant[] = [
  {
    name: 'debit on retry with a new key',
    breaks: 'An authorize that is taken a second time is called again under another key, so the payer may pay twice.',
    edits: [
      { file: CARRY_OUT, find: 'if (leased.tries > 1) {', replace: 'if (false) {' },
      {
        file: CARRY_OUT,
        find: 'const outcome = await wallet.authorize({ key: leased.key,',
        replace:
          "const outcome = await wallet.authorize({ key: leased.tries > 1 ? deps.keyOf(purchase.id, 'authorize', leased.tries) : leased.key,",
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'authorize called again',
    breaks: 'An authorize that is taken a second time is called blindly, under the same key.',
    edits: [{ file: CARRY_OUT, find: 'if (leased.tries > 1) {', replace: 'if (false) {' }],
    caughtBy: 'simulation',
  },
  {
    name: 'timeout taken as decline',
    breaks: 'A wallet that does not answer an authorize is believed to have declined it.',
    edits: [
      {
        file: OUTCOME,
        find: 'export function eventOfAuthorize(outcome, call) {',
        replace: `export function eventOfAuthorize(outcome, call) {
          if (outcome.kind === 'unknown') {
            return { type: 'authorize_declined', code: 'wallet_unavailable', leftMs: call.leftMs };
          }`,
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'never seen taken as decline',
    breaks:
      'A wallet that does not know the key yet is believed to have declined, though the call is still on its way.',
    edits: [
      {
        file: OUTCOME,
        find: "return { type: 'payment_not_found', leftMs, sinceConfirmedMs };",
        replace: "return { type: 'authorize_declined', code: 'wallet_unavailable', leftMs };",
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'refused settlement not confirmed',
    breaks: 'A refusal to settle is believed without the query, though it may be about a call that was done.',
    edits: [
      {
        file: CARRY_OUT,
        find: "const outcome = await confirmed(deps, lease, called, () => wallet.query({ of: 'settle', key, terms, ref }));",
        replace: 'const outcome = called;',
      },
    ],
    caughtBy: 'test/worker/carry-out-wallet.test.ts',
  },
  {
    name: 'reversal without asking of the earlier ones',
    breaks: 'A next attempt to give back begins though an earlier one may have gone through after all.',
    edits: [{ file: CARRY_OUT, find: 'for (let n = 1; n < effect.n; n += 1) {', replace: 'for (const n of []) {' }],
    caughtBy: 'test/worker/carry-out-wallet.test.ts',
  },
  {
    name: 'reversal under a new key at each try',
    breaks: 'A reversal whose answer is lost is called again under another key.',
    edits: [
      {
        file: CARRY_OUT,
        find: 'const called = await wallet.reverse({ key: leased.key, terms, ref, authorizeKey: deps',
        replace:
          "const called = await wallet.reverse({ key: deps.keyOf(purchase.id, 'reverse', 1000 + leased.tries), terms, ref, authorizeKey: deps",
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'late success approved',
    breaks: 'Money that comes to light after the deadline leads to the machine, whose customer has gone.',
    edits: [
      {
        file: TRANSITION,
        find: 'if (facts.isLate || event.leftMs < rules.dispatchMarginMs) {',
        replace: 'if (false) {',
      },
    ],
    caughtBy: 'test/purchase/edges-wallet.test.ts',
  },
  {
    name: 'money after a decline kept',
    breaks: 'Money found secured on a declined purchase is not given back.',
    edits: [
      {
        file: TRANSITION,
        find: "return purchase.state === 'declined' ? { kind: 'refund_due', reason: 'paid_after_close' } : already;",
        replace: 'return already;',
      },
    ],
    caughtBy: 'test/purchase/edges-wallet.test.ts',
  },
  {
    name: 'receipt at the authorization',
    breaks: 'The payer gets a receipt before anything is delivered.',
    edits: [
      {
        file: TRANSITION,
        find: "planned: [{ effect: { kind: 'approve' }, dueInMs: 0 }],",
        replace:
          "planned: [{ effect: { kind: 'approve' }, dueInMs: 0 }, { effect: { kind: 'notify', template: 'receipt' }, dueInMs: 0 }],",
      },
    ],
    caughtBy: 'simulation',
  },
];

/** Mistakes against the machine's word. */
const deliveryMutants: readonly Mutant[] = [
  {
    name: 'refund on silence',
    breaks: 'A machine that has accepted and is silent is believed not to have delivered.',
    edits: [
      {
        file: TRANSITION,
        find: "return toReversing(purchase, `failed_${event.code}`, rules); case 'deadline_passed': return toInDoubt(purchase, rules);",
        replace:
          "return toReversing(purchase, `failed_${event.code}`, rules); case 'deadline_passed': return toReversing(purchase, 'machine_unreachable', rules);",
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'approval withdrawn that may have been sent',
    breaks: 'At the deadline the money goes back though the approval may be at the machine.',
    edits: [
      {
        file: 'src/worker/deadline-worker.ts',
        find: 'return approvals.length > 0 && approvals.every((each) => !each.maySent);',
        replace: 'return true;',
      },
      {
        file: TRANSITION,
        find: "return toReversing(purchase, 'machine_unreachable', rules, { onlyIfUnsent: true });",
        replace: "return toReversing(purchase, 'machine_unreachable', rules);",
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'result before the acceptance dropped',
    breaks: 'A delivery that is told before its acceptance was recorded is not taken.',
    edits: [
      {
        file: TRANSITION,
        find: "rules, { onlyIfUnsent: true }); case 'vend_succeeded':",
        replace: "rules, { onlyIfUnsent: true }); case 'vend_succeeded': return already; case 'never':",
      },
    ],
    caughtBy: 'test/purchase/edges-machine.test.ts',
  },
  {
    name: 'statement kept without its event',
    breaks: 'A result is stored and acknowledged, and the purchase never hears of it.',
    edits: [
      {
        file: PURCHASES,
        find: 'const applied = await deps.coordinator.apply(id, event, statement);',
        replace: "const applied = { kind: 'already' };",
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'contradicting result moves money',
    breaks: 'A machine that says "failed" after its "delivered" makes the money go back.',
    edits: [
      {
        file: CLOSING,
        find: "case 'vend_failed': case 'vend_closed': return noted('contradicting_result');",
        replace: "case 'vend_failed': case 'vend_closed': return toReversing(purchase, 'closed_by_machine', rules);",
      },
    ],
    caughtBy: 'test/purchase/transition.test.ts',
  },
  {
    name: 'late delivery takes the money again',
    breaks: 'A delivery told while the money goes back makes it be settled too.',
    edits: [
      {
        file: CLOSING,
        find: "case 'vend_succeeded': return noted('contradicting_result');",
        replace: "case 'vend_succeeded': return toSettling(purchase, null, rules);",
      },
    ],
    caughtBy: 'test/purchase/transition.test.ts',
  },
];

/** Mistakes about what is committed, when, and by whom. */
const journalMutants: readonly Mutant[] = [
  {
    name: 'commit without compare-and-set',
    breaks: 'A purchase is moved on from a state that another node has left already.',
    edits: [
      { file: MEMORY_JOURNAL, find: 'if (kept === undefined || !isCurrent)', replace: 'if (kept === undefined)' },
      {
        file: MEMORY_JOURNAL,
        find: "assert(entries.length === purchase.version - 1, 'one event per version');",
        replace: '',
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'carried out before the commit',
    breaks: 'The world is asked while the intention is still on its way to the journal.',
    edits: [
      {
        file: COORDINATOR,
        find: 'const answer = await deps.store.commit({',
        replace: `for (const row of planned) {
          if (row.isOwn) deps.run([ownEffect({ ...loaded, purchase: step.after }, row, sentAtMs + deps.leaseMs)]);
        }
        const answer = await deps.store.commit({`,
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'effect outside the commit',
    breaks:
      'The effect is written after the state that calls for it; a node that dies in between leaves nothing to do.',
    edits: [
      {
        file: COORDINATOR,
        find: 'deadline: step.deadline, planned,',
        replace: 'deadline: step.deadline, planned: [],',
      },
      {
        file: COORDINATOR,
        find: "if (committed !== 'committed') return committed;",
        replace: `if (committed !== 'committed') return committed;
          for (const row of planned) await deps.store.planQuery(id, row);`,
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'two purchases of one order',
    breaks: 'The journal lets a second purchase hold an order that is being paid.',
    edits: [
      {
        file: MEMORY_JOURNAL,
        find: "if (holder !== null) return { kind: 'order_taken', by: holder };",
        replace: '',
      },
    ],
    caughtBy: 'test/purchase/edges-house.test.ts',
  },
  {
    name: 'second yes begins a second purchase',
    breaks: 'A yes that comes again is a purchase of its own, since its name is not the one fixed with the claim.',
    edits: [
      {
        file: CONFIRM,
        find: "const known = taken?.kind === 'taken' ? null : await knownOf(deps, confirmation.purchaseId);",
        replace: `const known = null;
          if (taken?.kind !== 'taken') {
            confirmation = { ...confirmation, purchaseId: confirmation.purchaseId.replace(/^./, 'f') };
          }`,
      },
    ],
    caughtBy: 'test/purchase/edges-confirmation.test.ts',
  },
  {
    name: 'order read from the board again',
    breaks: 'The yes pays for what the board holds by then, not for what the payer was shown.',
    edits: [
      {
        file: CONFIRM,
        find: 'const taken = await take(deps, confirmation);',
        replace: `const seen = await deps.board.look(confirmation.machine.machineId).catch(() => null);
          if (seen !== null) confirmation = { ...confirmation, orderSeq: seen.orderSeq, order: seen.order };
          const taken = await take(deps, confirmation);`,
      },
    ],
    caughtBy: 'simulation',
  },
  {
    name: 'unanswered commit taken as none',
    breaks: 'A confirmation whose commit has no answer is believed not to have begun.',
    edits: [{ file: CONFIRM, find: "mayHaveBegun ||= error.happened === 'unknown';", replace: '' }],
    caughtBy: 'test/purchase/edges-house.test.ts',
  },
  {
    name: 'memory trusted for answers',
    breaks: 'A node says "nothing to do" by what it remembers of a purchase that another node has moved on.',
    edits: [{ file: COORDINATOR, find: "if (isRemembered && decision?.kind !== 'step')", replace: 'if (false)' }],
    caughtBy: 'test/purchase/coordinator.test.ts',
  },
];

/** Mistakes about leases: who may still act. */
const leaseMutants: readonly Mutant[] = [
  {
    name: 'lease without fencing',
    breaks: 'A node that lost its lease puts off, or keeps, an effect that another has taken.',
    edits: [
      {
        file: MEMORY_JOURNAL,
        find: 'return kept?.tries === tries && kept.leaseOwner === this.#deps.node ? kept : null;',
        replace: 'return kept ?? null;',
      },
    ],
    caughtBy: 'test/worker/races.test.ts',
  },
  {
    name: 'end of the lease ignored',
    breaks: 'A node that stalled goes on with an effect whose lease is over.',
    edits: [
      {
        file: 'src/worker/lease.ts',
        find: 'const covers = (budgetMs) => endsAtMs - clock.now() >= budgetMs;',
        replace: 'const covers = () => true;',
      },
    ],
    caughtBy: 'test/worker/left-behind.test.ts',
  },
];

/** All of them. */
export const moneyMutants: readonly Mutant[] = [
  ...walletMutants,
  ...deliveryMutants,
  ...journalMutants,
  ...leaseMutants,
];
