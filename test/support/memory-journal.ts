/**
 * The purchase journal in memory: what PostgreSQL would do, one call at a time. Held to the contract of
 * `test/store/store.contract.ts`; each method does its work without awaiting, so it is one transaction.
 */
import type { EffectKey, LeasedEffect } from '../../src/purchase/effect.ts';
import { isMachineEffect } from '../../src/purchase/effect.ts';
import { isEnded, type MachineId, type Purchase, type PurchaseId } from '../../src/purchase/purchase.ts';
import type {
  BeginCommit,
  Begun,
  Commit,
  Committed,
  EffectRow,
  JournalEntry,
  Loaded,
  MachineStatement,
  PurchaseStore,
} from '../../src/purchase/store-port.ts';
import { assert } from '../../src/result.ts';
import { eventJson } from '../../src/store/record.ts';
import type { Clock, DurationMs } from '../../src/time.ts';
import type { KeptEffect, KeptFigures, KeptPurchase, MemoryTables } from './memory-tables.ts';

/** What a node's journal in memory needs. */
export type MemoryJournalDeps = {
  readonly tables: MemoryTables;
  readonly node: string;
  readonly clock: Clock;
  readonly leaseMs: DurationMs;
  /** Called first by each method: throws when the journal is out of reach. */
  readonly reach: () => void;
  readonly onCommit: (kind: 'flushed' | 'lazy') => void;
};

const effectName = (id: PurchaseId, key: EffectKey): string => `${id}/${key}`;
const statementName = (s: MachineStatement): string => `${s.machineId}/${s.orderSeq}/${s.kind}`;
const statementKinds: readonly MachineStatement['kind'][] = ['success', 'failure', 'closed'];

/** One node's view of the tables. */
export class MemoryJournal implements PurchaseStore {
  readonly #deps: MemoryJournalDeps;
  readonly #tables: MemoryTables;

  constructor(deps: MemoryJournalDeps) {
    this.#deps = deps;
    this.#tables = deps.tables;
  }

  get #now(): number {
    return this.#deps.clock.now();
  }

  #loaded(kept: KeptPurchase | undefined): Loaded | null {
    if (kept === undefined) return null;
    const { purchase, deadlineAt, confirmedAt, endedAt } = kept;
    return {
      purchase,
      leftMs: deadlineAt === null ? null : deadlineAt - this.#now,
      sinceConfirmedMs: this.#now - confirmedAt,
      sinceEndedMs: endedAt === null ? null : this.#now - endedAt,
    };
  }

  #holder(machineId: MachineId, orderSeq: number): KeptPurchase | undefined {
    const holds = ({ purchase: { order, state } }: KeptPurchase): boolean =>
      order.machineId === machineId && order.orderSeq === orderSeq && state !== 'declined';
    return [...this.#tables.purchases.values()].find(holds) ?? [...this.#tables.past.values()].find(holds);
  }

  #plan(purchase: Purchase, row: EffectRow): void {
    const { node, leaseMs } = this.#deps;
    const name = effectName(purchase.id, row.key);
    const before = this.#tables.effects.get(name);
    this.#tables.effects.set(name, {
      purchaseId: purchase.id,
      key: row.key,
      effect: row.effect,
      tries: row.isOwn ? 1 : 0,
      maySent: before?.maySent === true || (row.isOwn && row.effect.kind === 'approve'),
      dueAt: this.#now + (row.isOwn ? leaseMs : row.dueInMs),
      leaseOwner: row.isOwn ? node : null,
      machineId: isMachineEffect(row.effect) ? purchase.order.machineId : null,
    });
  }

  #write(purchase: Purchase, event: BeginCommit['event'] | Commit['event']): void {
    const entries = this.#tables.events.get(purchase.id) ?? [];
    assert(entries.length === purchase.version - 1, 'one event per version');
    this.#tables.events.set(purchase.id, entries);
    entries.push({
      purchaseId: purchase.id,
      version: purchase.version,
      event: event.type,
      state: purchase.state,
      at: this.#deps.clock.wall(),
      node: this.#deps.node,
      content: eventJson(event) as JournalEntry['content'],
    });
  }

  #setCase(purchaseId: PurchaseId, kind: string, isOpen: boolean): void {
    const name = `${purchaseId}/${kind}`;
    if (isOpen || this.#tables.cases.has(name)) this.#tables.cases.set(name, { purchaseId, kind, isOpen });
  }

  #count({ order, state }: Purchase): void {
    const { machineId, price } = order;
    const none: KeptFigures = { sold: 0, soldMinor: 0n, reversed: 0, reversedMinor: 0n, declined: 0 };
    const day = this.#tables.figures.get(machineId) ?? none;
    this.#tables.figures.set(machineId, day);
    if (state === 'completed') {
      day.sold += 1;
      day.soldMinor += price.minor;
    } else if (state === 'reversed') {
      day.reversed += 1;
      day.reversedMinor += price.minor;
    } else day.declined += 1;
  }

  async begin(commit: BeginCommit): Promise<Begun> {
    this.#deps.reach();
    const { purchase, event, effects, deadlineMs } = commit;
    const { machineId, orderSeq } = purchase.order;
    assert(purchase.version === 1, 'a purchase begins with version 1');
    const own = this.#loaded(this.#tables.find(purchase.id));
    if (own !== null) return { kind: 'exists', loaded: own };
    const holder = this.#loaded(this.#holder(machineId, orderSeq));
    if (holder !== null) return { kind: 'order_taken', by: holder };
    const machine = this.#tables.machines.get(machineId);
    if (machine === undefined) return { kind: 'machine_unknown' };
    if (machine.isSuspended) return { kind: 'machine_suspended' };
    const isStated = statementKinds.some((kind) => this.#tables.statements.has(`${machineId}/${orderSeq}/${kind}`));
    if (machine.seqFloor >= orderSeq || isStated) return { kind: 'order_over' };
    const confirmedAt = this.#now;
    this.#tables.purchases.set(purchase.id, {
      purchase,
      deadlineAt: confirmedAt + deadlineMs,
      confirmedAt,
      endedAt: null,
    });
    this.#write(purchase, event);
    for (const row of effects) this.#plan(purchase, row);
    this.#deps.onCommit('flushed');
    return { kind: 'begun' };
  }

  async load(id: PurchaseId): Promise<Loaded | null> {
    this.#deps.reach();
    return this.#loaded(this.#tables.find(id));
  }

  async commit(commit: Commit): Promise<Committed> {
    this.#deps.reach();
    const { before, after, statement, onlyIfUnsent, isLazy } = commit;
    assert(
      after.id === before.id && after.version === before.version + 1,
      'a commit moves one purchase by one version',
    );
    const kept = this.#tables.purchases.get(before.id);
    const isCurrent = kept?.purchase.version === before.version && kept.purchase.state === before.state;
    if (kept === undefined || !isCurrent) return { kind: 'lost_race' };
    const unsent = onlyIfUnsent === null ? null : this.#tables.effects.get(effectName(before.id, onlyIfUnsent));
    if (unsent === undefined || unsent?.maySent === true) return { kind: 'lost_race' };
    if (statement !== null && this.#tables.statements.has(statementName(statement))) return { kind: 'statement_known' };
    this.#move(kept, commit);
    this.#schedule(commit);
    if (statement !== null) this.#tables.statements.set(statementName(statement), statement);
    for (const kind of commit.opened) this.#setCase(before.id, kind, true);
    for (const kind of commit.closed) this.#setCase(before.id, kind, false);
    if (isEnded(after)) this.#count(after);
    this.#deps.onCommit(isLazy ? 'lazy' : 'flushed');
    return { kind: 'committed' };
  }

  #move(kept: KeptPurchase, { after, event, deadline }: Commit): void {
    const deadlineAt = deadline === 'keep' ? kept.deadlineAt : deadline === null ? null : this.#now + deadline;
    assert((deadlineAt === null) === isEnded(after), 'a live purchase has a deadline, an ended one has none');
    const { confirmedAt } = kept;
    const endedAt = isEnded(after) ? this.#now : null;
    this.#tables.purchases.set(after.id, { purchase: after, deadlineAt, confirmedAt, endedAt });
    this.#write(after, event);
  }

  #schedule({ after, planned, dropped, rescheduled, onlyIfUnsent }: Commit): void {
    const { effects } = this.#tables;
    const again = new Set(planned.map((row) => row.key));
    for (const key of dropped) if (!again.has(key)) effects.delete(effectName(after.id, key));
    if (onlyIfUnsent !== null) effects.delete(effectName(after.id, onlyIfUnsent));
    for (const row of planned) this.#plan(after, row);
    for (const { key, dueInMs } of rescheduled) {
      const effect = effects.get(effectName(after.id, key));
      if (effect === undefined || again.has(key)) continue;
      effects.set(effectName(after.id, key), { ...effect, dueAt: this.#now + dueInMs, leaseOwner: null });
    }
  }

  async keepStatement(...[statement, purchaseId, opened]: Parameters<PurchaseStore['keepStatement']>): Promise<void> {
    this.#deps.reach();
    assert(purchaseId !== null || opened.length === 0, 'a case belongs to a purchase');
    if (this.#tables.statements.has(statementName(statement))) return;
    this.#tables.statements.set(statementName(statement), statement);
    for (const kind of opened) if (purchaseId !== null) this.#setCase(purchaseId, kind, true);
    this.#deps.onCommit('flushed');
  }

  async planQuery(id: PurchaseId, effect: EffectRow): Promise<void> {
    this.#deps.reach();
    const kept = this.#tables.find(id);
    if (kept === undefined) return;
    const name = effectName(id, effect.key);
    const before = this.#tables.effects.get(name);
    if (before === undefined) this.#plan(kept.purchase, effect);
    else {
      const dueAt = Math.min(before.dueAt, this.#now + effect.dueInMs);
      this.#tables.effects.set(name, { ...before, dueAt, leaseOwner: null, tries: before.tries + 1 });
    }
    this.#deps.onCommit('flushed');
  }

  async refund(change: Parameters<PurchaseStore['refund']>[0]): ReturnType<PurchaseStore['refund']> {
    this.#deps.reach();
    const { purchaseId, n, amountMinor, effect, opened } = change;
    const name = `${purchaseId}/${n}`;
    const kept = this.#tables.find(purchaseId);
    const others = [...this.#tables.refunds.values()].filter((r) => r.purchaseId === purchaseId && r.n !== n);
    const sum = others.reduce((total, refund) => total + refund.amountMinor, amountMinor);
    if (kept === undefined || sum > kept.purchase.order.price.minor) return 'above_price';
    if (this.#tables.refunds.has(name)) return 'exists';
    this.#tables.refunds.set(name, { purchaseId, n, amountMinor, key: effect.key, state: 'pending' });
    this.#plan(kept.purchase, effect);
    for (const kind of opened) this.#setCase(purchaseId, kind, true);
    this.#deps.onCommit('flushed');
    return 'recorded';
  }

  async refundSettled(id: PurchaseId, n: number): Promise<void> {
    this.#deps.reach();
    const refund = this.#tables.refunds.get(`${id}/${n}`);
    if (refund === undefined || refund.state === 'settled') return;
    this.#tables.refunds.set(`${id}/${n}`, { ...refund, state: 'settled' });
    this.#tables.effects.delete(effectName(id, refund.key));
    this.#deps.onCommit('flushed');
  }

  async openCase(id: PurchaseId, attention: Parameters<PurchaseStore['openCase']>[1]): Promise<void> {
    this.#deps.reach();
    if (this.#tables.find(id) === undefined || this.#tables.cases.get(`${id}/${attention}`)?.isOpen === true) return;
    this.#setCase(id, attention, true);
    this.#deps.onCommit('flushed');
  }

  #take(isWanted: (effect: KeptEffect) => boolean, limit: number, leaseMs: DurationMs): readonly LeasedEffect[] {
    const wanted = [...this.#tables.effects.values()].filter(isWanted).sort((a, b) => a.dueAt - b.dueAt);
    const taken = wanted.slice(0, limit).map((effect): LeasedEffect => {
      const maySent = effect.maySent || effect.effect.kind === 'approve';
      const dueAt = this.#now + leaseMs;
      const held = { ...effect, maySent, tries: effect.tries + 1, dueAt, leaseOwner: this.#deps.node };
      this.#tables.effects.set(effectName(effect.purchaseId, effect.key), held);
      return this.#leased(held, effect.maySent);
    });
    if (taken.length > 0) this.#deps.onCommit('flushed');
    return taken;
  }

  #leased(kept: KeptEffect, maySentBefore: boolean): LeasedEffect {
    const { purchaseId, key, effect, tries, maySent, dueAt } = kept;
    return { purchaseId, key, effect, tries, maySent, maySentBefore, leaseLeftMs: dueAt - this.#now };
  }

  /** The row, if this node holds it under this fence. */
  #held({ purchaseId, key, tries }: LeasedEffect): KeptEffect | null {
    const kept = this.#tables.effects.get(effectName(purchaseId, key));
    return kept?.tries === tries && kept.leaseOwner === this.#deps.node ? kept : null;
  }

  async takeDue(limit: number, leaseMs: DurationMs): Promise<readonly LeasedEffect[]> {
    this.#deps.reach();
    return this.#take((effect) => effect.machineId === null && effect.dueAt <= this.#now, limit, leaseMs);
  }

  async takeForMachines(
    ...[machineIds, limit, leaseMs]: Parameters<PurchaseStore['takeForMachines']>
  ): Promise<readonly LeasedEffect[]> {
    this.#deps.reach();
    const isOthers = ({ leaseOwner }: KeptEffect): boolean => leaseOwner !== null && leaseOwner !== this.#deps.node;
    const isWanted = (effect: KeptEffect): boolean =>
      effect.machineId !== null &&
      machineIds.includes(effect.machineId) &&
      (effect.dueAt <= this.#now || isOthers(effect));
    return this.#take(isWanted, limit, leaseMs);
  }

  async reschedule(...[effect, dueInMs, , sent]: Parameters<PurchaseStore['reschedule']>): Promise<boolean> {
    this.#deps.reach();
    const kept = this.#held(effect);
    if (kept === null) return false;
    const maySent = kept.maySent && (sent !== 'provably_not' || effect.maySentBefore);
    const row = { ...kept, maySent, dueAt: this.#now + dueInMs, leaseOwner: null };
    this.#tables.effects.set(effectName(effect.purchaseId, effect.key), row);
    this.#deps.onCommit('flushed');
    return true;
  }

  async keepLease(effect: LeasedEffect, leaseMs: DurationMs): Promise<boolean> {
    this.#deps.reach();
    const kept = this.#held(effect);
    if (kept === null) return false;
    this.#tables.effects.set(effectName(effect.purchaseId, effect.key), { ...kept, dueAt: this.#now + leaseMs });
    this.#deps.onCommit('flushed');
    return true;
  }

  async finish(id: PurchaseId, key: EffectKey, tries?: number): Promise<void> {
    this.#deps.reach();
    const name = effectName(id, key);
    if (tries !== undefined && this.#tables.effects.get(name)?.tries !== tries) return;
    if (this.#tables.effects.delete(name)) this.#deps.onCommit('lazy');
  }

  async effectsOf(id: PurchaseId): Promise<readonly LeasedEffect[]> {
    this.#deps.reach();
    const own = [...this.#tables.effects.values()].filter((effect) => effect.purchaseId === id);
    return own.map((effect) => this.#leased(effect, effect.maySent));
  }

  #liveWhere(isWanted: (kept: KeptPurchase) => boolean): KeptPurchase[] {
    return [...this.#tables.purchases.values()].filter((kept) => kept.endedAt === null && isWanted(kept));
  }

  #views(kept: readonly KeptPurchase[]): readonly Loaded[] {
    return kept.map((one) => this.#loaded(one)).filter((one) => one !== null);
  }

  async pastDeadline(limit: number): Promise<readonly Loaded[]> {
    this.#deps.reach();
    const due = this.#liveWhere(({ deadlineAt }) => deadlineAt !== null && deadlineAt <= this.#now);
    return this.#views(due.sort((a, b) => (a.deadlineAt ?? 0) - (b.deadlineAt ?? 0)).slice(0, limit));
  }

  async putOffDeadline(id: PurchaseId, version: number, byMs: DurationMs): Promise<void> {
    this.#deps.reach();
    const kept = this.#tables.purchases.get(id);
    if (kept === undefined || kept.purchase.version !== version || kept.deadlineAt === null) return;
    this.#tables.purchases.set(id, { ...kept, deadlineAt: this.#now + byMs });
    this.#deps.onCommit('flushed');
  }

  async ofOrder(machineId: MachineId, orderSeq: number): Promise<Loaded | null> {
    this.#deps.reach();
    return this.#loaded(this.#holder(machineId, orderSeq));
  }

  async liveOfMachine(machineId: MachineId): Promise<readonly Loaded[]> {
    this.#deps.reach();
    const live = this.#liveWhere(({ purchase }) => purchase.order.machineId === machineId);
    return this.#views(live.sort((a, b) => a.purchase.order.orderSeq - b.purchase.order.orderSeq));
  }

  async seqFloorOf(machineId: MachineId): Promise<number> {
    this.#deps.reach();
    const own = [...this.#tables.purchases.values()].filter(({ purchase }) => purchase.order.machineId === machineId);
    const floor = this.#tables.machines.get(machineId)?.seqFloor ?? 0;
    return Math.max(floor, ...own.map(({ purchase }) => purchase.order.orderSeq));
  }

  async recentOfPayer(
    ...[payerId, withinMs, limit]: Parameters<PurchaseStore['recentOfPayer']>
  ): Promise<readonly Loaded[]> {
    this.#deps.reach();
    const now = this.#now;
    const own: KeptPurchase[] = [];
    for (const table of [this.#tables.purchases, this.#tables.past]) {
      for (const kept of table.values())
        if (kept.purchase.payerId === payerId && now - kept.confirmedAt <= withinMs) own.push(kept);
    }
    const newestFirst = own.sort((a, b) => b.confirmedAt - a.confirmedAt || (a.purchase.id < b.purchase.id ? 1 : -1));
    return this.#views(newestFirst.slice(0, limit));
  }

  /** Moves what ended longer than `hotMs` ago; answers how many. */
  movePast(limit: number, hotMs: DurationMs): number {
    this.#deps.reach();
    const ended = [...this.#tables.purchases.values()].filter(
      ({ endedAt }) => endedAt !== null && endedAt <= this.#now - hotMs,
    );
    const gone = ended.sort((a, b) => (a.endedAt ?? 0) - (b.endedAt ?? 0)).slice(0, limit);
    for (const kept of gone) {
      const { id, order } = kept.purchase;
      this.#tables.purchases.delete(id);
      this.#tables.past.set(id, kept);
      const machine = this.#tables.machines.get(order.machineId);
      if (machine !== undefined) machine.seqFloor = Math.max(machine.seqFloor, order.orderSeq);
    }
    if (gone.length > 0) this.#deps.onCommit('flushed');
    return gone.length;
  }
}
