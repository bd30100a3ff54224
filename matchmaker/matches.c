/* matches.c: see matches.h. */
#include "matchmaker/matches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/log.h"
#include "common/shard.h"
#include "common/step.h"
#include "matchmaker/front.h"
#include "matchmaker/regions.h"
#include "schemas/cells.h"

struct matches {
    struct matches_config config;
    struct keep *keep;
    struct instances *instances;
    struct desk *desk;
    struct library *library;
    struct links *links;
    struct front *front; /* NULL where there is none */
    struct instance_api api;
    struct mono now;
    uint64_t wall_ms, version; /* version: of the directory that the instances know */
    uint64_t asked;
};

/* --- what the parts say to each other */

static void on_recalled(void *context, const struct wire_document *document, const uint8_t *bytes) {
    struct matches *m = context;
    desk_recalled(m->desk, document, bytes, m->wall_ms);
}

static void on_ready(void *context) {
    struct matches *m = context;
    desk_ready(m->desk, m->now, m->wall_ms);
    log_info("matches.ready", "tickets=%u parties=%u instances=%u", desk_stats_get(m->desk).tickets,
             desk_stats_get(m->desk).parties, instances_count(m->instances));
}

static void on_rating(void *context, const struct wire_rating *rating) {
    struct matches *m = context;
    desk_rating(m->desk, rating, m->now, m->wall_ms);
}

static void on_settled(void *context, uint64_t match, uint64_t player, bool is_done) {
    desk_settled(((struct matches *)context)->desk, match, player, is_done);
}

static void on_read(void *context, uint32_t kind, uint64_t key, const uint8_t *bytes, uint32_t len) {
    struct matches *m = context;
    if (m->front && kind == WIRE_DOCUMENT_RESULT) front_result(m->front, key, bytes, len);
}

static void on_page(void *context, uint64_t request, const struct wire_page_row *rows, uint32_t count, bool is_whole) {
    struct matches *m = context;
    if (m->front) front_page(m->front, request, rows, count, is_whole);
}

static void on_instance(void *context, enum instances_event_kind kind, const struct instance_view *view, uint64_t player) {
    struct matches *m = context;
    desk_instance(m->desk, kind, view, player, m->now, m->wall_ms);
}

static void on_tell(void *context, uint64_t player, const struct wire_server_message *message) {
    struct matches *m = context;
    if (m->links) links_tell(m->links, player, message);
}

static void on_change(void *context, uint64_t ticket) {
    struct matches *m = context;
    if (m->front) front_ticket_changed(m->front, ticket);
}

static int on_library(void *context, const struct mode_set *modes, const struct template_set *templates, char *error,
                      size_t error_size) {
    struct matches *m = context;
    return desk_set_modes(m->desk, modes, templates, mono_now(), error, error_size);
}

/* --- what links say */

static void tick(struct matches *m, struct mono now) {
    m->now = now;
    m->wall_ms = wall_now_ns() / NS_PER_MS;
}

static void zone_up(void *context, uint32_t slot, uint64_t incarnation, struct mono now) {
    struct matches *m = context;
    tick(m, now);
    instances_zone_up(m->instances, slot, incarnation, now);
}

static void zone_lost(void *context, uint32_t slot, struct mono now) {
    struct matches *m = context;
    tick(m, now);
    instances_zone_lost(m->instances, slot);
}

static void persist_up(void *context, uint32_t shard, struct mono now) {
    struct matches *m = context;
    tick(m, now);
    keep_shard_up(m->keep, shard);
}

static void persist_lost(void *context, uint32_t shard, struct mono now) {
    struct matches *m = context;
    tick(m, now);
    keep_shard_lost(m->keep, shard);
}

/* What a player wrote is looked into here for the first time. */
static void asks(void *context, uint32_t gateway, const struct wire_gateway_asks *view, struct mono now) {
    (void)gateway;
    struct matches *m = context;
    tick(m, now);
    for (uint32_t i = 0; i < view->ask_count; i++) {
        const struct wire_player_ask *ask = &view->asks[i];
        struct wire_client_message message;
        if (!player_id_valid(ask->player) || wire_client_message_read(view->blob + ask->offset, ask->len, &message) != 0)
            continue;
        m->asked++;
        desk_message(m->desk, ask->player, &message, m->now, m->wall_ms);
    }
}

static void report(void *context, uint32_t slot, const struct wire_instance_report *view, struct mono now) {
    struct matches *m = context;
    tick(m, now);
    instances_report(m->instances, slot, view, now);
}

static void told(void *context, uint32_t shard, const struct wire_match_told *view, struct mono now) {
    struct matches *m = context;
    tick(m, now);
    keep_told(m->keep, shard, view);
}

struct links_handlers matches_handlers(struct matches *m) {
    return (struct links_handlers){.context = m,
                                   .zone_up = zone_up,
                                   .zone_lost = zone_lost,
                                   .persist_up = persist_up,
                                   .persist_lost = persist_lost,
                                   .asks = asks,
                                   .report = report,
                                   .told = told};
}

void matches_attach(struct matches *m, struct links *links, struct front *front) {
    m->links = links;
    m->front = front;
}

/* --- opening */

static int open_keep(struct matches *m) {
    const struct keep_config config = {.shard_count = m->config.config->persists_count,
                                       .first_version = wall_now_ns(),
                                       .handlers = {.context = m,
                                                    .recalled = on_recalled,
                                                    .ready = on_ready,
                                                    .rating = on_rating,
                                                    .settled = on_settled,
                                                    .read = on_read,
                                                    .page = on_page}};
    return keep_create(&m->keep, &config);
}

static int open_instances(struct matches *m, uint64_t seed) {
    const struct instances_config config = {
        .cells = cells_of(m->config.config), .keep = m->keep, .seed = seed, .on_event = on_instance, .context = m};
    return instances_create(&m->instances, &config);
}

static int open_desk(struct matches *m, uint64_t seed) {
    struct regions regions = regions_of(m->config.config);
    struct desk_config config = {.keep = m->keep,
                                 .instances = m->instances,
                                 .region_count = regions.count,
                                 .tickets_max = MATCHES_TICKETS_MAX,
                                 .season = m->config.config->persist.season,
                                 .seed = seed,
                                 .on_tell = on_tell,
                                 .on_change = on_change,
                                 .context = m};
    for (uint32_t i = 0; i < regions.count; i++)
        snprintf(config.regions[i], sizeof config.regions[i], "%s", regions.names[i]);
    return desk_create(&m->desk, &config, m->now);
}

/* folder_of writes where a folder of the configuration is; "" where it names none. */
static int folder_of(const struct matches *m, const char *name, char *out, size_t size, char *error, size_t error_size) {
    out[0] = 0;
    return name[0] == 0 ? 0 : config_beside(m->config.config_path, name, out, size, error, error_size);
}

static int open_library(struct matches *m, char *error, size_t error_size) {
    char modes[2 * CONFIG_FOLDER_SIZE], templates[2 * CONFIG_FOLDER_SIZE];
    const struct config *c = m->config.config;
    int result = folder_of(m, c->matchmaker.modes, modes, sizeof modes, error, error_size);
    if (!result) result = folder_of(m, c->instances.templates, templates, sizeof templates, error, error_size);
    if (result) return result;
    const struct library_config config = {
        .loop = m->config.loop, .modes = modes, .templates = templates, .changed = on_library, .context = m};
    return library_open(&m->library, &config, error, error_size);
}

int matches_open(struct matches **out, const struct matches_config *config, char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct matches *m = calloc(1, sizeof *m);
    if (!m) return MARCH_ERR_SYSTEM;
    uint64_t seed;
    randombytes_buf(&seed, sizeof seed);
    m->config = *config;
    tick(m, mono_now());
    int result = open_keep(m);
    if (!result) result = open_instances(m, seed);
    if (!result) result = open_desk(m, seed);
    if (!result) result = open_library(m, error, error_size);
    if (result) {
        matches_close(m);
        return result;
    }
    m->api = (struct instance_api){
        .config = config->config, .keep = m->keep, .desk = m->desk, .instances = m->instances, .library = m->library};
    if (config->config->matchmaker.front.auth == CONFIG_AUTH_DEV) m->api.player_of = front_player_of;
    *out = m;
    return 0;
}

void matches_close(struct matches *m) {
    if (!m) return;
    library_close(m->library);
    desk_destroy(m->desk);
    instances_destroy(m->instances);
    keep_destroy(m->keep);
    free(m);
}

/* --- the loop */

bool matches_step(struct matches *m, struct mono now, uint64_t wall_ms) {
    m->now = now;
    m->wall_ms = wall_ms;
    const struct atlas *atlas = m->config.atlas;
    if (atlas->phase == ATLAS_RUNNING && atlas->told.version != m->version) {
        instances_directory(m->instances, &atlas->told, now);
        m->version = atlas->told.version;
    }
    keep_step(m->keep, now);
    instances_step(m->instances, now, wall_ms);
    bool is_more = true;
    for (uint32_t i = 0; i < MATCHES_STEPS_MAX && is_more; i++) is_more = desk_step(m->desk, now, wall_ms);
    return is_more;
}

static void ask_shard(struct matches *m, uint32_t shard) {
    struct wire_match_ask ask;
    for (uint32_t i = 0; i < MATCHES_MESSAGES_MAX && keep_fill(m->keep, shard, &ask); i++) {
        if (links_ask(m->links, shard, &ask) != 0) return;
        keep_sent(m->keep, shard);
        if (ask.document_count > 0) STEP("matchmaker.put");
        if (ask.settle_count > 0) STEP("matchmaker.settling");
    }
}

static void order_zone(struct matches *m, uint32_t slot, struct mono now) {
    struct wire_instance_orders orders;
    for (uint32_t i = 0; i < MATCHES_MESSAGES_MAX && instances_fill(m->instances, slot, now, &orders); i++) {
        if (links_order(m->links, slot, &orders) != 0) return;
        instances_sent(m->instances, slot, now);
        if (orders.instance_count > 0) STEP("matchmaker.ordered");
        if (orders.travel_count > 0) STEP("matchmaker.sent_off");
    }
}

void matches_fill(struct matches *m, struct mono now) {
    const struct config *c = m->config.config;
    for (uint32_t i = 0; i < c->persists_count; i++)
        if (links_persist_is_up(m->links, i)) ask_shard(m, i);
    for (uint32_t i = 0; i < c->zones_count; i++)
        if (links_zone_is_up(m->links, i)) order_zone(m, i, now);
}

/* --- looking in */

const struct instance_api *matches_api(const struct matches *m) {
    return &m->api;
}

struct matches_stats matches_stats_get(const struct matches *m) {
    return (struct matches_stats){.desk = desk_stats_get(m->desk),
                                  .instances = instances_stats_get(m->instances),
                                  .keep = keep_stats_get(m->keep),
                                  .asked = m->asked};
}
