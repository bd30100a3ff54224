/* example.c: joins a world, walks in circles, prints what it sees, and leaves.
 *
 *   zonectl token --player 1 | example       or       example "$(zonectl token --player 1)"
 *
 * Ctrl-C ends it. To build it: cc example.c $(pkg-config --cflags --libs marchland-client)
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <marchland.h>

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    (void)number;
    stop = 1;
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* read_token decodes base64; false unless it is exactly a token. */
static bool read_token(const char *text, uint8_t token[MARCH_TOKEN_BYTES]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0, count = 0;
    size_t len = 0;
    for (const char *digit; *text != '\0' && (digit = strchr(digits, *text)) != NULL && len < MARCH_TOKEN_BYTES; text++) {
        bits = bits << 6 | (uint32_t)(digit - digits);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        token[len++] = (uint8_t)(bits >> count);
    }
    return len == MARCH_TOKEN_BYTES;
}

static void look_around(struct march_client *client, uint64_t now_ns) {
    static struct march_entity seen[MARCH_ENTITIES_MAX];
    struct march_stats stats;
    size_t count = march_client_entities(client, now_ns, seen, MARCH_ENTITIES_MAX);
    march_client_stats(client, &stats);
    printf("%zu in view, rtt %.1f ms, %" PRIu64 " snapshots\n", count, (double)stats.rtt_ns / 1e6, stats.snapshots);
    for (size_t i = 0; i < count && i < 5; i++) {
        printf("  %s %016" PRIx64 " kind %u at %.2f, %.2f m, health %u\n", seen[i].own ? "me" : "  ", seen[i].id,
               seen[i].kind, (double)seen[i].x_m, (double)seen[i].y_m, seen[i].health);
    }
    fflush(stdout);
}

static void tell(const struct march_client *client, const struct march_event *event) {
    const struct march_inventory *inventory = march_client_inventory(client);
    if (event->kind == MARCH_EVENT_WELCOME) {
        printf("welcome to %s, player %" PRIu64 "\n", event->welcome.zone, event->welcome.player);
    } else if (event->kind == MARCH_EVENT_INVENTORY && !event->change.more) {
        printf("%" PRIu32 " items and %" PRIu64 " gold\n", inventory->count, inventory->gold);
    } else if (event->kind == MARCH_EVENT_PROGRESS) {
        printf("level %u, %" PRIu64 " experience\n", event->progress.level, event->progress.experience);
    } else if (event->kind == MARCH_EVENT_MOVED) {
        printf(event->moved.moved ? "plays through another gateway now\n" : "could not move to another gateway\n");
    } else {
        printf("a message of %zu bytes\n", event->len);
    }
}

int main(int argc, char **argv) {
    static char text[4096];
    uint8_t token[MARCH_TOKEN_BYTES];
    const char *given = argc > 1 ? argv[1] : fgets(text, sizeof(text), stdin);
    if (given == NULL || !read_token(given, token)) return fprintf(stderr, "no base64 connect token\n"), 2;
    struct march_client *client = march_client_create(&(struct march_config){0});
    if (client == NULL) return fprintf(stderr, "no memory\n"), 1;
    int error = march_client_connect(client, token, clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_REALTIME) / 1000000000u);
    if (error == 0) error = march_client_open(client);
    if (error < 0) return fprintf(stderr, "cannot connect: %s\n", march_error_text(error)), 1;
    signal(SIGINT, on_signal);
    static const int8_t circle[8][2] = {{1, 0}, {1, 1}, {0, 1}, {-1, 1}, {-1, 0}, {-1, -1}, {0, -1}, {1, -1}};
    bool asked = false; /* what is in the inventory */
    for (unsigned frame = 0; !stop && march_client_state(client) != MARCH_CLIENT_DISCONNECTED; frame++) {
        uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
        unsigned turn = frame / 30 % 8; /* an eighth of the circle in half a second */
        struct march_input input = {circle[turn][0], circle[turn][1], (uint16_t)(turn << 13), 0};
        march_client_input(client, &input);
        march_client_poll(client, now_ns);
        struct march_command look = {.verb = MARCH_VERB_INVENTORY};
        if (!asked) asked = march_client_command(client, now_ns, &look) == 0;
        struct march_event event;
        while (march_client_next_event(client, &event) > 0) tell(client, &event);
        if (frame % 60 == 59) look_around(client, now_ns);
        nanosleep(&(struct timespec){.tv_nsec = 16666667}, NULL);
    }
    bool dropped = march_client_state(client) == MARCH_CLIENT_DISCONNECTED;
    if (dropped) fprintf(stderr, "disconnected: %s\n", march_client_reason_text(march_client_reason(client)));
    march_client_disconnect(client);
    march_client_poll(client, clock_ns(CLOCK_MONOTONIC));
    march_client_destroy(client);
    return dropped;
}
