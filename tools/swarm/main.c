/* main.c of swarm: bots and load. Parse, find the cluster, play, report. */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "common/access.h"
#include "common/clock.h"
#include "common/option.h"
#include "common/version.h"
#include "tools/swarm/report.h"
#include "tools/swarm/speech.h"
#include "tools/swarm/swarm.h"

enum { EXIT_CODE_OK = 0, EXIT_CODE_FAILED = 1, EXIT_CODE_USAGE = 2, EXIT_CODE_NO_CLUSTER = 3 };

#define DURATION_MAX_S 604800

struct arguments {
    struct swarm_options swarm;
    const char *run_dir;
    const char *server;
    bool json;
    bool has_players;
};

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    (void)number;
    stop = 1;
}

#define PACE_MAX_MS    60000
#define EVERY_MIN_MS   10
#define EVERY_MAX_MS   60000
#define STABLE_PLAYERS 1000000 /* what bots that deal in things of value are numbered from: they find what they had */

enum {
    KEY_RAMP = 256,
    KEY_SEED,
    KEY_PLAYERS,
    KEY_SAY,
    KEY_RECONNECT,
    KEY_LEDGER,
    KEY_PACE,
    KEY_BORDERS,
    KEY_MODE,
    KEY_PARTY,
    KEY_LATENCY,
    KEY_CLOSE,
    KEY_CROSSINGS,
    KEY_TIMELINE,
    KEY_EVERY
};

static const struct argp_option OPTIONS[] = {
    {"clients", 'c', "N", 0, "Clients, 1 to 20000 [100]", 0},
    {"duration", 'd', "S", 0,
     "Seconds to play once all have connected; 0 plays until Ctrl-C or SIGTERM, and clients that are dropped connect again "
     "[10]",
     0},
    {"rate", 'r', "HZ", 0, "Inputs a second, 1 to 60 [20]", 0},
    {"behaviour", 'b', "NAME", 0,
     "roam (wander), crowd (all to the zone's middle), fight (chase and attack); loot (hunt, and tidy what was got), trade "
     "(offers and auctions), guild (guilds and their banks), live (all of these three); commute (between far places of the "
     "world, or across --borders); stand; matchmaking (queue for --mode, go to the match, fight there, come back) [roam]",
     0},
    {"mode", KEY_MODE, "NAME", 0, "Mode that those of matchmaking queue for [duel]", 0},
    {"party", KEY_PARTY, "N", 0, "They queue in parties of so many, 1 to 16 [1]", 0},
    {"latency", KEY_LATENCY, "REGION=MS", 0,
     "They are so far from a region, and out of reach of those that are not named; up to 8 times [near to all]", 0},
    {"borders", KEY_BORDERS, "LINES", 0,
     "Lines between zones, as x=512,y=512: those who commute walk to and fro across the nearest one [far places]", 0},
    {"close", KEY_CLOSE, NULL, 0, "They turn back close behind --borders, and so cross them nearly twice as often", 0},
    {"crossings", KEY_CROSSINGS, "N", 0, "Play ends when borders have been crossed so often, whatever --duration says", 0},
    {"timeline", KEY_TIMELINE, "FILE", 0,
     "Write into FILE, a JSON object a line, how long clients waited for snapshots, how many play and what they met", 0},
    {"every", KEY_EVERY, "MS", 0, "Between the lines of --timeline, 10 to 60000 [1000]", 0},
    {"json", 'j', NULL, 0, "Print the report as an object", 0},
    {"run-dir", 'R', "DIR", 0, "Run directory of the cluster: its key and addresses [run]", 0},
    {"server", 's', "ADDRESS", 0,
     "Send to this address, as 127.0.0.1:40000 or [::1]:40000, whatever the tokens say: to one of a gateway's, or to what "
     "forwards to the first gateway",
     0},
    {"say", KEY_SAY, "HZ", 0, "Lines a second that each client says, 1 to 2; each must hear its own, in order [none]", 0},
    {"ramp", KEY_RAMP, "N", 0, "Clients that start to connect in a second [1000]", 0},
    {"sockets", 'k', "K", 0, "UDP sockets that all clients share where the server is on IPv4 loopback, 1 to 64 [1]", 0},
    {"reconnect", KEY_RECONNECT, NULL, 0, "Clients that are dropped come back, to any gateway, and go on", 0},
    {"ledger", KEY_LEDGER, "FILE", 0, "Write each command and what became of it into FILE, a JSON object a line", 0},
    {"pace", KEY_PACE, "MS", 0, "Between an answer and the next command of a client, on average [1000]", 0},
    {"seed", KEY_SEED, "N", 0, "What the bots do is drawn from it [1]", 0},
    {"players", KEY_PLAYERS, "N", 0,
     "Player numbers are N + 1 and on [from the process id, so that swarms don't meet; 1000000 for loot, trade, guild and "
     "live, so that they find what they had]",
     0},
    {0},
};

/* add_latency takes REGION=MS apart, where it is. */
static void add_latency(struct swarm_options *o, char *arg, struct argp_state *state) {
    char *equals = strchr(arg, '=');
    if (!equals || equals == arg || equals - arg >= MARCH_NAME_SIZE || o->latency_count == MARCH_LATENCIES_MAX)
        argp_error(state, "--latency: expected REGION=MS, up to %d times, found \"%s\"", MARCH_LATENCIES_MAX, arg);
    *equals = '\0';
    uint16_t ms = (uint16_t)option_number(state, "--latency", equals + 1, 0, UINT16_MAX - 1);
    o->latencies[o->latency_count++] = (struct march_latency){.region = arg, .ms = ms};
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    struct swarm_options *o = &a->swarm;
    switch (key) {
    case 'c': o->clients = (uint32_t)option_number(state, "--clients", arg, 1, UDP_POOL_CLIENTS_MAX); return 0;
    case 'd': o->duration_s = (uint32_t)option_number(state, "--duration", arg, 0, DURATION_MAX_S); return 0;
    case 'r': o->rate_hz = (uint32_t)option_number(state, "--rate", arg, 1, MARCH_INPUT_HZ_MAX); return 0;
    case 'b':
        o->behaviour = behaviour_parse(arg);
        if (o->behaviour == BEHAVIOUR_COUNT)
            argp_error(state,
                       "--behaviour: expected roam, crowd, fight, loot, trade, guild, live, commute, stand or matchmaking, "
                       "found \"%s\"",
                       arg);
        return 0;
    case 'j': a->json = true; return 0;
    case 'R': a->run_dir = arg; return 0;
    case 's': a->server = arg; return 0;
    case KEY_RAMP: o->ramp_per_s = (uint32_t)option_number(state, "--ramp", arg, 1, UDP_POOL_CLIENTS_MAX); return 0;
    case 'k': o->sockets = (uint32_t)option_number(state, "--sockets", arg, 1, UDP_POOL_SOCKETS_MAX); return 0;
    case KEY_SAY: o->say_hz = (uint32_t)option_number(state, "--say", arg, 1, SPEECH_HZ_MAX); return 0;
    case KEY_SEED: o->seed = option_number(state, "--seed", arg, 0, UINT64_MAX); return 0;
    case KEY_RECONNECT: o->reconnects = true; return 0;
    case KEY_LEDGER: o->ledger_path = arg; return 0;
    case KEY_PACE: o->pace_ms = (uint32_t)option_number(state, "--pace", arg, 1, PACE_MAX_MS); return 0;
    case KEY_BORDERS:
        if (!borders_parse(&o->borders, arg))
            argp_error(state, "--borders: expected lines such as x=512,y=-64, found \"%s\"", arg);
        return 0;
    case KEY_MODE:
        if (arg[0] == '\0' || strlen(arg) >= sizeof o->mode)
            argp_error(state, "--mode: expected 1 to 31 bytes, found \"%s\"", arg);
        snprintf(o->mode, sizeof o->mode, "%s", arg);
        return 0;
    case KEY_PARTY: o->party_size = (uint32_t)option_number(state, "--party", arg, 1, MARCH_PARTY_MAX); return 0;
    case KEY_LATENCY: add_latency(o, arg, state); return 0;
    case KEY_CLOSE: o->is_close = true; return 0;
    case KEY_CROSSINGS: o->crossings = (uint32_t)option_number(state, "--crossings", arg, 1, UINT32_MAX); return 0;
    case KEY_TIMELINE: o->timeline_path = arg; return 0;
    case KEY_EVERY: o->timeline_ms = (uint32_t)option_number(state, "--every", arg, EVERY_MIN_MS, EVERY_MAX_MS); return 0;
    case KEY_PLAYERS:
        o->player_base = option_number(state, "--players", arg, 0, INT64_MAX - UDP_POOL_CLIENTS_MAX);
        a->has_players = true;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS,
    parse,
    NULL,
    "Connects many clients to a cluster, lets them play, and reports what they met. A progress line comes every second on "
    "standard error.\vExit codes: 0 every client connected, none was dropped and messages came in order, 1 not so or it "
    "failed, 2 wrong usage, 3 no cluster runs in the run directory.",
    NULL,
    NULL,
    NULL};

/* find_cluster reads the run directory and picks the address family: IPv4 where there is one, since clients can share a
 * socket there. */
static int find_cluster(struct arguments *a) {
    struct swarm_options *o = &a->swarm;
    char error[ACCESS_ERROR_SIZE];
    int result = access_open(&o->access, a->run_dir, error, sizeof(error));
    if (result != 0) {
        fprintf(stderr, "swarm: %s\n", error);
        return result == MARCH_ERR_NOT_FOUND ? EXIT_CODE_NO_CLUSTER : EXIT_CODE_FAILED;
    }
    if (a->server != NULL && addr_parse(&o->server, a->server) != 0) {
        fprintf(stderr, "swarm: --server: expected an address such as 127.0.0.1:40000, found \"%s\"\n", a->server);
        return EXIT_CODE_USAGE;
    }
    o->family = ADDR_IPV6;
    for (uint32_t i = 0; i < o->access.gateway_count; i++)
        for (uint32_t j = 0; j < o->access.gateways[i].count; j++)
            if (o->access.gateways[i].addresses[j].family == ADDR_IPV4) o->family = ADDR_IPV4;
    return EXIT_CODE_OK;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv) {
    uint32_t pid = (uint32_t)getpid();
    struct arguments a = {.run_dir = "run",
                          .swarm = {.clients = 100,
                                    .duration_s = 10,
                                    .rate_hz = 20,
                                    .ramp_per_s = 1000,
                                    .sockets = 1,
                                    .seed = 1,
                                    .pace_ms = 1000,
                                    .mode = "duel",
                                    .party_size = 1,
                                    .timeline_ms = CONTINUITY_EVERY_MS,
                                    .player_base = (uint64_t)pid << 20,
                                    .address_base = pid * 2654435761u,
                                    .stop = &stop}};
    argp_program_version = "swarm " MARCH_VERSION;
    argp_err_exit_status = EXIT_CODE_USAGE;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    a.swarm.run_dir = a.run_dir;
    if (!a.has_players && behaviour_deals(a.swarm.behaviour)) a.swarm.player_base = STABLE_PLAYERS;
    catch_signals();
    if (sodium_init() < 0) return EXIT_CODE_FAILED;
    int code = find_cluster(&a);
    struct report *report = calloc(1, sizeof(*report));
    if (code != EXIT_CODE_OK || report == NULL) {
        free(report);
        return code != EXIT_CODE_OK ? code : EXIT_CODE_FAILED;
    }
    char error[256];
    if (swarm_run(&a.swarm, report, error, sizeof(error)) != 0) {
        fprintf(stderr, "swarm: %s\n", error);
        code = EXIT_CODE_FAILED;
    } else {
        if (a.json)
            report_print_json(report, stdout);
        else
            report_print(report, stdout);
        code = report_clean(report) ? EXIT_CODE_OK : EXIT_CODE_FAILED;
    }
    free(report);
    return fflush(stdout) == 0 ? code : EXIT_CODE_FAILED;
}
