/* cluster_status.c: see cluster_status.h. */
#include "tools/zonectl/cluster_status.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define CELL_SIZE 24

bool cluster_status_ready(const struct cluster_status *status) {
    uint32_t ready = 0;
    for (uint32_t i = 0; i < status->count; i++) {
        if (!status->processes[i].ready && status->processes[i].state != LIFECYCLE_STOPPED) return false;
        ready += status->processes[i].ready;
    }
    return ready > 0;
}

/* total adds up one figure, at `offset` in struct figures, of all processes that know it; NAN when none does. */
static double total(const struct cluster_status *status, size_t offset) {
    double sum = NAN;
    for (uint32_t i = 0; i < status->count; i++) {
        double value;
        memcpy(&value, (const char *)&status->processes[i].figures + offset, sizeof(value));
        if (!isnan(value)) sum = isnan(sum) ? value : sum + value;
    }
    return sum;
}

/* players_of returns those that the zones simulate, as far as known. */
static uint64_t players_of(const struct cluster_status *status) {
    double players = total(status, offsetof(struct figures, players));
    return isnan(players) ? 0 : (uint64_t)players;
}

static double tick_p99_max_s(const struct cluster_status *status) {
    double worst = NAN;
    for (uint32_t i = 0; i < status->count; i++) worst = fmax(worst, status->processes[i].figures.tick_p99_s);
    return worst;
}

/* --- JSON */

struct figure_key {
    const char *key;
    size_t offset;
    bool whole;
};

static const struct figure_key FIGURE_KEYS[] = {
    {"players", offsetof(struct figures, players), true},
    {"entities", offsetof(struct figures, entities), true},
    {"sessions", offsetof(struct figures, sessions), true},
    {"tick_p99_s", offsetof(struct figures, tick_p99_s), false},
    {"drops", offsetof(struct figures, drops), true},
    {"bytes_down_per_s", offsetof(struct figures, down_bytes_per_s), false},
    {"bytes_up_per_s", offsetof(struct figures, up_bytes_per_s), false},
    {"commands_per_s", offsetof(struct figures, commands_per_s), false},
    {"queued", offsetof(struct figures, queued), true},
    {"journal_fill", offsetof(struct figures, journal_fill), false},
    {"cpu", offsetof(struct figures, cpu), false},
    {"resident_bytes", offsetof(struct figures, resident_bytes), true},
};

static void add_figures(json_t *object, const struct figures *figures) {
    for (size_t i = 0; i < sizeof(FIGURE_KEYS) / sizeof(FIGURE_KEYS[0]); i++) {
        double value;
        memcpy(&value, (const char *)figures + FIGURE_KEYS[i].offset, sizeof(value));
        if (isnan(value)) continue;
        json_object_set_new(object, FIGURE_KEYS[i].key,
                            FIGURE_KEYS[i].whole ? json_integer((json_int_t)value) : json_real(value));
    }
}

static double uptime_s(const struct process_status *p, uint64_t now_ms) {
    return p->started_ms == 0 || now_ms < p->started_ms ? 0 : (double)(now_ms - p->started_ms) / 1000;
}

static json_t *process_json(const struct process_status *p, uint64_t now_ms) {
    json_t *object =
        json_pack("{s:s, s:s, s:i, s:s, s:f, s:I, s:b, s:i}", "name", p->name, "role", role_text(p->role), "pid",
                  (int)p->pid, "state", lifecycle_state_text(p->state), "uptime_s", uptime_s(p, now_ms), "started_ms",
                  (json_int_t)p->started_ms, "ready", (int)p->ready, "restarts", (int)p->restarts);
    if (object != NULL) add_figures(object, &p->figures);
    return object;
}

json_t *cluster_status_json(const struct cluster_status *status, uint64_t now_ms) {
    json_t *processes = json_array();
    for (uint32_t i = 0; i < status->count; i++)
        json_array_append_new(processes, process_json(&status->processes[i], now_ms));
    return json_pack("{s:s, s:i, s:b, s:I, s:o}", "cluster", status->cluster, "supervisor_pid", (int)status->supervisor,
                     "ready", (int)cluster_status_ready(status), "players", (json_int_t)players_of(status), "processes",
                     processes);
}

static int process_parse(struct process_status *out, const json_t *json) {
    const char *name;
    const char *role;
    const char *state;
    int pid;
    int restarts;
    json_int_t started_ms;
    if (json_unpack((json_t *)json, "{s:s, s:s, s:s, s:i, s:i, s:I}", "name", &name, "role", &role, "state", &state, "pid",
                    &pid, "restarts", &restarts, "started_ms", &started_ms) != 0)
        return MARCH_ERR_INVALID;
    *out = (struct process_status){.role = role_parse(role),
                                   .state = lifecycle_state_parse(state),
                                   .pid = pid,
                                   .restarts = (uint32_t)restarts,
                                   .started_ms = (uint64_t)started_ms};
    out->ready = out->state == LIFECYCLE_READY;
    figures_none(&out->figures);
    if (snprintf(out->name, sizeof(out->name), "%s", name) >= (int)sizeof(out->name)) return MARCH_ERR_INVALID;
    bool known = out->role < ROLE_COUNT && out->state < LIFECYCLE_COUNT && restarts >= 0 && started_ms >= 0 && pid >= 0;
    return known ? 0 : MARCH_ERR_INVALID;
}

int cluster_status_parse(struct cluster_status *out, const json_t *json) {
    const char *cluster;
    int supervisor;
    json_t *processes;
    if (json_unpack((json_t *)json, "{s:s, s:i, s:o}", "cluster", &cluster, "supervisor_pid", &supervisor, "processes",
                    &processes) != 0)
        return MARCH_ERR_INVALID;
    *out = (struct cluster_status){.supervisor = supervisor};
    if (snprintf(out->cluster, sizeof(out->cluster), "%s", cluster) >= (int)sizeof(out->cluster)) return MARCH_ERR_INVALID;
    if (json_array_size(processes) > CLUSTER_PROCESSES_MAX) return MARCH_ERR_INVALID;
    for (; out->count < json_array_size(processes); out->count++) {
        int result = process_parse(&out->processes[out->count], json_array_get(processes, out->count));
        if (result != 0) return result;
    }
    return 0;
}

/* --- text */

/* cell formats a figure, "-" when it is not known. */
static const char *cell(char buf[CELL_SIZE], const char *format, double value) {
    if (isnan(value)) return "-";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(buf, CELL_SIZE, format, value);
#pragma GCC diagnostic pop
    return buf;
}
#define CELL(format, value) cell((char[CELL_SIZE]){0}, format, value)

static const char *uptime_cell(char buf[CELL_SIZE], double seconds) {
    uint64_t s = (uint64_t)seconds;
    if (s < 3600)
        snprintf(buf, CELL_SIZE, "%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
    else
        snprintf(buf, CELL_SIZE, "%u:%02u:%02u", (unsigned)(s / 3600 % 1000000), (unsigned)(s / 60 % 60),
                 (unsigned)(s % 60));
    return buf;
}

static void print_process(const struct process_status *p, FILE *out, uint64_t now_ms) {
    const struct figures *f = &p->figures;
    double load = isnan(f->players) ? f->sessions : f->players;
    fprintf(out, "%-14.14s %7d %-8s %9s %4u %8s %8s %9s %8s %9s %9s %7s %6s %7s %5s %7s\n", p->name, (int)p->pid,
            lifecycle_state_text(p->state), uptime_cell((char[CELL_SIZE]){0}, uptime_s(p, now_ms)), p->restarts,
            CELL("%.0f", load), CELL("%.0f", f->entities), CELL("%.2f ms", f->tick_p99_s * 1e3), CELL("%.0f", f->drops),
            CELL("%.1f KB", f->down_bytes_per_s / 1e3), CELL("%.1f KB", f->up_bytes_per_s / 1e3),
            CELL("%.0f", f->commands_per_s), CELL("%.0f", f->queued), CELL("%.1f%%", f->journal_fill * 100),
            CELL("%.0f%%", f->cpu * 100), CELL("%.1f MB", f->resident_bytes / 1e6));
}

unsigned cluster_status_print(const struct cluster_status *status, FILE *out, uint64_t now_ms) {
    fprintf(out, "%-14s %7s %-8s %9s %4s %8s %8s %9s %8s %9s %9s %7s %6s %7s %5s %7s\n", "process", "pid", "state", "up",
            "rest", "players", "entities", "tick p99", "drops", "down/s", "up/s", "cmds/s", "queued", "journal", "cpu",
            "memory");
    for (uint32_t i = 0; i < status->count; i++) print_process(&status->processes[i], out, now_ms);
    cluster_status_print_short(status, out);
    return status->count + 2;
}

void cluster_status_print_short(const struct cluster_status *status, FILE *out) {
    uint32_t ready = 0;
    for (uint32_t i = 0; i < status->count; i++) ready += status->processes[i].ready;
    fprintf(out, "%s: %u of %u ready, %llu players, tick p99 %s, drops %s, down %s/s, up %s/s\n", status->cluster, ready,
            status->count, (unsigned long long)players_of(status), CELL("%.2f ms", tick_p99_max_s(status) * 1e3),
            CELL("%.0f", total(status, offsetof(struct figures, drops))),
            CELL("%.1f KB", total(status, offsetof(struct figures, down_bytes_per_s)) / 1e3),
            CELL("%.1f KB", total(status, offsetof(struct figures, up_bytes_per_s)) / 1e3));
}
