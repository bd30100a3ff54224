/* scrape.c: see scrape.h. libcurl's multi interface; an easy handle per request, taken from and given back to a free list
 * so that connections are kept. */
#include "tools/zonectl/scrape.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define URL_MAX 192
#define FDS_MAX 256 /* of the caller, in one wait */

struct request {
    CURL *easy;
    struct request *next_free;
    uint64_t tag;
    char *body;
    size_t body_len;
};

struct scraper {
    CURLM *multi;
    struct request *free;
    struct request *ended; /* the one whose body the caller holds */
    unsigned busy;
    struct request requests[SCRAPE_REQUESTS_MAX];
};

static size_t receive_body(char *bytes, size_t size, size_t count, void *context) {
    struct request *r = context;
    size_t len = size * count;
    if (len > SCRAPE_BODY_MAX - r->body_len) return 0;
    char *body = realloc(r->body, r->body_len + len + 1);
    if (body == NULL) return 0;
    memcpy(body + r->body_len, bytes, len);
    r->body = body;
    r->body_len += len;
    body[r->body_len] = '\0';
    return len;
}

struct scraper *scraper_create(void) {
    if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK) return NULL;
    struct scraper *s = calloc(1, sizeof(*s));
    if (s == NULL) return NULL;
    s->multi = curl_multi_init();
    if (s->multi == NULL) {
        free(s);
        return NULL;
    }
    for (int i = SCRAPE_REQUESTS_MAX - 1; i >= 0; i--) {
        s->requests[i].next_free = s->free;
        s->free = &s->requests[i];
    }
    return s;
}

void scraper_destroy(struct scraper *s) {
    if (s == NULL) return;
    for (int i = 0; i < SCRAPE_REQUESTS_MAX; i++) {
        struct request *r = &s->requests[i];
        if (r->easy != NULL) {
            curl_multi_remove_handle(s->multi, r->easy);
            curl_easy_cleanup(r->easy);
        }
        free(r->body);
    }
    curl_multi_cleanup(s->multi);
    curl_global_cleanup();
    free(s);
}

/* request_prepare takes a method for a request with a body, NULL for GET. */
static bool request_prepare(struct request *r, const char *method, const char *url, const char *body, long deadline_ms) {
    if (r->easy == NULL) r->easy = curl_easy_init();
    if (r->easy == NULL) return false;
    curl_easy_reset(r->easy); /* the request before may have been another one; connections stay */
    if (method != NULL && (curl_easy_setopt(r->easy, CURLOPT_COPYPOSTFIELDS, body) != CURLE_OK ||
                           curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, method) != CURLE_OK))
        return false;
    return curl_easy_setopt(r->easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
           curl_easy_setopt(r->easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, deadline_ms) == CURLE_OK &&
           curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, receive_body) == CURLE_OK &&
           curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r) == CURLE_OK &&
           curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r) == CURLE_OK;
}

static int begin(struct scraper *s, const char *method, const char *address, const char *path, const char *body,
                 long deadline_ms, uint64_t tag) {
    struct request *r = s->free;
    char url[URL_MAX];
    if (r == NULL) return MARCH_ERR_FULL;
    if (snprintf(url, sizeof(url), "http://%s%s", address, path) >= (int)sizeof(url)) return MARCH_ERR_INVALID;
    if (!request_prepare(r, method, url, body, deadline_ms)) return MARCH_ERR_SYSTEM;
    r->tag = tag;
    r->body_len = 0;
    if (r->body != NULL) r->body[0] = '\0';
    if (curl_multi_add_handle(s->multi, r->easy) != CURLM_OK) return MARCH_ERR_SYSTEM;
    s->free = r->next_free;
    s->busy++;
    int running;
    (void)curl_multi_perform(s->multi, &running);
    return 0;
}

int scraper_get(struct scraper *s, const char *address, const char *path, long deadline_ms, uint64_t tag) {
    return begin(s, NULL, address, path, NULL, deadline_ms, tag);
}

int scraper_put(struct scraper *s, const char *address, const char *path, const char *body, long deadline_ms, uint64_t tag) {
    return begin(s, "PUT", address, path, body, deadline_ms, tag);
}

int scraper_post(struct scraper *s, const char *address, const char *path, const char *body, long deadline_ms,
                 uint64_t tag) {
    return begin(s, "POST", address, path, body, deadline_ms, tag);
}

_Static_assert(POLLIN == CURL_WAIT_POLLIN && POLLOUT == CURL_WAIT_POLLOUT, "curl's events are poll's");

void scraper_wait(struct scraper *s, struct pollfd *fds, unsigned count, int timeout_ms) {
    CHECK(count <= FDS_MAX);
    struct curl_waitfd extra[FDS_MAX];
    for (unsigned i = 0; i < count; i++) extra[i] = (struct curl_waitfd){.fd = fds[i].fd, .events = fds[i].events};
    (void)curl_multi_poll(s->multi, extra, count, timeout_ms, NULL);
    for (unsigned i = 0; i < count; i++) fds[i].revents = extra[i].revents;
    int running;
    (void)curl_multi_perform(s->multi, &running);
}

bool scraper_next(struct scraper *s, struct scrape_result *out) {
    if (s->ended != NULL) {
        s->ended->next_free = s->free;
        s->free = s->ended;
        s->ended = NULL;
    }
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(s->multi, &left)) != NULL;) {
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode result = m->data.result; /* `m` is gone once the handle is removed */
        CURL *easy = m->easy_handle;
        struct request *r;
        CHECK(curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r) == CURLE_OK);
        *out = (struct scrape_result){.tag = r->tag, .body = r->body == NULL ? "" : r->body, .body_len = r->body_len};
        if (result == CURLE_OK) (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &out->http_status);
        (void)curl_multi_remove_handle(s->multi, easy);
        s->ended = r;
        s->busy--;
        return true;
    }
    return false;
}

bool scraper_busy(const struct scraper *s) {
    return s->busy > 0;
}
