import { expect } from 'chai';
import type { CheckName, Finding } from '../../src/audit/finding.ts';
import { type AuditedWorld, type Bought, openAuditedWorld, type Sql } from './audited-world.ts';

/** Lets the owner do what the guards refuse. */
async function unguarded(sql: Sql, ...tables: readonly string[]): Promise<void> {
  for (const table of tables) await sql`ALTER TABLE ${sql(table)} DISABLE TRIGGER USER`;
}

/** A refund that nobody asked for, past every guard. */
async function unaskedRefund(sql: Sql, id: string, amountMinor: number): Promise<void> {
  await unguarded(sql, 'refunds');
  await sql`INSERT INTO refunds (purchase_id, n, amount_minor, state, requested_by, reason, key)
    VALUES (${id}, 1, ${amountMinor}, 'settled', 'nobody', 'none', gen_random_uuid())`;
}

async function refundBy(sql: Sql, id: string, by: string, reason = 'given back by hand'): Promise<void> {
  await sql`INSERT INTO refunds (purchase_id, n, amount_minor, requested_by, reason, key)
    VALUES (${id}, 1, 100, ${by}, ${reason}, gen_random_uuid())`;
}

type Row = {
  readonly says: string;
  readonly where: 'journal' | 'ledger';
  readonly plant: (sql: Sql, bought: Bought) => Promise<unknown>;
  /** The purchase that a finding must name; null where it is about none. */
  readonly of: keyof Bought | null;
  readonly check: CheckName;
  readonly found: RegExp;
};

const rows: readonly Row[] = [
  {
    says: 'a state that no event led to',
    where: 'journal',
    plant: (sql, { settling }) =>
      sql`UPDATE purchases SET state = 'completed', ended_at = now(), deadline_at = NULL WHERE id = ${settling}`,
    of: 'settling',
    check: 'history',
    found: /^state completed$/,
  },
  {
    says: 'an event that is gone',
    where: 'journal',
    plant: async (sql, { completed }) => {
      await unguarded(sql, 'purchase_events');
      await sql`DELETE FROM purchase_events WHERE purchase_id = ${completed} AND version = 2`;
    },
    of: 'completed',
    check: 'history',
    found: /versions, from 1 to/,
  },
  {
    says: 'an event that no rule allows',
    where: 'journal',
    plant: async (sql, { declined }) => {
      await unguarded(sql, 'purchase_events');
      await sql`UPDATE purchase_events SET event = 'settled' WHERE purchase_id = ${declined} AND version = 2`;
    },
    of: 'declined',
    check: 'history',
    found: /^settled led from authorizing to declined$/,
  },
  {
    says: 'another price',
    where: 'journal',
    plant: (sql, { completed }) => sql`UPDATE purchases SET amount_minor = 600 WHERE id = ${completed}`,
    of: 'completed',
    check: 'terms',
    found: /^500 XOF at the wallet$/,
  },
  {
    says: 'another payer',
    where: 'journal',
    plant: (sql, { completed, declined }) =>
      sql`UPDATE purchases SET payer_id = (SELECT payer_id FROM purchases WHERE id = ${declined}) WHERE id = ${completed}`,
    of: 'completed',
    check: 'terms',
    found: /^paid by another number at the wallet$/,
  },
  {
    says: 'another operator',
    where: 'journal',
    plant: (sql, { completed }) =>
      sql`UPDATE purchases SET order_snapshot = order_snapshot || '{"operatorAccount":"OTHER"}' WHERE id = ${completed}`,
    of: 'completed',
    check: 'terms',
    found: /^paid to SNACKS at the wallet$/,
  },
  {
    says: 'a payer who paid twice',
    where: 'ledger',
    plant: (sql, { completed }) => sql`
      SELECT ledger.debit('relais', gen_random_uuid(), '', gen_random_uuid(), gen_random_uuid(), p.payer, p.operator, 500, 0, 'XOF', p.reference,
        '1000', 'again', false, 60000) FROM ledger.payment p WHERE p.reference = ${completed}`,
    of: 'completed',
    check: 'money',
    found: /^1000 XOF secured in 2 payments, 500 to the operator/,
  },
  {
    says: 'a reversal that is gone',
    where: 'ledger',
    plant: async (sql, { reversed }) => {
      await sql`UPDATE ledger.account a SET held = held + 500 FROM ledger.hold h WHERE h.payer = a.id AND h.reference = ${reversed}`;
      await sql`UPDATE ledger.hold SET state = 'active' WHERE reference = ${reversed}`;
    },
    of: 'reversed',
    check: 'money',
    found: /^500 XOF secured in 1 payment, 0 to the operator, 0 given back/,
  },
  {
    says: 'refunds above the price',
    where: 'journal',
    plant: (sql, { completed }) => unaskedRefund(sql, completed, 501),
    of: 'completed',
    check: 'refund',
    found: /^501 promised$/,
  },
  {
    says: 'a refund that the wallet does not know',
    where: 'journal',
    plant: (sql, { completed }) => unaskedRefund(sql, completed, 200),
    of: 'completed',
    check: 'refund',
    found: /^0 refunded at the wallet$/,
  },
  {
    says: 'a delivery for nothing',
    where: 'journal',
    plant: (sql, { declined }) => sql`INSERT INTO machine_statements (machine_id, order_seq, kind, purchase_id, content)
      SELECT machine_id, order_seq, 'success', id, '{"basis":null}' FROM purchases WHERE id = ${declined}`,
    of: 'declined',
    check: 'delivery',
    found: /^declined$/,
  },
  {
    says: 'a delivery of an order that only a declined purchase has',
    where: 'journal',
    plant: (sql, { declined }) => sql`INSERT INTO machine_statements (machine_id, order_seq, kind, content)
      SELECT machine_id, order_seq, 'success', '{"basis":null}' FROM purchases WHERE id = ${declined}`,
    of: 'declined',
    check: 'delivery',
    found: /the purchase of this order is declined$/,
  },
  {
    says: 'an effect that is gone',
    where: 'journal',
    plant: (sql, { settling }) => sql`DELETE FROM effects WHERE purchase_id = ${settling} AND kind = 'settle'`,
    of: 'settling',
    check: 'effects',
    found: /^no such effect$/,
  },
  {
    says: 'a purchase that is gone although it was paid',
    where: 'journal',
    plant: (sql, { completed }) => sql`DELETE FROM purchases WHERE id = ${completed}`,
    of: 'completed',
    check: 'unknown_purchase',
    found: /and no row$/,
  },
  {
    says: 'a purchase that is gone with all its lines',
    where: 'journal',
    plant: async (sql, { completedToo }) => {
      await unguarded(sql, 'purchase_events');
      await sql`DELETE FROM purchase_events WHERE purchase_id = ${completedToo}`;
      await sql`DELETE FROM purchases WHERE id = ${completedToo}`;
    },
    of: 'completedToo',
    check: 'unknown_money',
    found: /^500 XOF secured at the wallet, and no such purchase$/,
  },
  {
    says: 'money under a name that is no purchase',
    where: 'ledger',
    plant: (sql, { completed }) => sql`
      SELECT ledger.debit('relais', gen_random_uuid(), '', gen_random_uuid(), gen_random_uuid(), p.payer, p.operator, 300, 0, 'XOF', 'nobody',
        '1000', 'coins', false, 60000) FROM ledger.payment p WHERE p.reference = ${completed}`,
    of: null,
    check: 'unknown_money',
    found: /^300 XOF secured at the wallet/,
  },
  {
    says: 'sales figures that are off by one',
    where: 'journal',
    plant: (sql) => sql`UPDATE machine_days SET sold = sold + 1 WHERE machine_id = 'journey-1000'`,
    of: null,
    check: 'figures',
    found: /^2 sold, 500 in all;/,
  },
  {
    says: 'two purchases of one order',
    where: 'journal',
    plant: async (sql, { completed, completedToo }) => {
      await sql`DROP INDEX purchases_one_per_order`;
      await sql`UPDATE purchases p SET machine_id = q.machine_id, order_seq = q.order_seq FROM purchases q WHERE p.id = ${completedToo} AND q.id = ${completed}`;
    },
    of: 'completedToo',
    check: 'order',
    found: /^2 purchases: /,
  },
  {
    says: 'an order that could be bought again',
    where: 'journal',
    plant: (sql, { completed }) =>
      sql`WITH gone AS (DELETE FROM purchases WHERE id = ${completed} RETURNING *) INSERT INTO purchases_past SELECT * FROM gone`,
    of: null,
    check: 'floor',
    found: /^above 0$/,
  },
  {
    says: 'a doubt that no person would see',
    where: 'journal',
    plant: (sql, { settling }) =>
      sql`UPDATE purchases SET facts = facts || '{"attention":["in_doubt"]}' WHERE id = ${settling}`,
    of: 'settling',
    check: 'attention',
    found: /^none$/,
  },
  {
    says: 'a purchase of which nobody takes care',
    where: 'journal',
    plant: (sql, { settling }) =>
      sql`UPDATE purchases SET deadline_at = now() - interval '1 hour' WHERE id = ${settling}`,
    of: 'settling',
    check: 'stuck',
    found: /^settling, 60 min past its deadline$/,
  },
  {
    says: 'an effect of nobody',
    where: 'journal',
    plant: (sql, { settling }) =>
      sql`UPDATE effects SET purchase_id = overlay(purchase_id::text placing 'ffffffffffff' from 25)::uuid WHERE purchase_id = ${settling} AND kind = 'settle'`,
    of: null,
    check: 'orphan',
    found: /^none$/,
  },
  {
    says: 'an operator who has not got his money',
    where: 'ledger',
    plant: async (sql, { completed }) => {
      await sql`ALTER TABLE ledger.transfer DISABLE TRIGGER USER`;
      await sql`ALTER TABLE ledger.posting DISABLE TRIGGER USER`;
      await sql`DELETE FROM ledger.posting WHERE transfer IN (SELECT id FROM ledger.payment WHERE reference = ${completed})`;
      await sql`DELETE FROM ledger.transfer WHERE id IN (SELECT id FROM ledger.payment WHERE reference = ${completed})`;
      await sql`DELETE FROM ledger.payment WHERE reference = ${completed}`;
    },
    of: 'completed',
    check: 'money',
    found: /^500 XOF secured in 1 payment, 0 to the operator/,
  },
  {
    says: 'a word that was changed in what persons did',
    where: 'journal',
    plant: async (sql) => {
      await sql`INSERT INTO audit_log (actor, action, subject) VALUES ('awa', 'refund', 'one'), ('awa', 'refund', 'two')`;
      await unguarded(sql, 'audit_log');
      await sql`UPDATE audit_log SET actor = 'bintou' WHERE subject = 'one'`;
    },
    of: null,
    check: 'log',
    found: /^other words$/,
  },
  {
    says: 'a row that is gone from what persons did',
    where: 'journal',
    plant: async (sql) => {
      await sql`INSERT INTO audit_log (actor, action, subject) VALUES ('awa', 'refund', 'one'), ('awa', 'refund', 'two'), ('awa', 'refund', 'three')`;
      await unguarded(sql, 'audit_log');
      await sql`DELETE FROM audit_log WHERE subject = 'two'`;
    },
    of: null,
    check: 'log',
    found: /^number 3: rows are missing$/,
  },
  {
    says: 'a refund that was never written down as an act',
    where: 'journal',
    plant: async (sql, { completed }) => {
      await unguarded(sql, 'refunds');
      await refundBy(sql, completed, 'awa');
    },
    of: 'completed',
    check: 'log',
    found: /^none$/,
  },
  {
    says: 'that the newest act was cut off, by whatever name',
    where: 'journal',
    plant: async (sql, { completed }) => {
      await refundBy(sql, completed, 'relais');
      await unguarded(sql, 'audit_log');
      await sql`DELETE FROM audit_log WHERE subject = ${completed}`;
    },
    of: 'completed',
    check: 'log',
    found: /^none$/,
  },
  {
    says: 'a decision of a person that is not among the acts',
    where: 'journal',
    plant: async (sql, { completedToo }) => {
      await sql`INSERT INTO purchase_events (purchase_id, version, event, state, content, node)
        SELECT purchase_id, max(version) + 1, 'operator_confirmed', 'completed', '{"by":"awa"}', 'x'
        FROM purchase_events WHERE purchase_id = ${completedToo} GROUP BY 1`;
      await unguarded(sql, 'audit_log');
      await sql`UPDATE audit_log SET subject = 'another' WHERE subject = ${completedToo}`;
    },
    of: 'completedToo',
    check: 'log',
    found: /^none$/,
  },
  {
    says: 'a guard that is off',
    where: 'journal',
    plant: (sql) => sql`ALTER TABLE refunds DISABLE TRIGGER refunds_audited`,
    of: null,
    check: 'log',
    found: /^disabled$/,
  },
  {
    says: 'a guard that is off for a single day',
    where: 'journal',
    plant: async (sql) => {
      const [part] = await sql<{ name: string }[]>`SELECT inhrelid::regclass::text AS name FROM pg_inherits
        WHERE inhparent = 'purchase_events'::regclass LIMIT 1`;
      await sql`ALTER TABLE ${sql(part?.name ?? '')} DISABLE TRIGGER purchase_events_audited`;
    },
    of: null,
    check: 'log',
    found: /^disabled$/,
  },
  {
    says: 'a guard that is gone',
    where: 'journal',
    plant: (sql) => sql`DROP TRIGGER audit_log_not_emptied ON audit_log`,
    of: null,
    check: 'log',
    found: /^missing$/,
  },
];

describe('the audit', function () {
  this.timeout(60_000);
  let world: AuditedWorld;

  before(async function () {
    this.timeout(120_000);
    world = await openAuditedWorld();
  });
  after(() => world.stop());

  it('is silent where nothing was changed', async () => {
    expect(await world.findings()).to.deep.equal([]);
  });

  for (const row of rows) {
    it(`finds ${row.says}`, async () => {
      const findings = await world.afterPlanting(row.where, (sql) => row.plant(sql, world.bought));
      const purchaseId = row.of === null ? null : world.bought[row.of];
      const isIt = (one: Finding): boolean =>
        one.check === row.check && row.found.test(one.found) && (row.of === null || one.purchaseId === purchaseId);
      expect(findings.filter(isIt), JSON.stringify(findings, null, 1)).to.have.length(1);
    });
  }

  it('names the purchase by the reference that people know', async () => {
    const { completed } = world.bought;
    const findings = await world.afterPlanting(
      'journal',
      (sql) => sql`UPDATE purchases SET amount_minor = 600 WHERE id = ${completed}`,
    );
    expect(findings.find(({ check }) => check === 'terms')?.reference).to.equal(world.referenceOf(completed));
  });

  it('passes over what Relais itself gives back, which is no act of a person', async () => {
    const findings = await world.afterPlanting('journal', (sql) =>
      refundBy(sql, world.bought.completed, 'relais', 'paid_after_close'),
    );
    expect(findings.map(({ check }) => check)).to.not.include('log');
  });

  it('passes over an honest chain of what persons did', async () => {
    const findings = await world.afterPlanting(
      'journal',
      (sql) =>
        sql`INSERT INTO audit_log (actor, action, subject) VALUES ('awa', 'refund', 'one'), ('awa', 'refund', 'two')`,
    );
    expect(findings).to.deep.equal([]);
  });
});
