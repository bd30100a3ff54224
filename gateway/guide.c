#include "gateway/guide.h"

#include <string.h>

#include "common/check.h"

static void up(void *context, bool is_same, struct mono now) {
    (void)is_same;
    struct guide *guide = context;
    guide->is_first = true;
    guide->report_at = now;
}

static void take_directory(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    struct guide *guide = context;
    guide->stats.directories++;
    guide->config.handlers.directory(guide->config.handlers.context, &view->directory);
}

int guide_open(struct guide *guide, const struct guide_config *config, struct mono now, char *error, size_t error_size) {
    memset(guide, 0, sizeof *guide);
    guide->config = *config;
    struct link_config link = {.hello = config->hello,
                               .peer = {.role = WIRE_ROLE_MATCHMAKER, .kind = WIRE_BUS_DIRECTORY},
                               .bus = config->bus,
                               .builder = config->builder,
                               .handlers = {.context = guide, .up = up, .message = take_directory}};
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
