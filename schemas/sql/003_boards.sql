-- 003_boards.sql: leaderboards in their order, for when Redis is away.
create index scores_in_order on scores (board, season, region, score desc);
