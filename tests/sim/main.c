/* main.c: runs the cluster of world.h from many seeds.
 *
 *     sim [--seeds N] [--first N] [--jobs N]     seeds first to first + N - 1; the trace of the first that fails is printed
 *     sim --seed N                               one, with its trace
 *
 * Traces go to standard output, what is wrong to standard error. The last line tells how often what happened, and a number
 * that is another one as soon as a single draw was. Exit status: 0 when all was well, 1 when a run failed, 2 for wrong
 * arguments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/sim/world.h"

#define JOBS_MAX 64

struct options {
    uint64_t seeds, first, seed, jobs;
};

static bool parse(int argc, char **argv, struct options *o) {
    *o = (struct options){.seeds = 2000, .first = 1, .seed = UINT64_MAX, .jobs = 1};
    for (int i = 1; i < argc; i += 2) {
        uint64_t *value = NULL;
        char *end = NULL;
        if (strcmp(argv[i], "--seeds") == 0) value = &o->seeds;
        if (strcmp(argv[i], "--first") == 0) value = &o->first;
        if (strcmp(argv[i], "--seed") == 0) value = &o->seed;
        if (strcmp(argv[i], "--jobs") == 0) value = &o->jobs;
        if (!value || i + 1 == argc) return false;
        *value = strtoull(argv[i + 1], &end, 10);
        if (*end != '\0' || argv[i + 1][0] == '\0') return false;
    }
    return o->jobs >= 1 && o->jobs <= JOBS_MAX;
}

/* What was seen in all runs of a process, for its parent. */
struct sum {
    uint64_t failed, first_failed, hash;
    uint64_t seen[sizeof W.seen / sizeof(uint64_t)];
};

static struct sum run_share(const struct options *o, uint64_t share) {
    struct sum sum = {0};
    for (uint64_t seed = o->first + share; seed < o->first + o->seeds; seed += o->jobs) {
        bool is_good = run_seed(seed, false);
        if (!is_good && sum.failed++ == 0) sum.first_failed = seed;
        sum.hash += W.random;
        uint64_t seen[sizeof W.seen / sizeof(uint64_t)];
        memcpy(seen, &W.seen, sizeof seen);
        for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) sum.seen[i] += seen[i];
    }
    return sum;
}

/* start runs a share in a process of its own; returns where its sum can be read. */
static int start(const struct options *o, uint64_t share) {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    pid_t child = fork();
    if (child != 0) {
        close(ends[1]);
        return child < 0 ? -1 : ends[0];
    }
    struct sum sum = run_share(o, share);
    bool is_written = write(ends[1], &sum, sizeof sum) == (ssize_t)sizeof sum;
    _exit(is_written ? 0 : 1);
}

static void print(const struct options *o, const struct sum *sum) {
    static const char *const names[] = {"crossings", "restored", "link-dead", "given",     "given again",
                                        "asked",     "deaths",   "fences",    "takeovers", "moves",
                                        "stale",     "versions", "replayed",  "loot",      "snapshots"};
    _Static_assert(sizeof names / sizeof *names == sizeof W.seen / sizeof(uint64_t), "each has a name");
    printf("sim: %llu seeds, %llu failed;", (unsigned long long)o->seeds, (unsigned long long)sum->failed);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) printf(" %s %llu", names[i], (unsigned long long)sum->seen[i]);
    printf(" hash %016llx\n", (unsigned long long)sum->hash);
}

static void add(struct sum *all, const struct sum *sum) {
    if (sum->failed > 0 && (all->failed == 0 || sum->first_failed < all->first_failed))
        all->first_failed = sum->first_failed;
    all->failed += sum->failed;
    all->hash += sum->hash;
    for (size_t i = 0; i < sizeof sum->seen / sizeof *sum->seen; i++) all->seen[i] += sum->seen[i];
}

/* run_all runs each share in a process of its own. */
static struct sum run_all(const struct options *o) {
    int from[JOBS_MAX];
    struct sum all = {0};
    for (uint64_t i = 0; i < o->jobs; i++) from[i] = start(o, i);
    for (uint64_t i = 0; i < o->jobs; i++) {
        struct sum sum = {0};
        bool is_whole = from[i] >= 0 && read(from[i], &sum, sizeof sum) == (ssize_t)sizeof sum;
        if (!is_whole) sum = (struct sum){.failed = 1};
        add(&all, &sum);
    }
    while (wait(NULL) > 0) {
    }
    return all;
}

int main(int argc, char **argv) {
    struct options o;
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: sim [--seeds N] [--first N] [--jobs N] | --seed N\n");
        return 2;
    }
    log_set_fd(-1); /* the matchmaker would tell of each death */
    if (o.seed != UINT64_MAX) return run_seed(o.seed, true) ? 0 : 1;
    struct sum all = run_all(&o);
    if (all.first_failed > 0) {
        printf("trace of seed %llu; again by --seed %llu\n", (unsigned long long)all.first_failed,
               (unsigned long long)all.first_failed);
        (void)run_seed(all.first_failed, true);
    }
    print(&o, &all);
    return all.failed == 0 ? 0 : 1;
}
