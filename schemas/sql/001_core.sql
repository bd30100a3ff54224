-- 001_core.sql: the database of a shard. One persist process is its only writer; readers may use a replica.
--
-- Ids are unsigned 64-bit numbers kept as bit patterns in bigint. Player ids are 1 to 2^63 - 1; every other id is
-- `shard index << 48 | counter`. Rows of value carry a `version` that rises with each change: what is stored with an
-- older one is refused. There are no foreign keys: the ledger checks what belongs together before it stores, a row may name a player
-- of another shard, and a key that is checked again on every write would cost more than the write.
--
-- Errors of our own: MV001 a row was not as expected (conflict), MV002 a newer persist has taken over (fenced).

-- The shard itself: one row. `epoch` rises with each start of its persist; `next_id` is the counter from which ids are made.
create table shard (
    one         boolean  primary key default true check (one),
    shard_index integer  not null check (shard_index >= 0),
    shard_count integer  not null check (shard_count > shard_index),
    epoch       bigint   not null default 0,
    next_id     bigint   not null default 1 check (next_id > 0 and next_id < 1::bigint << 48)
) with (fillfactor = 50);

-- How far the journal has been written behind: one row, apart from `shard` so that a long flush holds no lock that a command needs.
create table watermark (
    one        boolean primary key default true check (one),
    journal_id uuid,
    position   bigint  not null default 0
) with (fillfactor = 50);
insert into watermark default values;

-- Which zone process owns a partition of the world. The epoch rises with each new owner.
create table leases (
    partition  text        primary key check (length(partition) between 1 and 64),
    owner      text        not null,
    epoch      bigint      not null check (epoch > 0),
    granted_at timestamptz not null default now()
);

-- Who has ever played here. A name is unique within its shard.
create table players (
    player       bigint      primary key check (player > 0),
    name         text        not null unique check (length(name) between 1 and 32),
    region       text        not null default 'main' check (length(region) between 1 and 32),
    created_at   timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    guild        bigint      -- the guild of this player, which may be at home on another shard; null: none
) with (fillfactor = 80);
create index players_of_guild on players (guild) where guild is not null;

-- Motion: the newest state that was written behind. Positions are Q16.16 metres, yaw 65536 to the turn. Written every few
-- seconds for whoever moved, so there is room in each page for the next version of every row in it, and no index but the key:
-- updates stay in their page.
create table player_state (
    player        bigint  primary key check (player > 0),
    session_epoch bigint  not null,
    tick          bigint  not null,
    experience    bigint  not null check (experience >= 0),
    x             integer not null,
    y             integer not null,
    yaw           integer not null check (yaw between 0 and 65535),
    level         integer not null check (level between 0 and 65535),
    hit_points    integer not null check (hit_points between 0 and 65535),
    flags         integer not null default 0 check (flags between 0 and 65535)
) with (fillfactor = 45);

-- Accounts of value. Owner kinds: 1 player, 2 guild bank, 3 auction escrow, 4 transfer escrow. (5 another shard, 8 the source
-- and 9 the sink are in the entries of events only.)
create table accounts (
    owner_kind smallint not null check (owner_kind between 1 and 4),
    owner      bigint   not null,
    gold       bigint   not null default 0 check (gold between 0 and 1::bigint << 53),
    version    bigint   not null check (version > 0),
    primary key (owner_kind, owner)
) with (fillfactor = 70);

-- What accounts hold. A slot holds one stack; the check waits for the commit, so that two can change places.
create table items (
    id         bigint   primary key,
    owner_kind smallint not null check (owner_kind between 1 and 4),
    owner      bigint   not null,
    slot       smallint not null check (slot between 0 and 127),
    kind       integer  not null check (kind > 0),
    count      integer  not null check (count > 0),
    version    bigint   not null check (version > 0),
    unique (owner_kind, owner, slot) deferrable initially deferred
) with (fillfactor = 80);

-- Answers already given, by idempotency key. Domains: 1 a client's command, 2 loot (the key is what was killed), 3 a transfer,
-- 4 an operator. Old ones are removed in small steps; rows come in the order of time, so a block-range index finds them.
create table commands (
    domain smallint    not null check (domain between 1 and 4),
    player bigint      not null,
    key    bigint      not null,
    status smallint    not null,
    object bigint      not null default 0,
    at     timestamptz not null default now(),
    primary key (domain, player, key)
);
create index commands_by_time on commands using brin (at) with (pages_per_range = 16, autosummarize = on);

-- Open offers between two players. The items stay with their owners: lists of [id, version, count, kind].
create table trades (
    id         bigint      primary key,
    offerer    bigint      not null,
    accepter   bigint      not null,
    give       jsonb       not null check (jsonb_typeof(give) = 'array'),
    want       jsonb       not null check (jsonb_typeof(want) = 'array'),
    give_gold  bigint      not null default 0 check (give_gold >= 0),
    want_gold  bigint      not null default 0 check (want_gold >= 0),
    expires_at timestamptz not null,
    version    bigint      not null check (version > 0)
);

-- Open auctions. What is sold and the gold of the highest bid lie in the account (3, id).
create table auctions (
    id         bigint      primary key,
    seller     bigint      not null,
    item_kind  integer     not null check (item_kind > 0),
    item_count integer     not null check (item_count > 0),
    min_bid    bigint      not null check (min_bid >= 0),
    buyout     bigint      not null default 0 check (buyout >= 0), -- 0: bids only
    bid        bigint      not null default 0 check (bid >= 0),
    bidder     bigint      not null default 0,                     -- 0: nobody yet
    ends_at    timestamptz not null,
    version    bigint      not null check (version > 0)
) with (fillfactor = 80);
create index auctions_by_kind on auctions (item_kind, id);

-- Guilds, their members in the order of joining, and who was invited. The bank is the account (2, id).
create table guilds (
    id         bigint      primary key,
    name       text        not null unique check (length(name) between 3 and 31),
    leader     bigint      not null,
    version    bigint      not null check (version > 0),
    created_at timestamptz not null default now()
);
create table guild_members (
    player bigint   primary key,
    guild  bigint   not null,
    rank   smallint not null check (rank between 0 and 2),
    joined bigint   not null -- rises within a guild
);
create index guild_members_of_guild on guild_members (guild, joined) include (player, rank);
create table guild_invites (
    guild      bigint      not null,
    player     bigint      not null,
    invited_by bigint      not null,
    expires_at timestamptz not null,
    primary key (guild, player)
);

-- What is on its way to another shard; its contents lie in the account (4, id) until the destination has answered.
create table transfers (
    id         bigint      primary key,
    dest_shard integer     not null check (dest_shard >= 0),
    purpose    smallint    not null check (purpose between 1 and 5),
    payload    jsonb       not null,
    created_at timestamptz not null default now()
);

-- Everything that changed value, one row each, in the transaction that changed it. `detail` holds
-- {"object", "other", "entries": [[owner_kind, owner, item, item_kind, delta], ...]}; entries sum to 0 for each item_kind (0 is gold),
-- source and sink included. A table a day, made ahead by events_create and folded away by events_fold.
create table events (
    id     bigint      not null,
    at     timestamptz not null default now(),
    player bigint      not null,            -- who caused it
    other  bigint,                          -- the other player, where there is one
    type   smallint    not null,
    domain smallint    not null default 0,
    key    bigint      not null default 0,
    detail jsonb       not null,
    primary key (id, at)
) partition by range (at);
create index events_by_player on events (player, id) include (at, type);
create index events_by_other on events (other, id) include (at, type) where other is not null;

-- What the events that were folded away add up to. Sources and sinks are kept by kind only, items that left an account not at all.
create table event_baseline (
    owner_kind smallint not null,
    owner      bigint   not null,
    item       bigint   not null, -- 0: gold, or a source or sink
    item_kind  integer  not null,
    amount     numeric  not null, -- a source may have created more than a bigint in the end
    primary key (owner_kind, owner, item, item_kind)
);

-- Days that are over, with their row of daily_stats for each type: summed once, by events_close, and again when they are folded away.
create table event_history (
    day            date     not null,
    type           smallint not null,
    events         bigint   not null,
    players        bigint   not null,
    gold_created   numeric  not null,
    gold_destroyed numeric  not null,
    primary key (day, type)
);

-- Up to which day, itself included, event_history has all that there is. One row.
create table event_closed (
    day date not null
);
insert into event_closed values ('-infinity');

-- Events that are not in the stream yet. Removed once they are, so it is nearly always empty: cleaned often.
create table outbox (
    event bigint primary key
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- Scores, from which leaderboards are rebuilt when Redis was lost.
create table scores (
    board  text    not null check (length(board) between 1 and 32),
    season integer not null,
    player bigint  not null,
    region text    not null check (length(region) between 1 and 32),
    score  bigint  not null,
    primary key (board, season, player)
) with (fillfactor = 80);

-- Who is logged in where, and connect tokens that were used: the fallback while Redis is away. Worth nothing after a crash of the
-- server, so not logged.
create unlogged table sessions (
    player     bigint      primary key,
    epoch      bigint      not null,
    gateway    text        not null,
    session    bigint      not null,
    expires_at timestamptz not null
) with (fillfactor = 70);
create unlogged table tokens (
    hash       bytea       primary key check (octet_length(hash) = 16),
    expires_at timestamptz not null
);
create index tokens_by_expiry on tokens (expires_at);

-- march_fence is the first call of every transaction of persist. It holds off march_raise_epoch until the transaction ends, so that
-- nothing of an older epoch can be committed after a newer one was given out. An advisory lock: no row is written.
create function march_fence(held bigint) returns void language plpgsql as $$
declare
    newest bigint;
begin
    perform pg_advisory_xact_lock_shared(77, 1);
    select epoch into strict newest from shard;
    if newest <> held then
        raise exception 'epoch % is over, % has taken over', held, newest using errcode = 'MV002';
    end if;
end $$;

-- march_raise_epoch gives out the next epoch, after every transaction that passed the fence has ended.
create function march_raise_epoch() returns bigint language plpgsql as $$
declare
    raised bigint;
begin
    perform pg_advisory_xact_lock(77, 1);
    update shard set epoch = epoch + 1 returning epoch into strict raised;
    return raised;
end $$;

-- march_expect refuses the transaction unless as many rows were changed as should have been.
create function march_expect(actual bigint, expected bigint) returns void language plpgsql as $$
begin
    if actual is distinct from expected then
        raise exception 'changed % rows, expected %', actual, expected using errcode = 'MV001';
    end if;
end $$;

-- march_watermark moves the watermark on, and never back: a flush that was thought lost and comes late is refused.
create function march_watermark(journal uuid, reached bigint) returns void language plpgsql as $$
begin
    update watermark set position = reached where journal_id = journal and position <= reached;
    if not found then
        raise exception 'watermark is past % or of another journal', reached using errcode = 'MV001';
    end if;
end $$;

-- events_of_day names the partition of a day; days are UTC.
create function events_of_day(day date) returns text language sql immutable as $$
    select 'events_' || to_char(day, 'YYYYMMDD')
$$;

-- events_create makes the partitions of `first` and the `days - 1` after it that are not there yet, and returns how many it made. It
-- attaches ready tables, which hinders nobody for long, and rather fails than waits behind somebody.
create function events_create(first date, days integer) returns integer
language plpgsql set lock_timeout = '500ms' as $$
declare
    made integer := 0;
    day  date;
begin
    for day in select first + n from generate_series(0, days - 1) n loop
        if to_regclass(events_of_day(day)) is null then
            execute format('create table %I (like events including all)', events_of_day(day));
            execute format('alter table events attach partition %I for values from (%L) to (%L)', events_of_day(day),
                           day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
            made := made + 1;
        end if;
    end loop;
    return made;
end $$;

-- events_days lists the partitions that there are.
create function events_days() returns setof date language sql stable as $$
    select to_date(substr(c.relname, 8), 'YYYYMMDD')
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'events'::regclass order by 1
$$;

-- event_entries spreads the entries of events into rows.
create view event_entries as
    select e.id, e.at, e.player, e.type,
           (entry->>0)::smallint as owner_kind, (entry->>1)::bigint as owner, (entry->>2)::bigint as item,
           (entry->>3)::integer as item_kind, (entry->>4)::bigint as delta
    from events e cross join jsonb_array_elements(e.detail->'entries') entry;

-- event_stats sums the events of a time by day and type.
create function event_stats(since timestamptz, until timestamptz)
returns table (day date, type smallint, events bigint, players bigint, gold_created numeric, gold_destroyed numeric)
language sql stable as $$
    select (e.at at time zone 'UTC')::date, e.type, count(*), count(distinct e.player),
           coalesce(sum(g.created), 0), coalesce(sum(g.destroyed), 0)
    from events e cross join lateral (
        select -sum((entry->>4)::bigint) filter (where entry->>0 = '8') as created,
               sum((entry->>4)::bigint) filter (where entry->>0 = '9') as destroyed
        from jsonb_array_elements(e.detail->'entries') entry where entry->>3 = '0') g
    where e.at >= since and e.at < until
    group by 1, 2
$$;

-- events_close sums the oldest day that is not in event_history yet, if it is of before `before`, and returns it, or null when there was
-- none. Transactions that began on that day must have ended; one that had not is counted when the day is folded.
create function events_close(before date) returns date
language plpgsql set lock_timeout = '500ms' as $$
declare
    reached date;
    closed  date;
begin
    select day into strict reached from event_closed for update;
    select min(d) into closed from events_days() d where d > reached and d < before;
    if closed is null then
        return null;
    end if;
    insert into event_history
        select * from event_stats(closed::timestamp at time zone 'UTC', (closed + 1)::timestamp at time zone 'UTC');
    update event_closed set day = closed;
    return closed;
end $$;

-- events_fold takes the oldest partition away if it is of before `keep`: its entries are added to event_baseline, its sums to
-- event_history, and the table is dropped, all in the caller's transaction. Returns its day, or null when there was none to
-- fold, or when events of it still wait in the outbox. Rather fails than waits behind a reader.
create function events_fold(keep date) returns date
language plpgsql set lock_timeout = '500ms' as $$
declare
    folded date;
    since  timestamptz;
    until  timestamptz;
    waits  boolean;
begin
    perform from event_closed for update;
    select min(d) into folded from events_days() d where d < keep;
    if folded is null then
        return null;
    end if;
    execute format('select exists (select from outbox o join %I e on e.id = o.event)', events_of_day(folded)) into waits;
    if waits then
        return null;
    end if;
    since := folded::timestamp at time zone 'UTC';
    until := (folded + 1)::timestamp at time zone 'UTC';
    delete from event_history where day = folded;
    insert into event_history select * from event_stats(since, until);
    update event_closed set day = greatest(day, folded);
    insert into event_baseline as b (owner_kind, owner, item, item_kind, amount)
        select owner_kind, owner, case when owner_kind in (8, 9) then 0 else item end, item_kind, sum(delta)
        from event_entries where at >= since and at < until
        group by 1, 2, 3, 4 having sum(delta) <> 0
        on conflict (owner_kind, owner, item, item_kind) do update set amount = b.amount + excluded.amount;
    delete from event_baseline where amount = 0;
    execute format('drop table %I', events_of_day(folded));
    return folded;
end $$;

-- Each day's events by type, of all time. Refreshed now and then without hindering readers, for which it needs its unique index. Of the
-- events themselves it reads those of days that are not closed: the bound leaves the other partitions out when it is run.
create materialized view daily_stats as
    select day, type, events, players, gold_created, gold_destroyed from event_history
    union all
    select day, type, events, players, gold_created, gold_destroyed from event_stats((select (day + 1)::timestamp at time zone 'UTC' from event_closed), 'infinity');
create unique index daily_stats_key on daily_stats (day, type);
