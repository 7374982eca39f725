import { expect } from 'chai';
import { type AuditCounts, type AuditRange, audit, type Wallet } from '../../src/audit/audit.ts';
import type { Finding } from '../../src/audit/finding.ts';
import { walletOfLines } from '../../src/audit/statement-file.ts';
import { runAudit } from '../../src/cli/audit.ts';
import type { StatementLine } from '../../src/payment/centre/statement.ts';
import type { PackedPurchase } from '../../src/store/journal-audit.ts';
import { systemClock } from '../../src/time.ts';

const WHOLE: AuditRange = { from: null, to: null };

/** An id made at noon of a day. */
function idOf(day: string, n = 1): string {
  const hex = Date.parse(`${day}T12:00:00Z`).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(n).padStart(12, '0')}`;
}

function line(reference: string, kind: StatementLine['kind'], more: Partial<StatementLine> = {}): StatementLine {
  return { reference, key: null, kind, amountMinor: 500n, currency: 'XOF', status: 'done', payee: null, ...more };
}

/** A purchase that was sold and, where told, refunded. */
function sold(id: string, provider: string, refunds = ''): PackedPurchase {
  const history = 'confirmed:authorizing authorized:approving vend_succeeded:settling settled:completed';
  const fields = [
    'completed',
    4,
    500,
    'XOF',
    provider,
    'op',
    't',
    't',
    '',
    '',
    history,
    1,
    4,
    '',
    '',
    '',
    '',
    refunds,
    '',
  ];
  return { id, reference: 'AAAAAA', payerMac: null, said: fields.join('\x1f') };
}

type Told = { readonly counts: AuditCounts; readonly findings: readonly Finding[]; readonly said: readonly string[] };

async function* chunkOf<Item>(items: readonly Item[]): AsyncIterable<readonly Item[]> {
  if (items.length > 0) yield items;
}

type World = {
  readonly days: readonly string[];
  readonly purchases?: readonly PackedPurchase[];
  readonly wallet: Wallet | null;
};

async function audited({ days, purchases = [], wallet }: World, range = WHOLE): Promise<Told> {
  const findings: Finding[] = [];
  const counts = await audit(
    {
      journal: {
        days: async () => days,
        read: async (of, use) =>
          use(
            chunkOf(
              purchases.filter(({ id }) => ('these' in of ? of.these.includes(id) : id >= of.from && id < of.to)),
            ),
          ),
        odditiesOf: async () => [],
        odditiesOfAll: async () => [],
        close: async () => undefined,
      },
      wallet,
      macOf: () => '',
      clock: { ...systemClock, after: (_ms, run) => (queueMicrotask(run), () => undefined) },
      againAfterMs: 1,
    },
    range,
    { onFinding: (finding) => findings.push(finding), onDay: () => undefined },
  );
  return { counts, findings, said: findings.map(({ check, purchaseId, found }) => `${check} ${purchaseId}: ${found}`) };
}

function statement(...lines: readonly StatementLine[]): Wallet {
  return walletOfLines('centre', lines, () => 'key');
}

const paid = (day: string): Wallet => statement(line(idOf(day), 'authorize'));
const unknown = '500 XOF secured at the wallet, and no such purchase';

describe('money that no purchase knows', () => {
  const day = '2026-11-22';

  it('is found on a day that the journal has not, between two that it has', async () => {
    const { said } = await audited({ days: ['2026-11-20', '2026-11-25'], wallet: paid(day) });
    expect(said).to.deep.equal([`unknown_money ${idOf(day)}: ${unknown}`]);
  });

  it('is found after the last day', async () => {
    const { said } = await audited({ days: ['2026-11-20'], wallet: paid(day) });
    expect(said).to.deep.equal([`unknown_money ${idOf(day)}: ${unknown}`]);
  });

  it('is told as a sum where it is older than the first day', async () => {
    const wallet = statement(line(idOf(day), 'authorize'), line(idOf('2026-11-23'), 'authorize', { amountMinor: 70n }));
    const { findings } = await audited({ days: ['2026-11-25', '2026-11-26'], wallet });
    expect(findings.map(({ check, subject, found }) => [check, subject, found])).to.deep.equal([
      ['unknown_money', 'older than 2026-11-25', '570 XOF secured at the wallet in 2 payments, and no such purchases'],
    ]);
  });

  it('is named one by one where its days are asked for', async () => {
    const { said } = await audited({ days: ['2026-11-25'], wallet: paid(day) }, { from: '2026-11-21', to: null });
    expect(said).to.deep.equal([`unknown_money ${idOf(day)}: ${unknown}`]);
  });

  it('is none of the business of other days', async () => {
    const range = { from: '2026-11-20', to: '2026-11-21' };
    expect((await audited({ days: ['2026-11-20', '2026-11-25'], wallet: paid(day) }, range)).said).to.deep.equal([]);
  });

  it('and a journal without a single day are two findings', async () => {
    const { findings } = await audited({ days: [], wallet: paid(day) });
    expect(findings.map(({ check, subject }) => [check, subject])).to.deep.equal([
      ['unknown_money', 'of any day'],
      ['history', 'the journal'],
    ]);
  });
});

describe('a journal without a single day', () => {
  it('is found beside a wallet, even an empty one', async () => {
    expect((await audited({ days: [], wallet: statement() })).said).to.deep.equal(['history null: none']);
  });

  it('is nothing where there is no wallet', async () => {
    expect((await audited({ days: [], wallet: null })).said).to.deep.equal([]);
  });
});

describe('a purchase of another wallet', () => {
  const day = '2026-11-25';
  const id = idOf(day);
  const purchases = [sold(id, 'gsma:other')];

  it('is counted as not compared, and so it is printed', async () => {
    const { counts, said } = await audited({ days: [day], purchases, wallet: statement() });
    expect([counts.notCompared, said]).to.deep.equal([1, []]);
    const printed: string[] = [];
    const write = process.stdout.write.bind(process.stdout);
    process.stdout.write = (text) => printed.push(String(text)) > 0;
    try {
      await runAudit(async () => counts, { range: WHOLE, isJson: false, comparedWith: 'x' });
    } finally {
      process.stdout.write = write;
    }
    expect(printed.join('')).to.include('Compared with x. 1 purchases by another wallet were not compared. ');
  });

  it('is found where this wallet has money of it', async () => {
    const { findings } = await audited({ days: [day], purchases, wallet: statement(line(id, 'authorize')) });
    expect(
      findings.map(({ check, purchaseId, expected, found }) => [check, purchaseId, expected, found]),
    ).to.deep.equal([['terms', id, 'paid by gsma:other', '1 movements at centre']]);
  });

  it('is nothing where this wallet only refused it', async () => {
    const wallet = statement(line(id, 'authorize', { status: 'failed' }));
    expect((await audited({ days: [day], purchases, wallet })).said).to.deep.equal([]);
  });
});

describe('refunds', () => {
  const day = '2026-11-25';
  const id = idOf(day);

  it('above the price are found without a wallet too', async () => {
    const purchases = [sold(id, 'centre', '1,501,settled,k1')];
    expect((await audited({ days: [day], purchases, wallet: null })).said).to.deep.equal([
      `refund ${id}: 501 promised`,
    ]);
  });

  it('of a sale stated as a reversal without a key agree', async () => {
    const wallet = statement(line(id, 'authorize'), line(id, 'settle'), line(id, 'reverse'));
    const purchases = [sold(id, 'centre', '1,500,settled,k1')];
    expect((await audited({ days: [day], purchases, wallet })).said).to.deep.equal([]);
  });

  it('that nobody promised are found, stated as a reversal without a key', async () => {
    const wallet = statement(line(id, 'authorize'), line(id, 'settle'), line(id, 'reverse'));
    const { findings } = await audited({ days: [day], purchases: [sold(id, 'centre')], wallet });
    expect(findings.map(({ check }) => check)).to.deep.equal(['money']);
  });
});
