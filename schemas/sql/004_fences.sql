-- 004_fences.sql: zone processes that were fenced, whatever leases they had: they get none any more, also from a persist that has
-- been started since. Owners as in leases; forgotten after a month.
create table fences (
    owner text        primary key,
    at    timestamptz not null default now()
);
