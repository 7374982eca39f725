-- What operators register, and the payers: small tables, read by primary key, cached by each node.

CREATE TABLE operators (
  id int PRIMARY KEY,
  name text NOT NULL,
  account text NOT NULL,                        -- the operator's name at the payment centre
  -- Whose day a sale belongs to. Checked here: an unknown zone would fail each commit that ends a purchase.
  time_zone text NOT NULL CHECK (timestamptz '2000-01-01' AT TIME ZONE time_zone IS NOT NULL),
  currency text NOT NULL CHECK (length(currency) = 3),
  language text NOT NULL
);

CREATE TABLE products (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  operator_id int NOT NULL REFERENCES operators,
  name text NOT NULL,
  price_minor bigint CHECK (price_minor > 0),   -- null: only the machine knows
  UNIQUE (operator_id, name)
);

CREATE TABLE machines (
  id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{2,47}$'),
  number text NOT NULL UNIQUE CHECK (number ~ '^[0-9]{1,12}$'),  -- what a payer keys
  operator_id int NOT NULL REFERENCES operators,
  name text NOT NULL,
  place text NOT NULL,
  currency text NOT NULL CHECK (length(currency) = 3),
  price_mode text NOT NULL CHECK (price_mode IN ('machine', 'server', 'both')),
  min_minor bigint NOT NULL CHECK (min_minor > 0),
  max_minor bigint NOT NULL CHECK (max_minor >= min_minor),
  credential_macs text[] NOT NULL DEFAULT '{}', -- HMAC-SHA-256 of the machine's key, hexadecimal, the newer first
  suspended boolean NOT NULL DEFAULT false,
  seq_floor bigint NOT NULL DEFAULT 0           -- highest order of a purchase that has left `purchases`: bought never again
);
CREATE INDEX machines_of_operator ON machines (operator_id);

CREATE TABLE machine_items (
  machine_id text NOT NULL REFERENCES machines,
  item int CHECK (item BETWEEN 0 AND 65534),    -- null: the one thing of a machine without selections
  product_id int NOT NULL REFERENCES products,
  price_minor bigint CHECK (price_minor > 0),   -- null: the product's
  UNIQUE NULLS NOT DISTINCT (machine_id, item)
);

-- Phone numbers lie here only, and never in clear: a keyed hash to find them, a box to read them (storage.md 3.7).
CREATE TABLE subscribers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  msisdn_mac bytea UNIQUE,                      -- HMAC-SHA-256 under a server key
  msisdn_key bytea,                             -- this subscriber's own key, wrapped by the master key `key_id`
  msisdn_box bytea,                             -- AES-256-GCM under that key
  key_id text,
  language text,                                -- null: none chosen
  receipts boolean NOT NULL DEFAULT true,
  last_seen_on date NOT NULL DEFAULT current_date,
  erased_at timestamptz,
  CHECK ((erased_at IS NULL) = (msisdn_mac IS NOT NULL AND msisdn_key IS NOT NULL AND msisdn_box IS NOT NULL AND key_id IS NOT NULL))
);
