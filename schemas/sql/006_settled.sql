-- 006_settled.sql: rows of match_settled come in the order of time, so a block-range index finds the old ones, and settling writes one
-- tree less.

drop index match_settled_to_clean;
create index match_settled_to_clean on match_settled using brin (at) with (pages_per_range = 16, autosummarize = on);
