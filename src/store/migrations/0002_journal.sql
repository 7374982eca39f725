-- The purchase journal. `purchases`, `effects` and `cases` are small and change; `purchase_events` and `purchases_past`
-- are large and grow, one partition for each UTC day of the purchase's id. No foreign keys: the journal outlives what it names.

CREATE TABLE purchases (                        -- live ones, and ended ones until they are moved to purchases_past
  id uuid PRIMARY KEY,                          -- UUIDv7, minted with the claim
  reference text NOT NULL,                      -- six characters for people
  operator_id int NOT NULL,
  machine_id text NOT NULL,
  order_seq bigint NOT NULL,
  holds_order boolean NOT NULL DEFAULT true,    -- false only when declined: the order may be bought again
  payer_id bigint NOT NULL,
  channel text NOT NULL CHECK (channel IN ('ussd', 'sms')),
  plan text NOT NULL CHECK (plan IN ('hold_capture', 'debit_refund')),
  provider text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL CHECK (length(currency) = 3),
  order_snapshot jsonb NOT NULL,                -- as quoted, never changed
  wallet jsonb NOT NULL,                        -- what the core must know of the wallet, as it was at the confirmation
  version int NOT NULL CHECK (version > 0),
  state text NOT NULL CHECK (state IN
    ('authorizing', 'validating', 'approving', 'vending', 'settling', 'completed', 'declined', 'reversing', 'reversed', 'in_doubt')),
  facts jsonb NOT NULL,                         -- learned on the way
  deadline_at timestamptz,
  confirmed_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  CHECK ((ended_at IS NOT NULL) = (state IN ('completed', 'declined', 'reversed'))),
  CHECK ((deadline_at IS NULL) = (ended_at IS NOT NULL)),
  CHECK (holds_order = (state <> 'declined'))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE UNIQUE INDEX purchases_one_per_order ON purchases (machine_id, order_seq) WHERE holds_order;
CREATE INDEX purchases_of_machine ON purchases (machine_id, order_seq);
CREATE INDEX purchases_due ON purchases (deadline_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX purchases_ended ON purchases (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX purchases_of_payer ON purchases (payer_id, id);
CREATE INDEX purchases_by_reference ON purchases (reference);

CREATE TABLE purchases_past (LIKE purchases INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE INDEX purchases_past_of_machine ON purchases_past (machine_id, order_seq);
CREATE INDEX purchases_past_of_payer ON purchases_past (payer_id, id);
CREATE INDEX purchases_past_by_reference ON purchases_past (reference);

CREATE VIEW purchases_all AS SELECT * FROM purchases UNION ALL SELECT * FROM purchases_past;

CREATE TABLE effects (                          -- what is still to be asked of the world; deleted when answered
  purchase_id uuid NOT NULL,
  key uuid NOT NULL,                            -- idempotency key, from the core
  kind text NOT NULL CHECK (kind IN
    ('authorize', 'query_payment', 'approve', 'query_order', 'settle', 'reverse', 'refund', 'notify')),
  machine_id text,                              -- set for approve and query_order: only the holder of its socket takes them
  payload jsonb NOT NULL,                       -- never a phone number, PIN or secret
  due_at timestamptz NOT NULL,                  -- not before; while leased, the end of the lease
  lease_owner text,                             -- node:incarnation
  tries int NOT NULL DEFAULT 0,                 -- times taken: the fencing token
  may_sent boolean NOT NULL DEFAULT false,      -- the machine may have received the approval
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (purchase_id, key),
  CHECK ((machine_id IS NOT NULL) = (kind IN ('approve', 'query_order')))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX effects_due ON effects (due_at) WHERE machine_id IS NULL;
CREATE INDEX effects_of_machine ON effects (machine_id) WHERE machine_id IS NOT NULL;

CREATE TABLE purchase_events (
  purchase_id uuid NOT NULL,
  version int NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- commit number of the live feed
  at timestamptz NOT NULL DEFAULT now(),
  event text NOT NULL,
  state text NOT NULL,
  content jsonb NOT NULL DEFAULT '{}',
  node text NOT NULL,
  PRIMARY KEY (purchase_id, version)            -- one event per version: the second guard after the compare-and-set
) PARTITION BY RANGE (purchase_id);
CREATE INDEX purchase_events_by_commit ON purchase_events (xid);

CREATE TABLE machine_statements (               -- a machine's final words, each kept once
  machine_id text NOT NULL,
  order_seq bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('success', 'failure', 'closed')),
  purchase_id uuid,
  content jsonb NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (machine_id, order_seq, kind)
);
CREATE INDEX machine_statements_by_age ON machine_statements (received_at);

CREATE TABLE cases (                            -- why a person should look
  purchase_id uuid NOT NULL,
  kind text NOT NULL,
  operator_id int NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT now(),
  due_at timestamptz,
  owner_id int,
  closed_at timestamptz,
  closed_by int,
  note text,
  PRIMARY KEY (purchase_id, kind)
);
CREATE INDEX cases_open ON cases (operator_id, opened_at) WHERE closed_at IS NULL;

CREATE TABLE machine_days (                     -- sales figures, written by the commit that ends a purchase
  machine_id text NOT NULL,
  day date NOT NULL,                            -- in the operator's time zone
  currency text NOT NULL,
  operator_id int NOT NULL,
  sold int NOT NULL DEFAULT 0,
  sold_minor bigint NOT NULL DEFAULT 0,
  reversed int NOT NULL DEFAULT 0,
  reversed_minor bigint NOT NULL DEFAULT 0,
  declined int NOT NULL DEFAULT 0,
  last_sale_at timestamptz,
  PRIMARY KEY (machine_id, day, currency)
) WITH (fillfactor = 80);
CREATE INDEX machine_days_of_operator ON machine_days (operator_id, day);

CREATE TABLE refunds (                          -- money given back after the end, beside the purchase's own state
  purchase_id uuid NOT NULL,
  n int NOT NULL CHECK (n > 0),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'settled')),
  requested_by text NOT NULL,
  approved_by text,
  reason text NOT NULL,
  key uuid NOT NULL,                            -- of its effect
  requested_at timestamptz NOT NULL DEFAULT now(),
  settled_at timestamptz,
  PRIMARY KEY (purchase_id, n)
);

CREATE TABLE audit_log (                        -- who did what; each row carries the hash of the one before
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  operator_id int,
  actor text NOT NULL,
  action text NOT NULL,
  subject text NOT NULL,
  content jsonb NOT NULL DEFAULT '{}',
  hash_before bytea,
  hash bytea NOT NULL
);
