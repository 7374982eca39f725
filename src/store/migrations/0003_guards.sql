-- What the database itself refuses, whoever asks: changing what was written down, giving back more than was paid.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER purchase_events_append_only BEFORE UPDATE OR DELETE ON purchase_events
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_not_emptied BEFORE TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Refunds of one purchase queue on an advisory lock, so that each sum sees the ones committed before it.
CREATE FUNCTION keep_refunds_within_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  price bigint;
  given_back numeric;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.purchase_id::text, 0));
  SELECT amount_minor INTO price FROM purchases WHERE id = NEW.purchase_id;
  IF price IS NULL THEN
    SELECT amount_minor INTO price FROM purchases_past WHERE id = NEW.purchase_id;
  END IF;
  SELECT coalesce(sum(amount_minor), 0) INTO given_back FROM refunds WHERE purchase_id = NEW.purchase_id AND n <> NEW.n;
  IF price IS NULL OR given_back + NEW.amount_minor > price THEN
    RAISE EXCEPTION 'refunds would exceed the price' USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_within_price';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refunds_within_price BEFORE INSERT OR UPDATE OF amount_minor, purchase_id ON refunds
  FOR EACH ROW EXECUTE FUNCTION keep_refunds_within_price();

-- Makes the partitions of `days` UTC days from `first` on. Runs as its owner, so that the application's role, which may
-- not change the schema, can still make tomorrow's. Looks before it locks: most calls find all of them there.
CREATE FUNCTION make_journal_partitions(first date, days int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  one date;
  parent text;
  part text;
  made int := 0;
BEGIN
  IF days NOT BETWEEN 1 AND 40 THEN
    RAISE EXCEPTION 'between 1 and 40 days at a time' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR i IN 0 .. days - 1 LOOP
    one := first + i;
    FOREACH parent IN ARRAY ARRAY['purchase_events', 'purchases_past'] LOOP
      part := parent || to_char(one, '_YYYYMMDD');
      CONTINUE WHEN to_regclass(part) IS NOT NULL;
      PERFORM pg_advisory_xact_lock(hashtextextended('relais.partitions', 0));
      CONTINUE WHEN to_regclass(part) IS NOT NULL;  -- another node made it meanwhile
      EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
        part, parent, first_id_of(one), first_id_of(one + 1));
      IF parent = 'purchase_events' AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'relais_app' AND rolname <> current_user) THEN
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM relais_app', part);
      END IF;
      made := made + 1;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;

-- The lowest UUIDv7 of a UTC day: 48 bits of milliseconds, and nothing behind them.
CREATE FUNCTION first_id_of(day date) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT rpad(lpad(to_hex((extract(epoch FROM day::timestamp) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

-- Rights of the application's role, where the roles are separate: rows only, and no rewriting of what was written down.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'relais_app' AND rolname <> current_user) THEN
    GRANT USAGE ON SCHEMA public TO relais_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO relais_app;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO relais_app;
    REVOKE UPDATE, DELETE, TRUNCATE ON purchase_events, audit_log FROM relais_app;
    REVOKE UPDATE, DELETE, TRUNCATE ON purchases_past FROM relais_app;
    REVOKE INSERT, UPDATE, DELETE ON relais_migrations FROM relais_app;
  END IF;
END $$;
