/**
 * Holders, their numbers and their wallets: who is meant by a name on the wire, and what lies on an account.
 */
import type { Sql } from './ledger.ts';
import type { WalletValidation } from './policy.ts';

/** The wallet of a number in one currency; `wallet` is null when the holder has none in it. */
export type PayerAccount = WalletValidation & {
  readonly holder: string;
  readonly isUsable: boolean;
  readonly wallet: string | null;
  /** Minor units. */
  readonly posted: bigint;
  readonly held: bigint;
  /** What may still be spent: posted less held, plus the credit limit. */
  readonly available: bigint;
};

/** What an operator is owed, minor units: before and after the delivery is known. */
export type OperatorBalance = { readonly pending: bigint; readonly available: bigint };

/** One line of a wallet's statement. */
export type StatementLine = {
  readonly seq: bigint;
  readonly kind: string;
  readonly delta: bigint;
  readonly balance: bigint;
  readonly at: Date;
  readonly transfer: string;
  readonly original: string | null;
};

/** How a wallet is opened. `creditLimit` in minor units. */
export type WalletOpening = WalletValidation & {
  readonly name: string;
  /** E.164 digits without `+`. */
  readonly msisdn: string;
  readonly currency: string;
  readonly creditLimit: bigint;
};

/** Who is who. */
export interface Accounts {
  findPayer(msisdn: string, currency: string): Promise<PayerAccount | null>;
  findOperator(name: string): Promise<string | null>;
  /** True while the payer has no PIN or has no try left. */
  isPinUnusable(holder: string): Promise<boolean>;
  /** Opens a holder with this number and a wallet; what is there already stays as it is. */
  openWallet(opening: WalletOpening): Promise<{ readonly holder: string; readonly wallet: string }>;
  openOperator(name: string): Promise<string>;
  setPin(holder: string, pinHash: string): Promise<void>;
  setStatus(wallet: string, status: 'available' | 'unavailable'): Promise<void>;
  operatorBalance(operator: string, currency: string): Promise<OperatorBalance>;
  /** The newest lines first, at most `limit`. */
  statement(wallet: string, limit: number): Promise<readonly StatementLine[]>;
}

type PayerRow = {
  holder: string;
  usable: boolean;
  wallet: string | null;
  posted: bigint | null;
  held: bigint | null;
  credit_limit: bigint | null;
  validation: WalletValidation['validation'] | null;
  validation_above: bigint | null;
};

function payerOf(row: PayerRow): PayerAccount {
  const posted = row.posted ?? 0n;
  const held = row.held ?? 0n;
  return {
    holder: row.holder,
    isUsable: row.usable,
    wallet: row.wallet,
    posted,
    held,
    available: posted - held + (row.credit_limit ?? 0n),
    validation: row.validation ?? 'default',
    validationAbove: row.validation_above,
  };
}

/** The accounts of one ledger. */
export function createAccounts(sql: Sql, newId: () => string): Accounts {
  const balance = async (operator: string, kind: string, currency: string): Promise<bigint> => {
    const rows = await sql<{ sum: bigint }[]>`
      select coalesce(sum(p.delta), 0)::bigint as sum from ledger.posting p join ledger.account a on a.id = p.account
       where a.owner = ${operator} and a.kind = ${kind} and a.currency = ${currency}`;
    return rows[0]?.sum ?? 0n;
  };
  const openHolder = async (name: string, kind: string, value: string): Promise<string> => {
    const rows = await sql<{ id: string }[]>`select ledger.open_holder(${newId()}, ${name}, ${kind}, ${value}) as id`;
    if (rows[0] === undefined) throw new Error('no holder was opened');
    return rows[0].id;
  };
  return {
    findPayer: async (msisdn, currency) => {
      const rows = await sql<PayerRow[]>`
        select h.id as holder, h.status = 'available' and coalesce(a.status, 'available') = 'available' as usable, a.id as wallet,
               a.posted, a.held, a.credit_limit, a.validation, a.validation_above
          from ledger.alias n join ledger.holder h on h.id = n.holder
          left join ledger.account a on a.owner = h.id and a.kind = 'wallet' and a.currency = ${currency}
         where n.kind = 'msisdn' and n.value = ${msisdn}`;
      return rows[0] === undefined ? null : payerOf(rows[0]);
    },
    findOperator: async (name) => {
      const rows = await sql<{ holder: string }[]>`
        select holder from ledger.alias where kind = 'organisationid' and value = ${name}`;
      return rows[0]?.holder ?? null;
    },
    isPinUnusable: async (holder) => {
      const rows = await sql<{ bad: boolean }[]>`select ledger.pin_unusable(${holder}) as bad`;
      return rows[0]?.bad ?? true;
    },
    openWallet: async (opening) => {
      const holder = await openHolder(opening.name, 'msisdn', opening.msisdn);
      const rows = await sql<{ id: string }[]>`
        select ledger.open_wallet(${holder}, ${opening.currency}, ${opening.creditLimit}, ${opening.validation}, ${opening.validationAbove}) as id`;
      if (rows[0] === undefined) throw new Error('no wallet was opened');
      return { holder, wallet: rows[0].id };
    },
    openOperator: (name) => openHolder(name, 'organisationid', name),
    setPin: async (holder, pinHash) => {
      await sql`select ledger.set_pin(${holder}, ${pinHash})`;
    },
    setStatus: async (wallet, status) => {
      await sql`select ledger.set_wallet_status(${wallet}, ${status})`;
    },
    operatorBalance: async (operator, currency) => ({
      pending: await balance(operator, 'operator_pending', currency),
      available: await balance(operator, 'operator_available', currency),
    }),
    statement: (wallet, limit) => sql<StatementLine[]>`
      select p.seq, t.kind, p.delta, p.balance, t.created_at as at, t.id as transfer, t.original
        from ledger.posting p join ledger.transfer t on t.id = p.transfer
       where p.account = ${wallet} order by p.seq desc limit ${limit}`,
  };
}
