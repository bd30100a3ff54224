/* gaps.c: see gaps.h. */
#include "tools/zonectl/gaps.h"

#include <math.h>
#include <stdlib.h>

#include "tools/zonectl/prom.h"

struct gaps {
    uint32_t count;
    struct prom_histogram before[]; /* by gateway */
};

static void read_gateway(struct world *world, uint32_t gateway, struct prom_histogram *out) {
    *out = (struct prom_histogram){0};
    char *text = world_metrics(world, world->config->gateways[gateway].name);
    if (text != NULL) prom_histogram_read(out, text, "march_gateway_transfer_seconds");
    free(text);
}

struct gaps *gaps_begin(struct world *world) {
    uint32_t count = world->config->gateways_count;
    struct gaps *gaps = malloc(sizeof(*gaps) + count * sizeof(gaps->before[0]));
    if (gaps == NULL) return NULL;
    gaps->count = count;
    for (uint32_t i = 0; i < count; i++) read_gateway(world, i, &gaps->before[i]);
    return gaps;
}

struct gaps_figures gaps_end(struct gaps *gaps, struct world *world) {
    struct prom_histogram sum = {0};
    for (uint32_t i = 0; i < gaps->count; i++) {
        struct prom_histogram now;
        read_gateway(world, i, &now);
        prom_histogram_since(&now, &gaps->before[i]);
        prom_histogram_add(&sum, &now);
    }
    free(gaps);
    return (struct gaps_figures){.players = sum.count > 0 ? (uint64_t)sum.counts[sum.count - 1] : 0,
                                 .p50_ms = 1000 * prom_histogram_quantile(&sum, NULL, 0.5),
                                 .p99_ms = 1000 * prom_histogram_quantile(&sum, NULL, 0.99),
                                 .max_ms = 1000 * prom_histogram_quantile(&sum, NULL, 1)};
}
