-- 005_matches.sql: what the matchmaker finds again after a restart, and ratings.

-- A document without a body was erased; it is kept for an hour, so that an older write that comes late can't bring it back.
create table match_documents (
    kind       smallint    not null,
    key        bigint      not null,
    version    bigint      not null,
    body       bytea,
    changed_at timestamptz not null default now(),
    primary key (kind, key)
) with (fillfactor = 80);
create index match_documents_erased on match_documents (changed_at) where body is null;
create index match_documents_results on match_documents (changed_at) where kind = 4;

create table ratings (
    player   bigint           not null check (player > 0),
    mode     text             not null check (length(mode) between 1 and 31),
    season   integer          not null,
    mu       double precision not null,
    sigma    double precision not null check (sigma > 0),
    points   integer          not null,
    played   integer          not null,
    won      integer          not null,
    rated_at timestamptz      not null,
    primary key (player, mode)
);
create index ratings_in_order on ratings (mode, season, points desc, player);

-- Who has had what a match was worth.
create table match_settled (
    match  bigint      not null,
    player bigint      not null,
    at     timestamptz not null default now(),
    primary key (match, player)
);
create index match_settled_to_clean on match_settled (at);
