#include "matchmaker/hall.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/step.h"
#include "matchmaker/library.h"
#include "matchmaker/regions.h"

_Static_assert(REGIONS_NONE == INSTANCES_ANYWHERE, "a zone without a region is of none");

struct hall {
    struct hall_config config;
    struct keep *keep;
    struct instances *instances;
    struct desk *desk;
    struct library *designs;
    struct links *links; /* NULL until hall_connect */
    struct front *front;
    struct instance_api api;
    uint64_t version; /* of the directory that instances know */
    struct mono now;  /* of the newest call */
};

static uint64_t wall_ms(void) {
    return wall_now_ns() / NS_PER_MS;
}

/* --- from keep */

static void on_recalled(void *context, const struct wire_document *document, const uint8_t *bytes) {
    struct hall *h = context;
    desk_recalled(h->desk, document, bytes, wall_ms());
}

static void on_ready(void *context) {
    struct hall *h = context;
    desk_ready(h->desk, h->now, wall_ms());
    log_info("matches.ready", "tickets=%u instances=%u", desk_stats_get(h->desk).tickets, instances_count(h->instances));
}

static void on_rating(void *context, const struct wire_rating *rating) {
    struct hall *h = context;
    desk_rating(h->desk, rating, h->now, wall_ms());
}

static void on_settled(void *context, uint64_t match, uint64_t player, bool is_done) {
    struct hall *h = context;
    desk_settled(h->desk, match, player, is_done);
}

static void on_read(void *context, uint32_t kind, uint64_t key, const uint8_t *bytes, uint32_t len) {
    const struct hall *h = context;
    if (kind == WIRE_DOCUMENT_RESULT && h->front) front_result(h->front, key, bytes, len);
}

static void on_page(void *context, uint64_t request, const struct wire_page_row *rows, uint32_t count, bool is_whole) {
    const struct hall *h = context;
    if (h->front) front_page(h->front, request, rows, count, is_whole);
}

/* --- from instances, the desk and the library */

static void on_instance(void *context, enum instances_event_kind kind, const struct instance_view *view, uint64_t player) {
    struct hall *h = context;
    desk_instance(h->desk, kind, view, player, h->now, wall_ms());
}

static void on_tell(void *context, uint64_t player, const struct wire_server_message *message) {
    const struct hall *h = context;
    if (h->links) links_tell(h->links, player, message);
}

static void on_change(void *context, uint64_t ticket) {
    const struct hall *h = context;
    if (h->front) front_ticket_changed(h->front, ticket);
}

/* check_sides: what is larger than a cell is never launched, and a match of it would end all its tickets. */
static int check_sides(const struct hall *h, const struct mode_set *modes, const struct template_set *templates, char *error,
                       size_t error_size) {
    const struct cells cells = cells_of(h->config.config);
    for (uint32_t i = 0; i < modes->count && cells.per_block > 0; i++) {
        const struct mode *mode = &modes->modes[i];
        const struct template *template = mode->instance[0] ? template_set_find(templates, mode->instance) : NULL;
        if (!template || template->side_m <= (uint32_t)cells.side_m) continue;
        snprintf(error, error_size, "mode %s: instance: expected side_m of at most %d, that of a cell, template %s has %u",
                 mode->name, (int)cells.side_m, template->name, (unsigned)template->side_m);
        return MARCH_ERR_INVALID;
    }
    return 0;
}

static int on_library(void *context, const struct mode_set *modes, const struct template_set *templates, char *error,
                      size_t error_size) {
    struct hall *h = context;
    h->now = mono_now();
    int result = check_sides(h, modes, templates, error, error_size);
    return result ? result : desk_set_modes(h->desk, modes, templates, h->now, error, error_size);
}

/* --- from the edges */

static void on_zone_up(void *context, uint32_t slot, uint64_t incarnation, struct mono now) {
    struct hall *h = context;
    instances_zone_up(h->instances, slot, incarnation, h->now = now);
}

static void on_zone_lost(void *context, uint32_t slot, struct mono now) {
    struct hall *h = context;
    h->now = now;
    instances_zone_lost(h->instances, slot);
}

static void on_persist_up(void *context, uint32_t shard, struct mono now) {
    struct hall *h = context;
    h->now = now;
    keep_shard_up(h->keep, shard);
}

static void on_persist_lost(void *context, uint32_t shard, struct mono now) {
    struct hall *h = context;
    h->now = now;
    keep_shard_lost(h->keep, shard);
}

static void on_asks(void *context, uint32_t gateway, const struct wire_gateway_asks *asks, struct mono now) {
    struct hall *h = context;
    (void)gateway;
    h->now = now;
    for (uint32_t i = 0; i < asks->ask_count; i++) {
        const struct wire_player_ask *ask = &asks->asks[i];
        struct wire_client_message message;
        if (wire_client_message_read(asks->blob + ask->offset, ask->len, &message) == 0)
            desk_message(h->desk, ask->player, &message, now, wall_ms());
    }
}

static void on_report(void *context, uint32_t slot, const struct wire_instance_report *report, struct mono now) {
    struct hall *h = context;
    instances_report(h->instances, slot, report, h->now = now);
}

static void on_told(void *context, uint32_t shard, const struct wire_match_told *told, struct mono now) {
    struct hall *h = context;
    h->now = now;
    keep_told(h->keep, shard, told);
}

struct links_handlers hall_handlers(struct hall *h) {
    return (struct links_handlers){.context = h,
                                   .zone_up = on_zone_up,
                                   .zone_lost = on_zone_lost,
                                   .persist_up = on_persist_up,
                                   .persist_lost = on_persist_lost,
                                   .asks = on_asks,
                                   .report = on_report,
                                   .told = on_told};
}

void hall_connect(struct hall *h, struct links *links, struct front *front) {
    h->links = links;
    h->front = front;
}

/* --- a turn */

static void send_asks(struct hall *h, uint32_t shard) {
    struct wire_match_ask ask;
    while (links_persist_is_up(h->links, shard) && keep_fill(h->keep, shard, &ask)) {
        if (links_ask(h->links, shard, &ask) != 0) return;
        keep_sent(h->keep, shard);
        if (ask.settle_count > 0) STEP("matchmaker.result_settling");
    }
}

static void send_orders(struct hall *h, uint32_t slot, struct mono now) {
    struct wire_instance_orders orders;
    while (links_zone_is_up(h->links, slot) && instances_fill(h->instances, slot, now, &orders)) {
        if (links_order(h->links, slot, &orders) != 0) return;
        instances_sent(h->instances, slot, now);
    }
}

/* tell_loads tells how busy zones are, as they reported last. */
static void tell_loads(struct hall *h) {
    const struct atlas *a = h->config.atlas;
    for (uint32_t slot = 0; slot < a->config.worker_count; slot++) {
        const struct atlas_worker *w = &a->workers[slot];
        instances_zone_load(h->instances, slot, (uint32_t)(w->busy_us * 1000ull / a->config.tick_us), w->is_draining);
    }
}

bool hall_step(struct hall *h, struct mono now) {
    const struct directory *told = &h->config.atlas->told;
    const struct config *c = h->config.config;
    h->now = now;
    if (told->version != h->version) instances_directory(h->instances, told, now);
    h->version = told->version;
    tell_loads(h);
    keep_step(h->keep, now);
    instances_step(h->instances, now, wall_ms());
    bool is_more = desk_step(h->desk, now, wall_ms()); /* one in a turn: deaths are noticed on the same loop */
    for (uint32_t shard = 0; shard < c->persists_count; shard++) send_asks(h, shard);
    for (uint32_t slot = 0; slot < c->zones_count; slot++) send_orders(h, slot, now);
    if (h->front) front_step(h->front, now);
    return is_more;
}

/* --- life */

static uint64_t new_seed(void) {
    uint64_t seed;
    randombytes_buf(&seed, sizeof seed);
    return seed;
}

static int create_desk(struct hall *h) {
    const struct config *c = h->config.config;
    struct desk_config config = {.keep = h->keep,
                                 .instances = h->instances,
                                 .tickets_max = HALL_TICKETS_MAX,
                                 .season = c->persist.season,
                                 .seed = new_seed(),
                                 .on_tell = on_tell,
                                 .on_change = on_change,
                                 .context = h};
    struct regions regions = regions_of(c);
    config.region_count = regions.count;
    for (uint32_t i = 0; i < regions.count; i++)
        snprintf(config.regions[i], sizeof config.regions[i], "%s", regions.names[i]);
    return desk_create(&h->desk, &config, h->now);
}

static int create_parts(struct hall *h, char *error, size_t error_size) {
    const struct config *c = h->config.config;
    const struct keep_config keep = {.shard_count = c->persists_count,
                                     .first_version = wall_now_ns(),
                                     .handlers = {.context = h,
                                                  .recalled = on_recalled,
                                                  .ready = on_ready,
                                                  .rating = on_rating,
                                                  .settled = on_settled,
                                                  .read = on_read,
                                                  .page = on_page}};
    int result = keep_create(&h->keep, &keep);
    struct instances_config instances = {
        .cells = cells_of(c), .keep = h->keep, .seed = new_seed(), .on_event = on_instance, .context = h};
    const struct regions regions = regions_of(c);
    for (uint32_t slot = 0; slot < c->zones_count; slot++)
        instances.regions[slot] = regions_find(&regions, c->zones[slot].region);
    if (!result) result = instances_create(&h->instances, &instances);
    if (!result) result = create_desk(h);
    if (result) snprintf(error, error_size, "out of memory");
    return result;
}

/* path_of has a folder's path, "" where none is configured. */
static int path_of(const struct hall *h, const char *name, char path[PATH_MAX], char *error, size_t error_size) {
    path[0] = '\0';
    return name[0] ? config_beside(h->config.config_path, name, path, PATH_MAX, error, error_size) : 0;
}

static int open_library(struct hall *h, char *error, size_t error_size) {
    char modes[PATH_MAX], templates[PATH_MAX];
    int result = path_of(h, h->config.config->matchmaker.modes, modes, error, error_size);
    if (!result) result = path_of(h, h->config.config->instances.templates, templates, error, error_size);
    const struct library_config config = {
        .loop = h->config.loop, .modes = modes, .templates = templates, .changed = on_library, .context = h};
    return result ? result : library_open(&h->designs, &config, error, error_size);
}

int hall_open(struct hall **out, const struct hall_config *config, char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct hall *h = calloc(1, sizeof *h);
    if (!h) return MARCH_ERR_SYSTEM;
    h->config = *config;
    h->now = mono_now();
    int result = create_parts(h, error, error_size);
    if (!result) result = open_library(h, error, error_size);
    if (result) {
        hall_close(h);
        return result;
    }
    bool is_dev = config_has_front(config->config) && config->config->matchmaker.front.auth == CONFIG_AUTH_DEV;
    h->api = (struct instance_api){.config = config->config,
                                   .keep = h->keep,
                                   .desk = h->desk,
                                   .instances = h->instances,
                                   .designs = h->designs,
                                   .player_of = is_dev ? front_player_of : NULL};
    *out = h;
    return 0;
}

void hall_close(struct hall *h) {
    if (!h) return;
    library_close(h->designs);
    if (h->desk) desk_destroy(h->desk);
    if (h->instances) instances_destroy(h->instances);
    if (h->keep) keep_destroy(h->keep);
    free(h);
}

/* --- looking in */

struct desk *hall_desk(struct hall *h) {
    return h->desk;
}

struct instances *hall_instances(struct hall *h) {
    return h->instances;
}

struct keep *hall_keep(struct hall *h) {
    return h->keep;
}

const struct instance_api *hall_api(const struct hall *h) {
    return &h->api;
}

struct hall_stats hall_stats_get(const struct hall *h) {
    return (struct hall_stats){.keep = keep_stats_get(h->keep),
                               .instances = instances_stats_get(h->instances),
                               .desk = desk_stats_get(h->desk),
                               .designs = library_stats_get(h->designs)};
}
