/* scrape.h: GET, PUT and POST requests to the HTTP servers of our own processes, many at a time, each with a deadline.
 *
 * The supervisor must not wait for a process that hangs, so requests run beside its loop: start, wait (with its own
 * descriptors), take results. At most SCRAPE_REQUESTS_MAX are under way; bodies are at most SCRAPE_BODY_MAX bytes, a longer
 * one fails the request. No redirects, no proxies, http only.
 */
#ifndef MARCH_ZONECTL_SCRAPE_H
#define MARCH_ZONECTL_SCRAPE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define SCRAPE_REQUESTS_MAX 256 /* two for each process of the greatest configuration */
#define SCRAPE_BODY_MAX     (1u << 20)

struct scraper;

struct scrape_result {
    uint64_t tag;     /* the caller's */
    long http_status; /* 0 when there was no answer in time */
    const char *body; /* ends in a zero byte; until the next call */
    size_t body_len;
};

/* scraper_create returns NULL when libcurl can't start. One at a time in a process. */
struct scraper *scraper_create(void);

/* scraper_destroy abandons what is under way; NULL is fine. */
void scraper_destroy(struct scraper *s);

/* scraper_get starts GET http://`address``path`. MARCH_ERR_FULL when too many are under way. */
must_check int scraper_get(struct scraper *s, const char *address, const char *path, long deadline_ms, uint64_t tag);

/* scraper_put and scraper_post start PUT and POST in the same way; `body` is copied. */
must_check int scraper_put(struct scraper *s, const char *address, const char *path, const char *body, long deadline_ms,
                           uint64_t tag);
must_check int scraper_post(struct scraper *s, const char *address, const char *path, const char *body, long deadline_ms,
                            uint64_t tag);

/* scraper_wait sleeps until a request moves, one of the caller's descriptors is ready (its `revents` say so) or the time is
 * over. */
void scraper_wait(struct scraper *s, struct pollfd *fds, unsigned count, int timeout_ms);

/* scraper_next takes a request that ended; false when none has. */
bool scraper_next(struct scraper *s, struct scrape_result *out);

/* scraper_busy tells whether requests are under way. */
bool scraper_busy(const struct scraper *s);

#endif
