/* prom.h: reads figures out of Prometheus text, as our own processes write it.
 *
 * Only what zonectl shows is looked for, so the text is searched, not parsed into a model. It must end with a zero byte.
 * Bytes that are no Prometheus text yield no figures, never an error. Nothing allocates.
 */
#ifndef MARCH_ZONECTL_PROM_H
#define MARCH_ZONECTL_PROM_H

#include <stdint.h>

#define PROM_BUCKETS_MAX 128 /* of one histogram; later ones are ignored */

/* Cumulative counts up to rising bounds; the last bound is infinite where the text was whole. */
struct prom_histogram {
    uint32_t count;
    double bounds[PROM_BUCKETS_MAX];
    double counts[PROM_BUCKETS_MAX];
};

/* prom_sum adds up the values of every series called `name`, of those whose labels contain `label` where it is not NULL.
 * NAN when there is none. */
double prom_sum(const char *text, const char *name, const char *label);

/* prom_histogram_read takes the buckets of the histogram called `name`, of its first series. An absent one has count 0. */
void prom_histogram_read(struct prom_histogram *out, const char *text, const char *name);

/* prom_histogram_since takes what was read before out of a histogram, whatever buckets either was written with. Of a process
 * that was replaced meanwhile, which has counted less, nothing is taken. */
void prom_histogram_since(struct prom_histogram *histogram, const struct prom_histogram *before);

/* prom_histogram_add adds another histogram; of more bounds than PROM_BUCKETS_MAX the greatest are left out. */
void prom_histogram_add(struct prom_histogram *sum, const struct prom_histogram *more);

/* prom_histogram_quantile returns the quantile `q` (0 to 1) of what was recorded between two readings, `before` NULL for all
 * of it, interpolated inside the bucket. NAN when nothing was. */
double prom_histogram_quantile(const struct prom_histogram *now, const struct prom_histogram *before, double q);

#endif
