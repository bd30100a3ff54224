/* registrar.h: the zone's link to the matchmaker: what it has, how busy it is and how its instances are goes there; the
 * directory and orders for instances come back.
 *
 *   unlisted ──a directory lists this incarnation──► listed ──a newer one does not──► replaced, for good
 *
 * A zone that was replaced was taken for dead: nobody hears it any more. It ends, and is started again as a spare.
 *
 * The first report of a connection carries the newest directory that the zone has, so a matchmaker that has lost its memory
 * finds it with those who hold it. Without a matchmaker in the configuration there is no link, and the directory is the
 * initial one for ever.
 *
 * The zone reports once every persist has given it the lease of its slot, so that whoever is given a part of the world can
 * be fenced. Nothing blocks. A report goes every REGISTRAR_REPORT_MS; one that the bus refuses is made again at the next
 * tick. That of instances goes as often, while there are any or somebody is in one, and within REGISTRAR_INSTANCES_MS of a
 * change.
 */
#ifndef MARCH_ZONE_REGISTRAR_H
#define MARCH_ZONE_REGISTRAR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/error.h"
#include "schemas/directory.h"
#include "schemas/link.h"
#include "zone/crossing.h"
#include "zone/sim.h"

#define REGISTRAR_REPORT_MS    100
#define REGISTRAR_INSTANCES_MS 50

/* What the shell knows of its ticks. */
struct registrar_load {
    uint32_t busy_us; /* of a tick, on average */
    uint64_t late_ticks;
    const struct crossing *crossing; /* or NULL */
};

struct registrar;

/* registrar_open dials the matchmaker, where there is one. `key` is the cluster key, NULL with ipc. Config and sim outlive
 * it. On failure `error` holds a line that names the address. */
must_check int registrar_open(struct registrar **out, const struct config *config, uint32_t zone_index, const char *run_dir,
                              const struct wire_hello *hello, const uint8_t *key, struct sim *sim, struct mono now,
                              char *error, size_t error_size);
void registrar_close(struct registrar *registrar);

/* registrar_receive runs the link; a newer directory, and orders, go to the sim. MARCH_ERR_SYSTEM when there is no memory
 * for it. */
must_check int registrar_receive(struct registrar *registrar, struct mono now);

/* registrar_send reports where it is time to. After a tick. */
void registrar_send(struct registrar *registrar, const struct registrar_load *load, struct mono now);

/* registrar_directory is the newest; version 0: nothing is known yet. */
const struct directory *registrar_directory(const struct registrar *registrar);

bool registrar_is_replaced(const struct registrar *registrar);

/* registrar_link is NULL where there is no matchmaker. */
const struct link *registrar_link(const struct registrar *registrar);

#endif
