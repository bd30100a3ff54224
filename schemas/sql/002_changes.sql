-- 002_changes.sql: what is changed by hand is heard. Persist keeps what it has read in memory, and is the only writer by rule; an operator
-- with psql is not stopped from changing rows. Triggers tell every persist which rows those are, on the channel march_changed
-- (reads.h), and raise their version, so that what was read before is not stored over them.
--
-- Persist's own transactions say nothing: they begin with march_fence, which marks them, and the condition of each trigger is looked
-- at before anything is queued. Whoever empties a table (truncate), or gives a player a name, restarts persist.

create or replace function march_fence(held bigint) returns void language plpgsql as $$
declare
    newest bigint;
begin
    perform pg_advisory_xact_lock_shared(77, 1), set_config('march.writer', 'on', true);
    select epoch into strict newest from shard;
    if newest <> held then
        raise exception 'epoch % is over, % has taken over', held, newest using errcode = 'MV002';
    end if;
end $$;

-- march_tell says which player, guild or auction a row is about, as it was and as it is. Equal words of one transaction are sent once.
create function march_tell() returns trigger language plpgsql as $$
declare
    about jsonb;
begin
    foreach about in array array[to_jsonb(old), to_jsonb(new)] loop
        continue when about is null;
        if tg_table_name = 'auctions' or about->>'owner_kind' = '3' then
            perform pg_notify('march_changed', 'auction');
        elsif about->>'owner_kind' in ('1', '2') then
            perform pg_notify('march_changed',
                              case about->>'owner_kind' when '1' then 'player ' else 'guild ' end || (about->>'owner'));
        elsif tg_table_name = 'guilds' then
            perform pg_notify('march_changed', 'guild ' || (about->>'id'));
        elsif tg_table_name in ('players', 'guild_members') then
            perform pg_notify('march_changed', 'player ' || (about->>'player'));
            if about->>'guild' is not null then
                perform pg_notify('march_changed', 'guild ' || (about->>'guild'));
            end if;
        end if;
    end loop;
    return null;
end $$;

create function march_raise_version() returns trigger language plpgsql as $$
begin
    new.version := old.version + 1;
    return new;
end $$;

do $$
declare
    named text;
begin
    foreach named in array array['players', 'accounts', 'items', 'guilds', 'guild_members', 'auctions'] loop
        execute format('create trigger tell after insert or update or delete on %I for each row '
                       'when (current_setting(''march.writer'', true) is distinct from ''on'') execute function march_tell()', named);
    end loop;
    foreach named in array array['accounts', 'items', 'guilds', 'auctions'] loop
        execute format('create trigger raise_version before update on %I for each row when (new.version = old.version '
                       'and current_setting(''march.writer'', true) is distinct from ''on'') '
                       'execute function march_raise_version()', named);
    end loop;
end $$;
