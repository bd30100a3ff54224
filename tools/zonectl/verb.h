/* verb.h: the verbs of zonectl and what its exit codes mean.
 */
#ifndef MARCH_ZONECTL_VERB_H
#define MARCH_ZONECTL_VERB_H

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,     /* the reason is on standard error */
    EXIT_CODE_USAGE = 2,      /* an option or argument is wrong */
    EXIT_CODE_NO_CLUSTER = 3, /* no cluster runs in the run directory */
    EXIT_CODE_RUNNING = 4,    /* a cluster runs in the run directory already */
    EXIT_CODE_NOT_READY = 5,  /* the cluster runs, but not every process is ready */
    EXIT_CODE_TIMEOUT = 6,    /* what was waited for did not come in time */
    EXIT_CODE_UNKNOWN = 7     /* of audit: nothing is known of the player */
};

#define VERB_EXIT_CODES                                                                                                     \
    "Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage, 3 no cluster runs in the run "          \
    "directory, 4 one runs there already, 5 the cluster runs but is not ready, 6 what was waited for did not come in time."

/* A verb parses its own arguments; argv[0] is "zonectl VERB". */
int verb_up(int argc, char **argv);
int verb_down(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_token(int argc, char **argv);
int verb_audit(int argc, char **argv);
int verb_flag(int argc, char **argv);
int verb_journal(int argc, char **argv);
int verb_instance(int argc, char **argv);
int verb_template(int argc, char **argv);
int verb_mode(int argc, char **argv);
int verb_map(int argc, char **argv);
int verb_serve(int argc, char **argv);
int verb_drain(int argc, char **argv);
int verb_undrain(int argc, char **argv);
int verb_zone(int argc, char **argv);
int verb_zones(int argc, char **argv);
int verb_scale(int argc, char **argv);
int verb_rollout(int argc, char **argv);

#endif
