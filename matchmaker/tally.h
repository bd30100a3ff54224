/* tally.h: what a matchmaker tells of itself as metrics. The loop mirrors its counts; the HTTP thread reads atomics. */
#ifndef MARCH_MATCHMAKER_TALLY_H
#define MARCH_MATCHMAKER_TALLY_H

#include "common/histogram.h"
#include "common/metrics.h"
#include "matchmaker/atlas.h"
#include "matchmaker/front.h"
#include "matchmaker/hall.h"
#include "matchmaker/links.h"

struct tally;

/* tally_create registers everything; NULL when memory is short. */
struct tally *tally_create(const char *name);
void tally_destroy(struct tally *tally);

const struct metrics *tally_metrics(const struct tally *tally);

/* tally_step_ns is where the time of each step of the atlas is recorded. */
struct histogram *tally_step_ns(struct tally *tally);

/* tally_mirror: there may be no front door. */
void tally_mirror(struct tally *tally, const struct atlas *atlas, const struct links *links, const struct front *front,
                  const struct hall *hall);

#endif
