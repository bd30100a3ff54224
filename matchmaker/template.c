/* template.c: see template.h. */
#include "matchmaker/template.h"

static uint32_t at_most(uint64_t value, uint32_t max) {
    return value < max ? (uint32_t)value : max;
}

void template_scale(struct template *template, uint32_t players) {
    const struct template_scaling *s = &template->scaling;
    for (uint32_t i = 0; i < template->wave_count; i++) {
        struct wire_instance_wave *wave = &template->waves[i];
        wave->creatures =
            at_most(template_scaled(wave->creatures, s->creatures_percent, s->players, players), TEMPLATE_CREATURES_MAX);
        wave->health_percent = (uint16_t)at_most(
            template_scaled(wave->health_percent, s->health_percent, s->players, players), TEMPLATE_PERCENT_MAX);
    }
}
