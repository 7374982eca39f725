/**
 * Ledger rows as GSMA objects: transactions, authorisation codes, request states. Read only. What has run out reads as
 * ended even before the sweep has written it.
 */
import { decimalOf } from '../../money.ts';
import { type ErrorBody, errorBody, REFERENCE_KEY } from '../gsma-messages.ts';
import type { Sql } from './ledger.ts';

/** A JSON object to be sent. */
export type Body = Readonly<Record<string, unknown>>;

/** A payment or hold as acts need it. */
export type Found = { readonly id: string; readonly msisdn: string | null };

/** Reads objects, each only for the client who made it. */
export interface Objects {
  /** A payment, reversal or refund; null when this client has made none with this id. */
  transaction(client: string, id: string): Promise<Body | null>;
  /** An issued code; null also while the payer has yet to validate it. */
  code(client: string, id: string, msisdn: string): Promise<Body | null>;
  /** By `serverCorrelationId`. */
  requestState(client: string, serverKey: string): Promise<Body | null>;
  /** Path where the object of a key lies, without the base; null when the key was never seen. */
  link(client: string, key: string): Promise<string | null>;
  findPayment(client: string, id: string): Promise<Found | null>;
  findHold(client: string, id: string): Promise<Found | null>;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** True for a UUID in its usual form. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

type Parties = { msisdn: string | null; operator: string | null };

function partiesOf(row: Parties): Body {
  return {
    debitParty: [
      row.msisdn === null ? { key: 'accountid', value: 'closed' } : { key: 'msisdn', value: `+${row.msisdn}` },
    ],
    creditParty: [{ key: 'organisationid', value: row.operator ?? 'closed' }],
  };
}

type PaymentRow = Parties & {
  id: string;
  amount: bigint;
  currency: string;
  state: 'validating' | 'debited' | 'settled' | 'reversed' | 'failed';
  reference: string;
  machine: string;
  description: string;
  created_at: Date;
};

const PAYMENT_STATUS: Readonly<Record<PaymentRow['state'], string>> = {
  validating: 'pending',
  debited: 'completed',
  settled: 'completed',
  reversed: 'reversed',
  failed: 'failed',
};

function paymentBody(row: PaymentRow): Body {
  return {
    transactionReference: row.id,
    requestingOrganisationTransactionReference: row.reference,
    type: 'merchantpay',
    transactionStatus: PAYMENT_STATUS[row.state],
    amount: decimalOf({ minor: row.amount, currency: row.currency }),
    currency: row.currency,
    ...partiesOf(row),
    servicingIdentity: row.machine,
    descriptionText: row.description,
    creationDate: row.created_at.toISOString(),
  };
}

type ReversalRow = {
  id: string;
  kind: string;
  original: string | null;
  amount: bigint | null;
  currency: string | null;
  created_at: Date;
};

function reversalBody(row: ReversalRow): Body {
  const price =
    row.amount === null || row.currency === null
      ? {}
      : { amount: decimalOf({ minor: row.amount, currency: row.currency }), currency: row.currency };
  return {
    transactionReference: row.id,
    originalTransactionReference: row.original ?? '',
    type: row.kind,
    transactionStatus: 'completed',
    ...price,
    creationDate: row.created_at.toISOString(),
  };
}

type HoldRow = Parties & {
  id: string;
  amount: bigint;
  currency: string;
  state: 'validating' | 'active' | 'captured' | 'canceled' | 'expired';
  lifetime_ms: bigint;
  starts_at: Date;
  reference: string;
  payment: string | null;
};

function codeBody(row: HoldRow): Body {
  const redeemed = row.payment === null ? [] : [{ key: 'redeemedBy', value: row.payment }];
  const reference = row.reference === '' ? [] : [{ key: REFERENCE_KEY, value: row.reference }];
  return {
    authorisationCode: row.id,
    codeState: row.state === 'active' ? 'active' : row.state === 'canceled' ? 'cancelled' : 'expired',
    amount: decimalOf({ minor: row.amount, currency: row.currency }),
    currency: row.currency,
    amountType: 'exact',
    codeLifetime: Number(row.lifetime_ms / 1000n),
    holdFundsIndicator: true,
    redemptionAccountIdentifiers: [{ key: 'organisationid', value: row.operator ?? 'closed' }],
    redemptionTransactionTypes: [{ transactionType: 'merchantpay' }],
    // From here the lifetime runs: a hold that waited for the payer's PIN begins with the PIN.
    creationDate: row.starts_at.toISOString(),
    metadata: [...reference, ...redeemed],
  };
}

type RequestRow = {
  server_key: string;
  status: number | null;
  error: ErrorBody | null;
  object: string | null;
  is_hold: boolean;
  is_waiting: boolean;
  is_lapsed: boolean;
  failure: ErrorBody | null;
  left_ms: number | null;
  msisdn: string | null;
  at: Date;
};

const EXPIRED = errorBody('authorisation', 'requestDeclined', { expired: 'true' });
/** Longest time in which a PIN is being checked before the sweep ends it, plus a second. */
const CHECK_MS = 16_000;

function stateBody(row: RequestRow): Body {
  const failure = row.error ?? (row.is_lapsed ? EXPIRED : row.status === 202 ? row.failure : null);
  const isPending = failure === null && (row.status === null || row.is_waiting);
  const base = {
    serverCorrelationId: row.server_key,
    notificationMethod: 'polling',
    ...(row.object === null ? {} : { objectReference: row.object }),
  };
  if (failure !== null) return { ...base, status: 'failed', error: failure };
  if (!isPending) return { ...base, status: 'completed' };
  const leftMs = row.status === null ? CHECK_MS : Math.max(row.left_ms ?? 0, 0);
  return {
    ...base,
    status: 'pending',
    ...(row.status === null ? {} : { pendingReason: 'validation:pin' }),
    expiryTime: new Date(row.at.getTime() + leftMs).toISOString(),
  };
}

function linkOf(row: RequestRow): string {
  const state = stateBody(row);
  const isObject = (row.status === 201 || row.status === 202) && state['status'] === 'completed' && row.object !== null;
  if (isObject && !row.is_hold) return `/transactions/${row.object}`;
  if (isObject && row.msisdn !== null) return `/accounts/msisdn/+${row.msisdn}/authorisationcodes/${row.object}`;
  return `/requeststates/${row.server_key}`;
}

/** The objects of one ledger. `wall`: the clock whose time goes out as `X-Date`. */
export function createObjects(sql: Sql, wall: () => number): Objects {
  const parties = sql`(select value from ledger.alias where holder = w.owner and kind = 'msisdn') as msisdn`;
  const mine = (client: string) =>
    sql`exists (select 1 from ledger.request r where r.object = o.id and r.client = ${client})`;
  const request = async (client: string, where: 'key' | 'server_key', id: string): Promise<RequestRow | null> => {
    if (!isUuid(id)) return null;
    const rows = await sql<Omit<RequestRow, 'at'>[]>`
      select r.server_key, r.status, r.error, r.object, h.id is not null as is_hold,
             coalesce(p.state, h.state) = 'validating' as is_waiting,
             coalesce(p.state, h.state) = 'validating' and coalesce(p.expires_at, h.expires_at) <= now() as is_lapsed,
             coalesce(p.failure, h.failure) as failure,
             (extract(epoch from coalesce(p.expires_at, h.expires_at) - now()) * 1000)::float8 as left_ms, ${parties}
        from ledger.request r
        left join ledger.payment p on p.id = r.object left join ledger.hold h on h.id = r.object
        left join ledger.account w on w.id = coalesce(p.payer, h.payer)
       where r.client = ${client} and ${sql(`r.${where}`)} = ${id}`;
    const row = rows[0];
    if (row === undefined) return null;
    // A reversal, void or release has succeeded or not, whatever becomes of the object later.
    const isOwn = row.status === 202;
    return { ...row, is_waiting: isOwn && row.is_waiting, is_lapsed: isOwn && row.is_lapsed, at: new Date(wall()) };
  };
  return {
    transaction: async (client, id) => {
      if (!isUuid(id)) return null;
      const rows = await sql<PaymentRow[]>`
        select o.id, o.amount, o.currency, o.reference, o.machine, o.description, o.created_at, ${parties}, n.value as operator,
               case when o.state = 'validating' and o.expires_at <= now() then 'failed' else o.state end as state
          from ledger.payment o join ledger.account w on w.id = o.payer
          left join ledger.alias n on n.holder = o.operator and n.kind = 'organisationid'
         where o.id = ${id} and ${mine(client)}`;
      if (rows[0] !== undefined) return paymentBody(rows[0]);
      const reversals = await sql<ReversalRow[]>`
        select o.id, o.kind, coalesce(o.payment, o.hold) as original, o.amount, o.currency, o.created_at
          from ledger.reversal o where o.id = ${id} and ${mine(client)}`;
      return reversals[0] === undefined ? null : reversalBody(reversals[0]);
    },
    code: async (client, id, msisdn) => {
      if (!isUuid(id)) return null;
      const rows = await sql<HoldRow[]>`
        select o.id, o.amount, o.currency, o.reference, o.lifetime_ms, p.id as payment, ${parties}, n.value as operator,
               o.expires_at - o.lifetime_ms * interval '1 millisecond' as starts_at,
               case when o.state = 'active' and o.expires_at <= now() then 'expired' else o.state end as state
          from ledger.hold o join ledger.account w on w.id = o.payer left join ledger.payment p on p.hold = o.id
          left join ledger.alias n on n.holder = o.payee and n.kind = 'organisationid'
         where o.id = ${id} and o.state <> 'validating' and ${mine(client)}`;
      return rows[0] === undefined || rows[0].msisdn !== msisdn ? null : codeBody(rows[0]);
    },
    requestState: async (client, serverKey) => {
      const row = await request(client, 'server_key', serverKey);
      return row === null ? null : stateBody(row);
    },
    link: async (client, key) => {
      const row = await request(client, 'key', key);
      return row === null ? null : linkOf(row);
    },
    findPayment: async (client, id) => {
      if (!isUuid(id)) return null;
      const rows = await sql<Found[]>`
        select o.id, ${parties} from ledger.payment o join ledger.account w on w.id = o.payer where o.id = ${id} and ${mine(client)}`;
      return rows[0] ?? null;
    },
    findHold: async (client, id) => {
      if (!isUuid(id)) return null;
      const rows = await sql<Found[]>`
        select o.id, ${parties} from ledger.hold o join ledger.account w on w.id = o.payer where o.id = ${id} and ${mine(client)}`;
      return rows[0] ?? null;
    },
  };
}
