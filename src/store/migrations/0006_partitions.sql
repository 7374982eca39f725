-- Two nodes that start at once on a new day both find partitions missing. The second look, behind the lock, asks the
-- catalog by a statement of its own: to_regclass would answer from this session's cache, which the lock does not renew.

CREATE OR REPLACE FUNCTION make_journal_partitions(first date, days int) RETURNS int
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
      CONTINUE WHEN EXISTS (SELECT FROM pg_class c JOIN pg_class p USING (relnamespace)
        WHERE p.oid = parent::regclass AND c.relname = part);
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
