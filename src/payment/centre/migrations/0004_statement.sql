-- Holds by the reference of their purchase, as payments are already: a statement reads one day's purchases of both.

set local search_path = ledger, pg_temp;
create index hold_reference on hold (reference);
reset search_path;
