-- The acts. Each takes the client's key first: a racing twin waits at the request row for the first commit and then
-- reads its answer. Declines are values, written into that row: an exception would roll it back.
-- Lock order: request row, payment or hold row, wallet rows by id. Derived accounts are never locked.

set local search_path = ledger, pg_temp;

create type answer as (status smallint, error jsonb, object uuid, server_key uuid, replayed boolean);

create function fault(p_category text, p_code text, p_parameter text default null, p_value text default null) returns jsonb
  language sql immutable set search_path = ledger, pg_temp as $$
  select jsonb_build_object('errorCategory', p_category, 'errorCode', p_code) || case when p_parameter is null then '{}'::jsonb
    else jsonb_build_object('errorParameters', jsonb_build_array(jsonb_build_object('key', p_parameter, 'value', p_value))) end $$;

-- Account of a kind, made when it is first needed; the centre's own accounts belong to the nil holder.
create function account_of(p_owner uuid, p_kind text, p_currency char(3)) returns uuid
  language plpgsql set search_path = ledger, pg_temp as $$ declare v_id uuid; begin
  select id into v_id from account where owner = p_owner and kind = p_kind and currency = p_currency;
  if v_id is null then
    insert into account (id, kind, owner, currency) values (gen_random_uuid(), p_kind, p_owner, p_currency) on conflict do nothing;
    select id into v_id from account where owner = p_owner and kind = p_kind and currency = p_currency;
  end if;
  return v_id; end $$;

create function nil() returns uuid language sql immutable as $$ select '00000000-0000-0000-0000-000000000000'::uuid $$;

-- True when this call is the first with its key.
create function take_key(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_act text, p_object uuid, p_status int) returns boolean
  language plpgsql set search_path = ledger, pg_temp as $$ begin
  insert into request (client, key, body_hash, server_key, act, object, status)
    values (p_client, p_key, p_hash, p_server_key, p_act, p_object, p_status) on conflict (client, key) do nothing;
  return found; end $$;

create function replay(p_client text, p_key uuid, p_hash bytea) returns answer
  language plpgsql set search_path = ledger, pg_temp as $$ declare r request; begin
  select * into strict r from request where client = p_client and key = p_key;
  if not r.tombstone and r.body_hash <> p_hash then
    return (400, fault('businessRule', 'duplicateRequest'), null, r.server_key, false)::answer;
  end if;
  return (r.status, r.error, r.object, r.server_key, true)::answer; end $$;

create function decline(p_client text, p_key uuid, p_error jsonb) returns answer
  language plpgsql set search_path = ledger, pg_temp as $$ declare r request; begin
  update request set status = 400, error = p_error, object = null where client = p_client and key = p_key returning * into strict r;
  return (400, p_error, null, r.server_key, false)::answer; end $$;

create function done(p_client text, p_key uuid) returns answer
  language plpgsql set search_path = ledger, pg_temp as $$ declare r request; begin
  select * into strict r from request where client = p_client and key = p_key;
  return (r.status, r.error, r.object, r.server_key, false)::answer; end $$;

-- Why a guarded update of a wallet found no row.
create function why_not(p_payer uuid, p_currency char(3)) returns jsonb
  language plpgsql set search_path = ledger, pg_temp as $$ declare a account; begin
  select * into a from account where id = p_payer and kind = 'wallet';
  if not found then return fault('identification', 'identifierError', 'party', 'debitParty'); end if;
  if a.currency <> p_currency then return fault('validation', 'currencyNotSupported'); end if;
  if a.status <> 'available' then return fault('businessRule', 'incorrectState', 'party', 'debitParty'); end if;
  return fault('businessRule', 'insufficientFunds'); end $$;

-- Takes a debit from a wallet if it is covered: check and act in one statement. False: nothing was written.
create function move_debit(p_payment payment, p_kind text, p_original uuid, p_from_hold boolean) returns boolean
  language plpgsql set search_path = ledger, pg_temp as $$ declare a account; begin
  if p_from_hold then
    update account set held = held - p_payment.amount, posted = posted - p_payment.amount, seq = seq + 1
      where id = p_payment.payer returning * into strict a;
  else
    update account set posted = posted - p_payment.amount, seq = seq + 1 where id = p_payment.payer and kind = 'wallet'
      and currency = p_payment.currency and status = 'available' and posted - held + credit_limit >= p_payment.amount returning * into a;
    if not found then return false; end if;
  end if;
  insert into transfer (id, kind, currency, amount, original) values (p_payment.id, p_kind, p_payment.currency, p_payment.amount, p_original);
  insert into posting (transfer, account, delta, seq, balance)
    select p_payment.id, account, delta, case when account = a.id then a.seq end, case when account = a.id then a.posted end
      from (values (a.id, -p_payment.amount),
        (case when p_from_hold then null else account_of(p_payment.operator, 'operator_pending', p_payment.currency) end, p_payment.amount),
        (case when p_from_hold then account_of(p_payment.operator, 'operator_available', p_payment.currency) end, p_payment.amount - p_payment.fee),
        (case when p_from_hold and p_payment.fee > 0 then account_of(nil(), 'fees', p_payment.currency) end, p_payment.fee)) as line (account, delta)
     where account is not null and delta <> 0;
  return true; end $$;

-- Gives back what is left of a payment; never refused for lack of money: the operator's account may fall below 0.
create function move_back(p_payment payment, p_transfer uuid) returns void
  language plpgsql set search_path = ledger, pg_temp as $$ declare a account; v_left bigint := p_payment.amount - p_payment.refunded; begin
  update account set posted = posted + v_left, seq = seq + 1 where id = p_payment.payer returning * into strict a;
  insert into transfer (id, kind, currency, amount, original)
    values (p_transfer, 'reversal', p_payment.currency, v_left + greatest(p_payment.fee - v_left, 0) * (p_payment.state = 'settled')::int, p_payment.id);
  insert into posting (transfer, account, delta, seq, balance)
    select p_transfer, account, delta, case when account = a.id then a.seq end, case when account = a.id then a.posted end
      from (values (a.id, v_left),
        (case when p_payment.state = 'debited' then account_of(p_payment.operator, 'operator_pending', p_payment.currency) end, -v_left),
        (case when p_payment.state = 'settled' then account_of(p_payment.operator, 'operator_available', p_payment.currency) end, p_payment.fee - v_left),
        (case when p_payment.state = 'settled' and p_payment.fee > 0 then account_of(nil(), 'fees', p_payment.currency) end, -p_payment.fee))
        as line (account, delta)
     where account is not null and delta <> 0; end $$;

-- Remembers a refusal that was judged outside (format, parties), so that it is replayed too.
create function refuse_request(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_act text, p_error jsonb) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$ begin
  if not take_key(p_client, p_key, p_hash, p_server_key, p_act, null, 204) then return replay(p_client, p_key, p_hash); end if;
  return decline(p_client, p_key, p_error); end $$;

-- ST11, ST13 of debit_refund. p_validation: the payer must answer first; then nothing moves yet.
create function debit(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_payment uuid, p_payer uuid, p_operator uuid, p_amount bigint,
    p_fee bigint, p_currency char(3), p_reference text, p_machine text, p_description text, p_validation boolean, p_expires_ms bigint) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare p payment; begin
  if not take_key(p_client, p_key, p_hash, p_server_key, 'merchantpay', p_payment, case when p_validation then 202 else 201 end) then
    return replay(p_client, p_key, p_hash); end if;
  if p_validation and not exists (select 1 from account where id = p_payer and kind = 'wallet' and currency = p_currency
      and status = 'available' and posted - held + credit_limit >= p_amount) then
    return decline(p_client, p_key, why_not(p_payer, p_currency)); end if;
  p := row(p_payment, p_payer, p_operator, p_amount, p_fee, p_currency, case when p_validation then 'validating' else 'debited' end, p_reference,
    p_machine, p_description, clock_timestamp() + p_expires_ms * interval '1 millisecond', null, 0, null, now())::payment;
  if not p_validation and not move_debit(p, 'debit', null, false) then return decline(p_client, p_key, why_not(p_payer, p_currency)); end if;
  insert into payment select p.*;
  return done(p_client, p_key); end $$;

-- ST11 of hold_capture: the amount counts against what can be spent from this moment.
create function place_hold(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_hold uuid, p_payer uuid, p_payee uuid, p_amount bigint,
    p_currency char(3), p_reference text, p_lifetime_ms bigint, p_validation boolean, p_expires_ms bigint) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$ begin
  if not take_key(p_client, p_key, p_hash, p_server_key, 'hold', p_hold, case when p_validation then 202 else 201 end) then
    return replay(p_client, p_key, p_hash); end if;
  update account set held = held + case when p_validation then 0 else p_amount end where id = p_payer and kind = 'wallet'
    and currency = p_currency and status = 'available' and posted - held + credit_limit >= p_amount;
  if not found then return decline(p_client, p_key, why_not(p_payer, p_currency)); end if;
  insert into hold (id, payer, payee, amount, currency, state, expires_at, lifetime_ms, reference)
    values (p_hold, p_payer, p_payee, p_amount, p_currency, case when p_validation then 'validating' else 'active' end,
      clock_timestamp() + case when p_validation then p_expires_ms else p_lifetime_ms end * interval '1 millisecond', p_lifetime_ms, p_reference);
  return done(p_client, p_key); end $$;

-- Ends a hold whose time is up; the row is locked by the caller.
create function lapse(p_hold hold) returns void language plpgsql set search_path = ledger, pg_temp as $$ begin
  update hold set state = 'expired', failure = case when p_hold.state = 'validating'
    then fault('authorisation', 'requestDeclined', 'expired', 'true') end where id = p_hold.id;
  if p_hold.state = 'active' then update account set held = held - p_hold.amount where id = p_hold.payer; end if; end $$;

create function capture(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_hold uuid, p_payment uuid, p_payer uuid, p_operator uuid, p_amount bigint,
    p_fee bigint, p_currency char(3), p_reference text, p_machine text, p_description text) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare h hold; p payment; begin
  if not take_key(p_client, p_key, p_hash, p_server_key, 'merchantpay', p_payment, 201) then return replay(p_client, p_key, p_hash); end if;
  select * into h from hold where id = p_hold for update;
  if not found then return decline(p_client, p_key, fault('validation', 'genericError', 'oneTimeCode', 'unknown')); end if;
  if h.state <> 'active' then return decline(p_client, p_key, fault('businessRule', 'incorrectState')); end if;
  if h.expires_at <= clock_timestamp() then perform lapse(h); return decline(p_client, p_key, fault('businessRule', 'incorrectState')); end if;
  if h.currency <> p_currency then return decline(p_client, p_key, fault('validation', 'currencyNotSupported')); end if;
  if h.amount <> p_amount then return decline(p_client, p_key,
    fault('businessRule', case when p_amount > h.amount then 'overPaymentNotAllowed' else 'underPaymentNotAllowed' end)); end if;
  if h.payer <> p_payer or h.payee <> p_operator then return decline(p_client, p_key, fault('businessRule', 'linkViolation')); end if;
  update hold set state = 'captured' where id = h.id;
  p := row(p_payment, h.payer, h.payee, h.amount, p_fee, h.currency, 'settled', p_reference, p_machine, p_description, null, h.id, 0, null, now())::payment;
  perform move_debit(p, 'capture', h.id, true);
  insert into payment select p.*;
  return done(p_client, p_key); end $$;

-- Frees a hold, also one that is still to be validated. False when it was captured.
create function free_hold(p_hold hold) returns boolean language plpgsql set search_path = ledger, pg_temp as $$ begin
  if p_hold.state = 'captured' then return false; end if;
  if p_hold.state in ('active', 'validating') then
    update hold set state = 'canceled', failure = case when p_hold.state = 'validating' then fault('authorisation', 'requestDeclined') end where id = p_hold.id;
    if p_hold.state = 'active' then update account set held = held - p_hold.amount where id = p_hold.payer; end if;
  end if;
  return true; end $$;

create function void(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_hold uuid) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare h hold; begin
  if not take_key(p_client, p_key, p_hash, p_server_key, 'void', p_hold, 204) then return replay(p_client, p_key, p_hash); end if;
  select * into h from hold where id = p_hold for update;
  if not found then return decline(p_client, p_key, fault('identification', 'identifierError')); end if;
  if not free_hold(h) then return decline(p_client, p_key, fault('businessRule', 'incorrectState')); end if;
  return done(p_client, p_key); end $$;

-- Delivered: the operator's pending credit becomes available.
create function release(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_payment uuid, p_transfer uuid) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare p payment; begin
  if not take_key(p_client, p_key, p_hash, p_server_key, 'release', p_payment, 204) then return replay(p_client, p_key, p_hash); end if;
  update payment set state = 'settled' where id = p_payment and state = 'debited' returning * into p;
  if not found then
    select * into p from payment where id = p_payment;
    if not found then return decline(p_client, p_key, fault('identification', 'identifierError')); end if;
    if p.state <> 'settled' then return decline(p_client, p_key, fault('businessRule', 'incorrectState')); end if;
    return done(p_client, p_key);
  end if;
  insert into transfer (id, kind, currency, amount, original) values (p_transfer, 'release', p.currency, p.amount, p.id);
  insert into posting (transfer, account, delta)
    select p_transfer, account, delta from (values (account_of(p.operator, 'operator_pending', p.currency), -p.amount),
      (account_of(p.operator, 'operator_available', p.currency), p.amount - p.fee),
      (case when p.fee > 0 then account_of(nil(), 'fees', p.currency) end, p.fee)) as line (account, delta)
     where account is not null and delta <> 0;
  return done(p_client, p_key); end $$;

-- What reversing a payment did; null when there is nothing left to give back. The row is locked here.
create function undo_payment(p_payment uuid, p_reversal uuid) returns text
  language plpgsql set search_path = ledger, pg_temp as $$ declare p payment; begin
  select * into strict p from payment where id = p_payment for update;
  if p.state in ('reversed', 'failed') then return null; end if;
  if p.state = 'validating' then
    update payment set state = 'failed', failure = fault('authorisation', 'requestDeclined') where id = p.id;
    return 'stopped';
  end if;
  update payment set state = 'reversed' where id = p.id;
  perform move_back(p, p_reversal);
  return 'gave_back'; end $$;

create function reverse_payment(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_payment uuid, p_reversal uuid) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare p payment; v_did text; begin
  if not take_key(p_client, p_key, p_hash, p_server_key, 'reversal', p_reversal, 201) then return replay(p_client, p_key, p_hash); end if;
  select * into p from payment where id = p_payment;
  if not found then return decline(p_client, p_key, fault('identification', 'identifierError')); end if;
  v_did := undo_payment(p_payment, p_reversal);
  if v_did is null then return decline(p_client, p_key, fault('businessRule', 'incorrectState')); end if;
  insert into reversal (id, kind, did, payment, amount, currency) values (p_reversal, 'reversal', v_did, p.id, p.amount - p.refunded, p.currency);
  return done(p_client, p_key); end $$;

-- A refund in part, after the operator was credited; in total at most the price.
create function adjust(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_payment uuid, p_reversal uuid, p_amount bigint, p_currency char(3)) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare p payment; a account; begin
  if not take_key(p_client, p_key, p_hash, p_server_key, 'adjustment', p_reversal, 201) then return replay(p_client, p_key, p_hash); end if;
  select * into p from payment where id = p_payment for update;
  if not found then return decline(p_client, p_key, fault('identification', 'identifierError')); end if;
  if p.state <> 'settled' then return decline(p_client, p_key, fault('businessRule', 'incorrectState')); end if;
  if p.currency <> p_currency then return decline(p_client, p_key, fault('validation', 'currencyNotSupported')); end if;
  if p.refunded + p_amount > p.amount then return decline(p_client, p_key, fault('businessRule', 'greaterThanTransactionMaxValue')); end if;
  update payment set refunded = refunded + p_amount, state = case when refunded + p_amount = amount then 'reversed' else state end where id = p.id;
  update account set posted = posted + p_amount, seq = seq + 1 where id = p.payer returning * into strict a;
  insert into transfer (id, kind, currency, amount, original) values (p_reversal, 'adjustment', p.currency, p_amount, p.id);
  insert into posting (transfer, account, delta, seq, balance) values
    (p_reversal, account_of(p.operator, 'operator_available', p.currency), -p_amount, null, null), (p_reversal, a.id, p_amount, a.seq, a.posted);
  insert into reversal (id, kind, did, payment, amount, currency) values (p_reversal, 'adjustment', 'gave_back', p.id, p_amount, p.currency);
  return done(p_client, p_key); end $$;

-- Undoes whatever a key did; a key never seen is refused for ever after (the tombstone).
create function reverse_by_key(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_reversal uuid, p_original uuid, p_tomb_server_key uuid) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$
declare r request; h hold; v_payment uuid; v_did text; begin
  if not take_key(p_client, p_key, p_hash, p_server_key, 'reversal', p_reversal, 201) then return replay(p_client, p_key, p_hash); end if;
  insert into request (client, key, body_hash, server_key, act, status, error, tombstone)
    values (p_client, p_original, '', p_tomb_server_key, 'tombstone', 400, fault('businessRule', 'genericError', 'reversedByKey', p_key::text), true)
    on conflict (client, key) do nothing;
  if found then
    insert into reversal (id, kind, did) values (p_reversal, 'reversal', 'tombstone');
    return done(p_client, p_key);
  end if;
  select * into strict r from request where client = p_client and key = p_original;
  if r.act not in ('merchantpay', 'hold', 'tombstone') and r.status is distinct from 400 then
    return decline(p_client, p_key, fault('businessRule', 'incorrectState')); end if;
  if r.status in (201, 202) and r.act = 'hold' then
    select * into strict h from hold where id = r.object for update;
    if free_hold(h) then v_did := case when h.state = 'active' then 'voided' when h.state = 'validating' then 'stopped' end;
    else select id into strict v_payment from payment where hold = h.id; end if;
  elsif r.status in (201, 202) then v_payment := r.object;
  end if;
  if v_payment is not null then v_did := undo_payment(v_payment, p_reversal); end if;
  insert into reversal (id, kind, did, payment, hold, amount, currency)
    select p_reversal, 'reversal', coalesce(v_did, 'nothing'), p.id, h.id, coalesce(p.amount - p.refunded, h.amount), coalesce(p.currency, h.currency)
      from (values (1)) as one left join payment p on p.id = v_payment;
  return done(p_client, p_key); end $$;

-- Money from outside: what the centre owes the payer grows, and so does the float at the trust bank.
create function cash_in(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_transfer uuid, p_wallet uuid, p_amount bigint) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare a account; begin
  if not take_key(p_client, p_key, p_hash, p_server_key, 'cash_in', p_transfer, 201) then return replay(p_client, p_key, p_hash); end if;
  update account set posted = posted + p_amount, seq = seq + 1 where id = p_wallet and kind = 'wallet' returning * into a;
  if not found then return decline(p_client, p_key, fault('identification', 'identifierError')); end if;
  insert into transfer (id, kind, currency, amount) values (p_transfer, 'cash_in', a.currency, p_amount);
  insert into posting (transfer, account, delta, seq, balance) values
    (p_transfer, account_of(nil(), 'float', a.currency), -p_amount, null, null), (p_transfer, a.id, p_amount, a.seq, a.posted);
  return done(p_client, p_key); end $$;

reset search_path;
