/* http_desk.c: see http_desk.h. */
#include "common/http_desk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/check.h"

struct http_list {
    struct http_slot *first;
    struct http_slot *last;
};

struct http_desk {
    pthread_mutex_t mutex;
    struct http_slot *slots;
    uint32_t slot_count;
    uint32_t deferred_max;
    struct http_slot *free_slots;
    struct http_list queue; /* for the loop */
    struct http_list done;  /* for the HTTP thread */
    int queued_fd;
    int answered_fd;
    struct http_stats stats;
};

static void list_push(struct http_list *list, struct http_slot *slot) {
    slot->next = NULL;
    if (list->last) {
        list->last->next = slot;
    } else {
        list->first = slot;
    }
    list->last = slot;
}

static struct http_slot *list_pop(struct http_list *list) {
    struct http_slot *slot = list->first;
    if (!slot) return NULL;
    list->first = slot->next;
    if (!list->first) list->last = NULL;
    return slot;
}

static void list_remove(struct http_list *list, const struct http_slot *slot) {
    struct http_slot *before = NULL;
    for (struct http_slot *at = list->first; at != slot; at = at->next) before = at;
    if (before) {
        before->next = slot->next;
    } else {
        list->first = slot->next;
    }
    if (list->last == slot) list->last = before;
}

/* signal_fd can't fail but when the counter is at its end, and then the reader is woken anyway. */
static void signal_fd(int fd) {
    (void)!eventfd_write(fd, 1);
}

int http_desk_create(struct http_desk **out, uint32_t slots, uint32_t deferred_max) {
    struct http_desk *desk = calloc(1, sizeof *desk);
    *out = desk;
    if (!desk) return MARCH_ERR_SYSTEM;
    pthread_mutex_init(&desk->mutex, NULL);
    desk->slot_count = slots;
    desk->deferred_max = deferred_max;
    desk->slots = calloc(slots, sizeof *desk->slots);
    desk->queued_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    desk->answered_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!desk->slots || desk->queued_fd < 0 || desk->answered_fd < 0) {
        http_desk_destroy(desk);
        *out = NULL;
        return MARCH_ERR_SYSTEM;
    }
    for (uint32_t i = 0; i < slots; i++) {
        desk->slots[i].next = desk->free_slots;
        desk->free_slots = &desk->slots[i];
    }
    return 0;
}

static void drop_answer(struct http_slot *slot) {
    free((void *)slot->answer.body);
    free((void *)slot->answer.location);
    slot->answer = (struct http_answer){0};
}

void http_desk_destroy(struct http_desk *desk) {
    if (!desk) return;
    for (uint32_t i = 0; desk->slots && i < desk->slot_count; i++) drop_answer(&desk->slots[i]);
    if (desk->queued_fd >= 0) close(desk->queued_fd);
    if (desk->answered_fd >= 0) close(desk->answered_fd);
    pthread_mutex_destroy(&desk->mutex);
    free(desk->slots);
    free(desk);
}

struct http_slot *http_desk_open(struct http_desk *desk, void *connection) {
    pthread_mutex_lock(&desk->mutex);
    struct http_slot *slot = desk->free_slots;
    if (slot) {
        desk->free_slots = slot->next;
        slot->stage = HTTP_STAGE_OPEN;
    }
    pthread_mutex_unlock(&desk->mutex);
    if (!slot) return NULL;
    slot->connection = connection;
    slot->connection_gone = slot->expired = slot->too_large = slot->seen_headers = false;
    slot->request.body_len = 0;
    return slot;
}

int http_desk_submit(struct http_desk *desk, struct http_slot *slot, struct mono deadline) {
    CHECK(slot->stage == HTTP_STAGE_OPEN);
    slot->deadline = deadline;
    pthread_mutex_lock(&desk->mutex);
    bool full = desk->stats.waiting >= desk->deferred_max;
    if (full) {
        desk->stats.full++;
    } else {
        desk->stats.deferred++;
        desk->stats.waiting++;
        slot->stage = HTTP_STAGE_QUEUED;
        list_push(&desk->queue, slot);
    }
    pthread_mutex_unlock(&desk->mutex);
    if (full) return MARCH_ERR_FULL;
    signal_fd(desk->queued_fd);
    return 0;
}

/* expire ends the wait of one slot whose deadline has passed; the loop keeps what it has taken. */
static struct http_slot *expire(struct http_desk *desk, struct mono now) {
    for (uint32_t i = 0; desk->stats.waiting > 0 && i < desk->slot_count; i++) {
        struct http_slot *slot = &desk->slots[i];
        bool waits = slot->stage == HTTP_STAGE_QUEUED || slot->stage == HTTP_STAGE_TAKEN;
        if (!waits || !mono_reached(now, slot->deadline)) continue;
        if (slot->stage == HTTP_STAGE_QUEUED) {
            list_remove(&desk->queue, slot);
            desk->stats.waiting--;
        }
        slot->stage = HTTP_STAGE_DONE;
        slot->expired = true;
        desk->stats.expired++;
        return slot;
    }
    return NULL;
}

struct http_slot *http_desk_collect(struct http_desk *desk, struct mono now) {
    eventfd_t count;
    (void)!eventfd_read(desk->answered_fd, &count); /* before the look, so that what comes after it wakes again */
    pthread_mutex_lock(&desk->mutex);
    struct http_slot *slot = list_pop(&desk->done);
    if (!slot) slot = expire(desk, now);
    pthread_mutex_unlock(&desk->mutex);
    return slot;
}

static void free_slot(struct http_desk *desk, struct http_slot *slot) {
    slot->stage = HTTP_STAGE_FREE;
    slot->next = desk->free_slots;
    desk->free_slots = slot;
}

void http_desk_release(struct http_desk *desk, struct http_slot *slot) {
    slot->connection = NULL;
    pthread_mutex_lock(&desk->mutex);
    CHECK(slot->stage == HTTP_STAGE_OPEN || slot->stage == HTTP_STAGE_DONE);
    if (slot->loop_holds) {
        slot->connection_gone = true;
    } else {
        drop_answer(slot);
        free_slot(desk, slot);
    }
    pthread_mutex_unlock(&desk->mutex);
}

int http_desk_answered_fd(const struct http_desk *desk) {
    return desk->answered_fd;
}

void http_desk_wake(struct http_desk *desk) {
    signal_fd(desk->answered_fd);
}

int http_desk_queued_fd(const struct http_desk *desk) {
    return desk->queued_fd;
}

int http_desk_take(struct http_desk *desk, const struct http_request **request) {
    pthread_mutex_lock(&desk->mutex);
    struct http_slot *slot = list_pop(&desk->queue);
    if (slot) {
        slot->stage = HTTP_STAGE_TAKEN;
        slot->loop_holds = true;
    } else {
        eventfd_t count; /* under the mutex: nothing can be queued between the look and the read */
        (void)!eventfd_read(desk->queued_fd, &count);
    }
    pthread_mutex_unlock(&desk->mutex);
    *request = slot ? &slot->request : NULL;
    return slot ? 0 : MARCH_ERR_EMPTY;
}

/* copy_answer leaves a body of NULL with a length where memory is short, which is answered with 500. */
static struct http_answer copy_answer(const struct http_answer *answer) {
    struct http_answer copy = *answer;
    char *body = malloc(answer->body_len + 1);
    if (body && answer->body_len > 0) memcpy(body, answer->body, answer->body_len);
    if (body) body[answer->body_len] = '\0';
    copy.body = body;
    copy.location = answer->location ? strdup(answer->location) : NULL;
    return copy;
}

void http_desk_answer(struct http_desk *desk, const struct http_request *request, const struct http_answer *answer) {
    CHECK(answer->body_len <= HTTP_BODY_MAX);
    struct http_slot *slot = (struct http_slot *)(void *)((char *)(uintptr_t)request - offsetof(struct http_slot, request));
    struct http_answer copy = copy_answer(answer);
    pthread_mutex_lock(&desk->mutex);
    CHECK(slot->loop_holds);
    slot->loop_holds = false;
    desk->stats.waiting--;
    bool wanted = slot->stage == HTTP_STAGE_TAKEN;
    if (wanted) {
        slot->answer = copy;
        slot->stage = HTTP_STAGE_DONE;
        list_push(&desk->done, slot);
    } else {
        desk->stats.late++;
        if (slot->connection_gone) free_slot(desk, slot);
    }
    pthread_mutex_unlock(&desk->mutex);
    if (wanted) {
        signal_fd(desk->answered_fd);
    } else {
        free((void *)copy.body);
        free((void *)copy.location);
    }
}

void http_desk_stats(struct http_desk *desk, struct http_stats *stats) {
    pthread_mutex_lock(&desk->mutex);
    *stats = desk->stats;
    pthread_mutex_unlock(&desk->mutex);
}
