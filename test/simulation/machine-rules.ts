/**
 * What must hold of the machines: a good for money that is secured, once, in time, under one approval; and no statement
 * acknowledged that the journal does not have.
 */
import type { EffectKey } from '../../src/purchase/effect.ts';
import { statementName } from './journal-rules.ts';
import type { Drop, MachineNotes, StatementName } from './notes.ts';
import { isGivenUp, keptMinor, keyIn, orderName, type Pages } from './pages.ts';

/** The rules of the machines, as notes. */
export interface MachineRules extends MachineNotes {
  /** Statements that machines have on disk and that the journal has not yet. */
  owed(): number;
  checkAtRest(): void;
}

/** Creates the rules. `statements`: what the journal has of machines' statements, by name. */
export function createMachineRules(pages: Pages, statements: ReadonlySet<string>): MachineRules {
  const drops = new Map<string, number>();
  const approvals = new Map<string, EffectKey>();
  const unkept = new Map<string, string>();

  function isSecured(drop: Pick<Drop, 'machineId' | 'orderSeq' | 'approvalId'>, what: string): boolean {
    const name = orderName(drop.machineId, drop.orderSeq);
    const page = pages.holderOf(drop.machineId, drop.orderSeq);
    if (page === undefined) {
      pages.complain(null, `${name}: ${what}, and nobody has bought it`);
      return false;
    }
    if (keptMinor(page) !== page.purchase.order.price.minor && !page.isHoldLapsed && !isGivenUp(page)) {
      pages.complain(page, `${name}: ${what} with ${keptMinor(page)} secured`);
    }
    if (drop.approvalId !== null && drop.approvalId !== keyIn(page, 'approve', 1)) {
      pages.complain(page, `${name}: ${what} under an approval of another purchase`);
    }
    return true;
  }

  function checkInTime(drop: Omit<Drop, 'droppedAtMs'>): void {
    const waitedMs = drop.goAheadAtMs - drop.selectedAtMs;
    if (waitedMs <= drop.maxWaitMs) return;
    const name = orderName(drop.machineId, drop.orderSeq);
    pages.complain(
      null,
      `${name}: the go-ahead came ${waitedMs} ms after the selection, the machine waits ${drop.maxWaitMs}`,
    );
  }

  function approvalPut(machineId: string, orderSeq: number, approvalId: EffectKey): void {
    const name = orderName(machineId, orderSeq);
    const before = approvals.get(name);
    approvals.set(name, approvalId);
    if (before === approvalId) return;
    if (before !== undefined) pages.complain(null, `${name}: a second approval, ${approvalId} after ${before}`);
    const page = pages.holderOf(machineId, orderSeq);
    if (page === undefined) pages.complain(null, `${name}: an approval, and nobody has bought it`);
    else if (!page.intentions.has(approvalId)) pages.complain(page, `${name}: an approval that no commit has named`);
  }

  return {
    goAhead: (drop) => {
      isSecured(drop, 'told to deliver');
      checkInTime(drop);
    },
    dropped: (drop) => {
      const name = orderName(drop.machineId, drop.orderSeq);
      const times = (drops.get(name) ?? 0) + 1;
      drops.set(name, times);
      if (times > 1) pages.complain(null, `${name}: dropped ${times} times`);
      checkInTime(drop);
      if (!isSecured(drop, 'dropped')) return;
      const page = pages.holderOf(drop.machineId, drop.orderSeq);
      if (page === undefined) return;
      page.delivered += 1;
      pages.touch(page);
      const isGoingBack = page.purchase.state === 'reversing' || page.purchase.state === 'reversed';
      if (isGoingBack && !isGivenUp(page)) {
        pages.complain(page, `${name}: dropped after the money went back`);
      }
    },
    approvalPut,
    stated: (statement: StatementName) => {
      const name = statementName(statement);
      if (!statements.has(name)) unkept.set(name, statement.machineId);
    },
    acknowledged: (statement: StatementName) => {
      const name = statementName(statement);
      unkept.delete(name);
      if (!statements.has(name)) pages.complain(null, `${name}: acknowledged, and not in the journal`);
    },
    machineJournalLost: (machineId) => {
      for (const [name, owner] of unkept) if (owner === machineId) unkept.delete(name);
    },
    owed: () => unkept.size,
    checkAtRest: () => {
      for (const name of unkept.keys()) {
        pages.complain(
          null,
          `${name}: stated by the machine, never acknowledged${statements.has(name) ? '' : ', not in the journal'}`,
        );
      }
    },
  };
}
