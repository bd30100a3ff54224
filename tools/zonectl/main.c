/* main.c of zonectl: one verb for each thing an operator does. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "common/version.h"
#include "tools/zonectl/verb.h"

struct verb {
    const char *name;
    const char *summary; /* NULL: not listed */
    int (*run)(int argc, char **argv);
};

static const struct verb VERBS[] = {
    {"up", "start the cluster of a configuration and watch over it", verb_up},
    {"down", "end the cluster that runs in a run directory", verb_down},
    {"status", "tell what runs and how it does", verb_status},
    {"zones", "tell who has which part of the world", verb_zones},
    {"zone", "split and merge parts of the world", verb_zone},
    {"drain", "take a zone or gateway out of use", verb_drain},
    {"undrain", "take it back into use", verb_undrain},
    {"scale", "say how many spare zones are to run", verb_scale},
    {"rollout", "restart processes one after the other", verb_rollout},
    {"audit", "prove that what players own is what the events say", verb_audit},
    {"flag", "show or switch subsystems of persists", verb_flag},
    {"journal", "tell what is in journals", verb_journal},
    {"instance", "launch, list, watch and end instances", verb_instance},
    {"template", "check templates of instances, and list those that there are", verb_template},
    {"mode", "the same of modes of play", verb_mode},
    {"map", "make maps of what stands in a world, and tell what is in them", verb_map},
    {"serve", NULL, verb_serve},
    {"token", "mint a connect token for a player", verb_token},
};
#define VERB_COUNT (sizeof(VERBS) / sizeof(VERBS[0]))

static void help(FILE *out) {
    fprintf(out, "Usage: zonectl VERB [OPTION...]\nRuns Marchland clusters on this machine.\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (VERBS[i].summary != NULL) fprintf(out, "  %-8s %s\n", VERBS[i].name, VERBS[i].summary);
    fprintf(out, "\n`zonectl VERB --help` lists a verb's options.\n\n%s\n", VERB_EXIT_CODES);
}

int main(int argc, char **argv) {
    argp_program_version = "zonectl " MARCH_VERSION;
    argp_err_exit_status = EXIT_CODE_USAGE;
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        help(stdout);
        return EXIT_CODE_OK;
    }
    if (strcmp(name, "--version") == 0) {
        puts(argp_program_version);
        return EXIT_CODE_OK;
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(name, VERBS[i].name) != 0) continue;
        char full_name[32];
        snprintf(full_name, sizeof(full_name), "zonectl %s", name);
        argv[1] = full_name;
        return VERBS[i].run(argc - 1, argv + 1);
    }
    if (*name != '\0') fprintf(stderr, "zonectl: no verb is called %s\n", name);
    help(stderr);
    return EXIT_CODE_USAGE;
}
