-- The payer's own answer (ST12), holders, and the sweep of what has run out.

set local search_path = ledger, pg_temp;

-- Lapses requests and holds whose time is up, at most p_limit of each; returns how many.
create function expire_due(p_limit int) returns bigint
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare h hold; v_holds bigint := 0; v_payments bigint; begin
  -- A check of a PIN that never came to its end (the process died): the try is spent, the payer may be asked again.
  update request r set status = 400, error = fault('authorisation', 'requestingPartyAuthorisationError', 'triesLeft',
      coalesce((select 3 - tries from pin where holder = (select a.owner from account a where a.id =
        coalesce((select payer from payment where id = r.object), (select payer from hold where id = r.object)))), 0)::text)
    where status is null and created_at < now() - interval '15 seconds';
  -- Then holds, all of them locked before any wallet, and wallets by id: the lock order of every act.
  for h in with due as (select id from hold where state in ('validating', 'active') and expires_at <= clock_timestamp()
        order by id for update skip locked limit p_limit)
      select hold.* from hold join due using (id) order by hold.payer, hold.id loop
    perform lapse(h); v_holds := v_holds + 1;
  end loop;
  update payment set state = 'failed', failure = fault('authorisation', 'requestDeclined', 'expired', 'true')
    where id in (select id from payment where state = 'validating' and expires_at <= clock_timestamp() for update skip locked limit p_limit);
  get diagnostics v_payments = row_count;
  return v_holds + v_payments; end $$;

create type validation_start as (status smallint, error jsonb, object uuid, server_key uuid, replayed boolean, holder uuid, pin_hash text);

-- Takes a try, before the PIN is looked at: parallel guesses gain none, and a replayed key takes no second one.
-- A null status with a hash: check now, then finish_validation. A null status without one: another call is checking.
create function begin_validation(p_client text, p_key uuid, p_hash bytea, p_server_key uuid, p_object uuid, p_hold boolean) returns validation_start
  language plpgsql security definer set search_path = ledger, pg_temp as $$
declare v_payer uuid; v_state text; v_expires timestamptz; v_failure jsonb; v_holder uuid; k pin; a answer; begin
  if not take_key(p_client, p_key, p_hash, p_server_key, 'validation', p_object, null) then
    a := replay(p_client, p_key, p_hash); return (a.status, a.error, a.object, a.server_key, a.replayed, null, null)::validation_start; end if;
  if p_hold then select payer, state, expires_at, failure into v_payer, v_state, v_expires, v_failure from hold where id = p_object for update;
  else select payer, state, expires_at, failure into v_payer, v_state, v_expires, v_failure from payment where id = p_object for update; end if;
  select owner into v_holder from account where id = v_payer;
  if v_payer is null then a := decline(p_client, p_key, fault('identification', 'identifierError'));
  elsif v_state = 'validating' and v_expires <= clock_timestamp() then a := decline(p_client, p_key, fault('authorisation', 'requestDeclined', 'expired', 'true'));
  -- Ended meanwhile: the same reason as the request itself gives, whether the sweep has come by or not.
  elsif v_failure is not null then a := decline(p_client, p_key, v_failure);
  elsif v_state <> 'validating' then a := decline(p_client, p_key, fault('businessRule', 'incorrectState'));
  else
    update pin set tries = tries + 1, locked_until = case when tries = 2 then now() + interval '24 hours' end
      where holder = v_holder and (tries < 3) and (locked_until is null or locked_until <= now()) returning * into k;
    if found then return (null, null, p_object, p_server_key, false, v_holder, k.hash)::validation_start; end if;
    a := decline(p_client, p_key, fault('authorisation', 'requestingPartyAuthorisationError', 'triesLeft', '0'));
    if p_hold then update hold set state = 'canceled', failure = a.error where id = p_object;
    else update payment set state = 'failed', failure = a.error where id = p_object; end if;
  end if;
  return (a.status, a.error, a.object, a.server_key, a.replayed, null, null)::validation_start; end $$;

-- Ends the check: moves the money or holds it, or says how many tries are left.
create function finish_validation(p_client text, p_key uuid, p_correct boolean) returns answer
  language plpgsql security definer set search_path = ledger, pg_temp as $$
declare r request; p payment; h hold; v_holder uuid; v_left int; v_error jsonb; begin
  select * into strict r from request where client = p_client and key = p_key for update;
  if r.status is not null then return (r.status, r.error, r.object, r.server_key, true)::answer; end if;
  select * into p from payment where id = r.object for update;
  if p.id is null then select * into strict h from hold where id = r.object for update; end if;
  select owner into strict v_holder from account where id = coalesce(p.payer, h.payer);
  if p_correct then update pin set tries = 0, locked_until = null where holder = v_holder returning 3 into v_left;
  else select 3 - tries into v_left from pin where holder = v_holder; end if;
  if coalesce(p.state, h.state) <> 'validating' then return decline(p_client, p_key, fault('businessRule', 'incorrectState')); end if;
  if not p_correct then
    v_error := fault('authorisation', 'requestingPartyAuthorisationError', 'triesLeft', v_left::text);
  elsif p.id is not null then
    if move_debit(p, 'debit', null, false) then
      update payment set state = 'debited' where id = p.id;
      update request set status = 204 where client = p_client and key = p_key;
      return done(p_client, p_key); end if;
    v_error := why_not(p.payer, p.currency);
  else
    update account set held = held + h.amount where id = h.payer and status = 'available' and posted - held + credit_limit >= h.amount;
    if found then
      update hold set state = 'active', expires_at = clock_timestamp() + h.lifetime_ms * interval '1 millisecond' where id = h.id;
      update request set status = 204 where client = p_client and key = p_key;
      return done(p_client, p_key); end if;
    v_error := why_not(h.payer, h.currency);
  end if;
  if p_correct or v_left <= 0 then
    update payment set state = 'failed', failure = v_error where id = p.id;
    update hold set state = 'canceled', failure = v_error where id = h.id;
  end if;
  return decline(p_client, p_key, v_error); end $$;

-- True while the PIN cannot be tried: none is set, or it is locked. A lock that has passed gives three tries again.
create function pin_unusable(p_holder uuid) returns boolean
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare v_bad boolean; begin
  update pin set tries = 0, locked_until = null where holder = p_holder and locked_until <= now();
  select tries >= 3 into v_bad from pin where holder = p_holder;
  return coalesce(v_bad, true); end $$;

create function set_pin(p_holder uuid, p_hash text) returns void
  language sql security definer set search_path = ledger, pg_temp as $$
  insert into pin (holder, hash) values (p_holder, p_hash)
    on conflict (holder) do update set hash = excluded.hash, tries = 0, locked_until = null $$;

-- A holder with a name for the wire; asking again changes nothing and names the holder that is there.
create function open_holder(p_holder uuid, p_name text, p_kind text, p_value text) returns uuid
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare v_id uuid; begin
  select holder into v_id from alias where kind = p_kind and value = p_value;
  if found then return v_id; end if;
  insert into holder (id, name) values (p_holder, p_name);
  insert into alias (kind, value, holder) values (p_kind, p_value, p_holder) on conflict do nothing;
  if not found then delete from holder where id = p_holder; select holder into strict v_id from alias where kind = p_kind and value = p_value; return v_id; end if;
  return p_holder; end $$;

create function open_wallet(p_holder uuid, p_currency char(3), p_credit_limit bigint, p_validation text, p_above bigint) returns uuid
  language plpgsql security definer set search_path = ledger, pg_temp as $$ declare v_id uuid; begin
  insert into account (id, kind, owner, currency, credit_limit, validation, validation_above)
    values (gen_random_uuid(), 'wallet', p_holder, p_currency, p_credit_limit, p_validation, p_above) on conflict (owner, kind, currency) do nothing;
  select id into strict v_id from account where owner = p_holder and kind = 'wallet' and currency = p_currency;
  return v_id; end $$;

create function set_wallet_status(p_wallet uuid, p_status text) returns void
  language sql security definer set search_path = ledger, pg_temp as $$
  update account set status = p_status where id = p_wallet and kind = 'wallet' $$;

revoke execute on all functions in schema ledger from public;
reset search_path;
