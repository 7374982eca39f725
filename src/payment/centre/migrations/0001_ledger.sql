-- The ledger: holders and their numbers, accounts, keys, holds, payments, and the double entry itself.
-- The database guards money: once, covered, balanced. Policy (fees, when to ask for a PIN) is TypeScript.

-- The role that runs this owns the ledger and its functions; what the running centre may do is granted by migrate.ts.
create schema ledger;
set local search_path = ledger, pg_temp;

create table holder (
  id uuid primary key, name text not null, status text not null default 'available' check (status in ('available', 'unavailable')),
  created_at timestamptz not null default now());

-- A number can move or be erased without touching the ledger, which knows holders only.
create table alias (
  kind text not null check (kind in ('msisdn', 'organisationid')), value text not null,
  holder uuid not null references holder, primary key (kind, value), unique (holder, kind));

create table account (
  id uuid primary key,
  kind text not null check (kind in ('wallet', 'operator_pending', 'operator_available', 'bank_transit', 'float', 'fees', 'loss', 'suspense')),
  owner uuid not null, currency char(3) not null, status text not null default 'available' check (status in ('available', 'unavailable')),
  posted bigint not null default 0, held bigint not null default 0 check (held >= 0),
  credit_limit bigint not null default 0 check (credit_limit >= 0), seq bigint not null default 0,
  validation text not null default 'default' check (validation in ('default', 'never', 'always', 'above')), validation_above bigint,
  unique (owner, kind, currency),
  constraint no_overdraft check (kind <> 'wallet' or posted - held + credit_limit >= 0),
  constraint only_wallets_run check (kind = 'wallet' or (posted = 0 and held = 0 and seq = 0))) with (fillfactor = 60);

create table pin (
  holder uuid primary key references holder, hash text not null, tries int not null default 0 check (tries between 0 and 3),
  locked_until timestamptz);

-- One row per key of a client: the first answer, for ever the same. status is null only while a PIN is being checked.
create table request (
  client text not null, key uuid not null, body_hash bytea not null, server_key uuid not null unique, act text not null,
  object uuid, status smallint check (status in (201, 202, 204, 400)), error jsonb, tombstone boolean not null default false,
  created_at timestamptz not null default now(), primary key (client, key),
  constraint error_with_400 check ((status is not distinct from 400) = (error is not null)));
create unique index one_object_one_key on request (object) where status in (201, 202);
create index open_checks on request (created_at) where status is null;

create table hold (
  id uuid primary key, payer uuid not null references account, payee uuid not null references holder,
  amount bigint not null check (amount > 0), currency char(3) not null,
  state text not null check (state in ('validating', 'active', 'captured', 'canceled', 'expired')), expires_at timestamptz not null,
  lifetime_ms bigint not null check (lifetime_ms > 0), reference text not null, failure jsonb, created_at timestamptz not null default now());
create index hold_due on hold (expires_at) where state in ('validating', 'active');
create index hold_payer on hold (payer) where state = 'active';

create table payment (
  id uuid primary key, payer uuid not null references account, operator uuid not null references holder,
  amount bigint not null check (amount > 0), fee bigint not null default 0 check (fee between 0 and amount), currency char(3) not null,
  state text not null check (state in ('validating', 'debited', 'settled', 'reversed', 'failed')), reference text not null,
  machine text not null default '', description text not null default '', expires_at timestamptz, hold uuid unique references hold,
  refunded bigint not null default 0, failure jsonb, created_at timestamptz not null default now(),
  constraint refund_within_price check (refunded between 0 and amount));
create index payment_due on payment (expires_at) where state = 'validating';
create index payment_reference on payment (reference);

-- What a reversal or a refund in part did; its id is the transfer's where money went back.
create table reversal (
  id uuid primary key, kind text not null check (kind in ('reversal', 'adjustment')),
  did text not null check (did in ('gave_back', 'voided', 'stopped', 'nothing', 'tombstone')),
  payment uuid references payment, hold uuid references hold, amount bigint, currency char(3), created_at timestamptz not null default now());

create table transfer (
  id uuid primary key, kind text not null check (kind in ('cash_in', 'debit', 'capture', 'release', 'reversal', 'adjustment')),
  currency char(3) not null, amount bigint not null check (amount > 0), original uuid,
  xact xid8 not null default pg_current_xact_id(), created_at timestamptz not null default now());
create unique index once on transfer (original, kind) where kind in ('release', 'capture', 'reversal');
create index transfer_original on transfer (original);

create table posting (
  transfer uuid not null references transfer, account uuid not null, delta bigint not null check (delta <> 0),
  seq bigint, balance bigint, primary key (transfer, account));
create unique index posting_seq on posting (account, seq) where seq is not null;
create index posting_account on posting (account);

create function immutable_row() returns trigger language plpgsql set search_path = ledger, pg_temp as $$
begin raise exception 'ledger rows never change: % on %', tg_op, tg_table_name using errcode = 'check_violation'; end $$;
create trigger immutable before update or delete on transfer for each row execute function immutable_row();
create trigger immutable before update or delete on posting for each row execute function immutable_row();
create trigger untruncated before truncate on transfer for each statement execute function immutable_row();
create trigger untruncated before truncate on posting for each statement execute function immutable_row();

create function balanced_transfer() returns trigger language plpgsql set search_path = ledger, pg_temp as $$
declare v_bad uuid;
begin
  -- The whole transfer is summed, not only the new lines, so that nothing can be added to an old one.
  select t.id into v_bad from transfer t join posting p on p.transfer = t.id left join account a on a.id = p.account
   where t.id in (select transfer from fresh)
   group by t.id
   having sum(p.delta) <> 0 or count(*) < 2 or count(a.id) <> count(*)
       or bool_or(a.currency <> t.currency) or bool_or(t.xact <> pg_current_xact_id())
       or sum(p.delta) filter (where p.delta > 0) <> t.amount
       or bool_or((a.kind = 'wallet') <> (p.seq is not null and p.balance is not null))
   limit 1;
  if v_bad is not null then raise exception 'transfer % is not balanced', v_bad using errcode = 'check_violation'; end if;
  return null;
end $$;
create trigger balanced after insert on posting referencing new table as fresh for each statement execute function balanced_transfer();

reset search_path;
