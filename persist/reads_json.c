/* reads_json.c: see reads_json.h. */
#include "persist/reads_json.h"

#include <string.h>

#include "common/item_kinds.h"
#include "persist/json_text.h"

/* --- errors */

static const struct {
    int error;
    const char *code, *message;
} ERRORS[] = {
    {MARCH_ERR_NOT_FOUND, "not_found", "there is no such thing"},
    {MARCH_ERR_UNAVAILABLE, "unavailable", "a database is away; try again"},
    {MARCH_ERR_EXPIRED, "timeout", "the answer took too long"},
    {MARCH_ERR_FULL, "busy", "too many requests wait for an answer"},
    {MARCH_ERR_INVALID, "internal", "the answer was not understood"},
};

#define ERROR_COUNT (sizeof ERRORS / sizeof *ERRORS)

static size_t error_index(int error) {
    for (size_t i = 0; i < ERROR_COUNT; i++)
        if (ERRORS[i].error == error) return i;
    return ERROR_COUNT - 1;
}

const char *reads_json_code(int error) {
    return ERRORS[error_index(error)].code;
}

const char *reads_json_message(int error) {
    return ERRORS[error_index(error)].message;
}

json_t *reads_json_error(const char *code, const char *message) {
    return json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", message);
}

/* --- writing */

static json_t *with_meta(json_t *json, struct reads_meta meta) {
    if (json && meta.stale) json_object_set_new(json, "stale", json_true());
    return json;
}

static json_t *guild_json(uint64_t guild, const char *name) {
    return guild ? json_pack("{s:I, s:s}", "id", (json_int_t)guild, "name", name) : json_null();
}

json_t *reads_json_profile(const struct reads_profile *p, struct reads_meta meta) {
    char created[JSON_TIME_SIZE], seen[JSON_TIME_SIZE];
    json_time(created, p->created_ms);
    json_time(seen, p->seen_ms);
    return with_meta(json_pack("{s:I, s:s, s:s, s:o, s:i, s:I, s:b, s:s, s:s}", "player", (json_int_t)p->player, "name",
                               p->name, "region", p->region, "guild", guild_json(p->guild, p->guild_name), "level",
                               (int)p->level, "experience", (json_int_t)p->experience, "online", (int)p->online,
                               "created_at", created, "last_seen_at", seen),
                     meta);
}

static json_t *failed_json(uint64_t player, int error) {
    return json_pack("{s:I, s:{s:s, s:s}}", "player", (json_int_t)player, "error", "code", reads_json_code(error), "message",
                     reads_json_message(error));
}

json_t *reads_json_profiles(const struct reads_profile_result *results, uint32_t count) {
    json_t *players = json_array();
    for (uint32_t i = 0; i < count; i++) {
        const struct reads_profile_result *r = &results[i];
        json_array_append_new(players, r->error ? failed_json(r->profile.player, r->error)
                                                : reads_json_profile(&r->profile, r->meta));
    }
    return json_pack("{s:o}", "players", players);
}

static json_t *item_json(const struct ledger_item *item) {
    const struct item_kind_info *info = item_kind_find(item->kind);
    return json_pack("{s:I, s:i, s:s, s:i, s:i, s:I}", "id", (json_int_t)item->id, "kind", (int)item->kind, "name",
                     info ? info->name : "unknown", "count", (int)item->count, "slot", (int)item->slot, "version",
                     (json_int_t)item->version);
}

json_t *reads_json_inventory(const struct reads_inventory *inventory, struct reads_meta meta) {
    json_t *items = json_array();
    for (uint32_t i = 0; i < inventory->item_count; i++) json_array_append_new(items, item_json(&inventory->items[i]));
    return with_meta(json_pack("{s:I, s:I, s:I, s:o}", "player", (json_int_t)inventory->player, "gold",
                               (json_int_t)inventory->gold, "version", (json_int_t)inventory->version, "items", items),
                     meta);
}

json_t *reads_json_guild(const struct reads_guild *guild, struct reads_meta meta) {
    return with_meta(json_pack("{s:I, s:s, s:I, s:i, s:I}", "guild", (json_int_t)guild->guild, "name", guild->name, "leader",
                               (json_int_t)guild->leader, "members", (int)guild->member_count, "version",
                               (json_int_t)guild->version),
                     meta);
}

static const char *rank_name(uint32_t rank) {
    return rank == LEDGER_RANK_LEADER ? "leader" : rank == LEDGER_RANK_OFFICER ? "officer" : "member";
}

json_t *reads_json_members(const struct reads_guild *guild, uint32_t first, uint32_t count, struct reads_meta meta) {
    json_t *members = json_array();
    uint32_t end = guild->member_count;
    if (first > end) first = end;
    if (end - first > count) end = first + count;
    for (uint32_t i = first; i < end; i++)
        json_array_append_new(members, json_pack("{s:I, s:s}", "player", (json_int_t)guild->members[i].player, "rank",
                                                 rank_name(guild->members[i].rank)));
    json_t *next = end < guild->member_count ? json_integer((json_int_t)end) : json_null();
    return with_meta(json_pack("{s:I, s:i, s:o, s:o}", "guild", (json_int_t)guild->guild, "total", (int)guild->member_count,
                               "members", members, "next", next),
                     meta);
}

static json_t *entry_json(const struct board_entry *entry) {
    return json_pack("{s:I, s:I, s:I}", "rank", (json_int_t)entry->rank, "player", (json_int_t)entry->player, "score",
                     (json_int_t)entry->score);
}

json_t *reads_json_board(const struct reads_board *board, const char *region, struct reads_meta meta) {
    json_t *entries = json_array();
    for (uint32_t i = 0; i < board->count; i++) json_array_append_new(entries, entry_json(&board->entries[i]));
    json_t *json = json_pack("{s:s, s:i, s:s?, s:I, s:o}", "board", board_name(board->board), "season", (int)board->season,
                             "region", region, "total", (json_int_t)board->total, "entries", entries);
    if (json && board->self.player) json_object_set_new(json, "self", entry_json(&board->self));
    return with_meta(json, meta);
}

/* --- reading */

static bool read_u64(const json_t *object, const char *key, uint64_t *out) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_text(const json_t *object, const char *key, char out[READS_NAME_MAX + 1]) {
    const json_t *value = json_object_get(object, key);
    size_t len = json_string_length(value);
    if (!json_is_string(value) || len > READS_NAME_MAX || strlen(json_string_value(value)) != len) return false;
    memcpy(out, json_string_value(value), len + 1);
    return true;
}

static bool read_time(const json_t *object, const char *key, int64_t *out) {
    const json_t *value = json_object_get(object, key);
    struct tm tm = {0};
    if (!json_is_string(value)) return false;
    const char *end = strptime(json_string_value(value), "%Y-%m-%dT%H:%M:%S", &tm);
    int ms = 0;
    if (!end || sscanf(end, ".%3dZ", &ms) != 1 || ms < 0) return false;
    *out = (int64_t)timegm(&tm) * 1000 + ms;
    return true;
}

static int read_profile(const json_t *json, struct reads_profile *out) {
    const json_t *guild = json_object_get(json, "guild");
    uint64_t level;
    struct reads_profile p = {.online = json_is_true(json_object_get(json, "online"))};
    bool good = read_u64(json, "player", &p.player) && read_u64(json, "experience", &p.experience) &&
                read_u64(json, "level", &level) && level <= UINT16_MAX && read_text(json, "name", p.name) &&
                read_text(json, "region", p.region) && read_time(json, "created_at", &p.created_ms) &&
                read_time(json, "last_seen_at", &p.seen_ms);
    if (json_is_object(guild)) good = good && read_u64(guild, "id", &p.guild) && read_text(guild, "name", p.guild_name);
    if (!good) return MARCH_ERR_INVALID;
    p.level = (uint32_t)level;
    *out = p;
    return 0;
}

static void read_result(const json_t *json, struct reads_profile_result *result) {
    const json_t *error = json_object_get(json, "error");
    if (!error) {
        result->error = read_profile(json, &result->profile);
        return;
    }
    const char *code = json_string_value(json_object_get(error, "code"));
    result->error = MARCH_ERR_INVALID;
    for (size_t i = 0; code && i < ERROR_COUNT; i++)
        if (strcmp(code, ERRORS[i].code) == 0) result->error = ERRORS[i].error;
}

int reads_json_read_profiles(const char *body, size_t len, struct reads_profile_result *results, uint32_t count) {
    json_t *json = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *players = json_object_get(json, "players"), *one;
    size_t index;
    int result = json_is_array(players) ? 0 : MARCH_ERR_INVALID;
    json_array_foreach(players, index, one) {
        uint64_t player;
        if (!read_u64(one, "player", &player)) continue;
        for (uint32_t i = 0; i < count; i++)
            if (results[i].profile.player == player) read_result(one, &results[i]);
    }
    json_decref(json);
    return result;
}

static bool read_entry(const json_t *json, struct board_entry *entry) {
    uint64_t score = 0;
    bool good =
        read_u64(json, "player", &entry->player) && read_u64(json, "score", &score) && read_u64(json, "rank", &entry->rank);
    entry->score = (int64_t)score;
    return good;
}

int reads_json_read_board(const char *body, size_t len, struct reads_board *board) {
    json_t *json = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *entries = json_object_get(json, "entries"), *self = json_object_get(json, "self"), *one;
    size_t index, count = json_array_size(entries);
    bool good = json_is_array(entries) && count <= READS_BOARD_MAX && read_u64(json, "total", &board->total) &&
                (!self || read_entry(self, &board->self));
    board->count = good ? (uint32_t)count : 0;
    board->from_rows = json_is_true(json_object_get(json, "stale"));
    json_array_foreach(entries, index, one) {
        good = good && read_entry(one, &board->entries[index]);
    }
    json_decref(json);
    return good ? 0 : MARCH_ERR_INVALID;
}
