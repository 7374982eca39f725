-- Who did what: acts of persons are written to audit_log by the database itself, in the transaction of the act, each row
-- with the hash of the one before, so that neither a row nor a word of one can be taken away unseen.

-- One text for one row, the same on every server: fields apart by a character that none of them can hold unescaped.
CREATE FUNCTION audit_hash(before bytea, id bigint, at timestamptz, operator_id int, actor text, action text, subject text, content jsonb)
RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT sha256(convert_to(jsonb_build_array(encode(coalesce(before, ''), 'hex'), id,
    (extract(epoch FROM at) * 1000000)::bigint, operator_id, actor, action, subject, content)::text, 'UTF8'))
$$;

-- The number and the hashes are the chain's own, whatever the caller gave: writers queue, and each sees the row before.
CREATE FUNCTION chain_audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  before record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('relais.audit_log', 0));
  SELECT id, hash INTO before FROM audit_log ORDER BY id DESC LIMIT 1;
  NEW.id := coalesce(before.id, 0) + 1;
  NEW.at := clock_timestamp();
  NEW.hash_before := before.hash;
  NEW.hash := audit_hash(NEW.hash_before, NEW.id, NEW.at, NEW.operator_id, NEW.actor, NEW.action, NEW.subject, NEW.content);
  RETURN NEW;
END $$;
CREATE TRIGGER audit_log_chained BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION chain_audit_row();

CREATE FUNCTION audit_act_of_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_log (operator_id, actor, action, subject, content)
  SELECT p.operator_id, coalesce(NEW.content->>'by', ''), NEW.event, NEW.purchase_id::text, NEW.content || jsonb_build_object('version', NEW.version)
  FROM purchases p WHERE p.id = NEW.purchase_id;
  RETURN NULL;
END $$;
CREATE TRIGGER purchase_events_audited AFTER INSERT ON purchase_events FOR EACH ROW
  WHEN (NEW.event IN ('operator_refunded', 'operator_confirmed', 'loss_accepted')) EXECUTE FUNCTION audit_act_of_person();

CREATE FUNCTION audit_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_log (operator_id, actor, action, subject, content)
  SELECT p.operator_id, NEW.requested_by, 'refund', NEW.purchase_id::text,
    jsonb_build_object('n', NEW.n, 'amountMinor', NEW.amount_minor::text, 'reason', NEW.reason)
  FROM purchases_all p WHERE p.id = NEW.purchase_id;
  RETURN NULL;
END $$;
-- `relais` itself gives back what it finds paid after the end; that is no person's act, and the one thing it does.
CREATE TRIGGER refunds_audited AFTER INSERT ON refunds FOR EACH ROW
  WHEN (NEW.requested_by <> 'relais' OR NEW.reason <> 'paid_after_close') EXECUTE FUNCTION audit_refund();
