#include "gateway/guide.h"

#include <string.h>

#include "common/check.h"

static void up(void *context, bool is_same, struct mono now) {
    (void)is_same;
    struct guide *guide = context;
    guide->is_first = true;
    guide->report_at = now;
}

/* What waits would come to whoever is up next as old news. */
static void lost(void *context, struct mono now) {
    (void)now;
    struct guide *guide = context;
    guide->ask_count = guide->blob_len = 0;
}

static void take(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    struct guide *guide = context;
    const struct guide_handlers *handlers = &guide->config.handlers;
    if (view->kind == WIRE_BUS_GATEWAY_TELLS) {
        handlers->tells(handlers->context, &view->gateway_tells);
        return;
    }
    guide->stats.directories++;
    handlers->directory(handlers->context, &view->directory);
}

int guide_open(struct guide *guide, const struct guide_config *config, struct mono now, char *error, size_t error_size) {
    memset(guide, 0, sizeof *guide);
    guide->config = *config;
    struct link_config link = {
        .hello = config->hello,
        .peer = {.role = WIRE_ROLE_MATCHMAKER, .kind = WIRE_BUS_DIRECTORY, .also = WIRE_BUS_GATEWAY_TELLS},
        .bus = config->bus,
        .builder = config->builder,
        .handlers = {.context = guide, .up = up, .lost = lost, .message = take}};
    return link_open(&guide->link, &link, now, error, error_size);
}

void guide_close(struct guide *guide) {
    link_close(&guide->link);
}

void guide_update(struct guide *guide, const struct directory *directory, uint32_t sessions, uint32_t moving,
                  struct mono now) {
    link_update(&guide->link, now);
    if (guide->link.state != LINK_UP || !mono_reached(now, guide->report_at)) return;
    struct wire_gateway_report report = {.version = directory->version, .sessions = sessions, .moving = moving};
    if (guide->is_first) report.directory = directory_view(directory);
    struct wire_bytes bytes;
    CHECK(wire_gateway_report_pack(guide->config.builder, &report, &bytes) == 0);
    if (link_send(&guide->link, bytes) != 0) return;
    guide->is_first = false;
    guide->report_at = mono_add_ms(now, GUIDE_REPORT_MS);
    guide->stats.reports++;
}

int guide_ask(struct guide *guide, const struct wire_session_ref *ref, const uint8_t *bytes, size_t len) {
    if (guide->link.state != LINK_UP) return MARCH_ERR_NOT_FOUND;
    if (guide->ask_count == GUIDE_ASKS_MAX || len > GUIDE_BLOB_BYTES - guide->blob_len) return MARCH_ERR_FULL;
    memcpy(guide->blob + guide->blob_len, bytes, len);
    guide->asks[guide->ask_count++] = (struct wire_player_ask){.session = ref->session,
                                                               .player = ref->player,
                                                               .session_epoch = ref->session_epoch,
                                                               .offset = guide->blob_len,
                                                               .len = (uint32_t)len};
    guide->blob_len += (uint32_t)len;
    return 0;
}

void guide_flush(struct guide *guide, struct mono now) {
    if (!guide_waits(guide) || !mono_reached(now, guide->flush_at)) return;
    guide->flush_at = mono_add_ms(now, GUIDE_FLUSH_MS);
    struct wire_gateway_asks view = {
        .asks = guide->asks, .blob = guide->blob, .ask_count = guide->ask_count, .blob_len = guide->blob_len};
    struct wire_bytes bytes;
    CHECK(wire_gateway_asks_pack(guide->config.builder, &view, &bytes) == 0);
    if (link_send(&guide->link, bytes) != 0) return;
    guide->stats.asks_sent += guide->ask_count;
    guide->ask_count = guide->blob_len = 0;
}

bool guide_waits(const struct guide *guide) {
    return guide->ask_count > 0;
}
