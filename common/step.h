/* step.h: named steps of a protocol, at which a test has a process stop, to kill it there or to let it stand for a while.
 *
 * Only in builds with MARCH_STEPS, which are those for tests; in all others nothing is left of it, not even the names.
 *
 * A test makes the folder RUN/steps before the cluster is started, and then gives an order to a process by RUN/steps/NAME,
 * put there whole (renamed): a line "STEP SKIP SERIAL". When that process comes by at STEP for the time after SKIP others it
 * renames the file to NAME.at, and stops itself by SIGSTOP, with all its threads. The serial number, another for each order,
 * tells one that is given again from the one before.
 *
 * The file is looked for at each step, so a step is something that happens to a player, a partition or a process, not to a
 * packet or in a tick. Names are PART.WHAT; that what they say has happened, and nothing after it. For one thread of a
 * process.
 */
#ifndef MARCH_COMMON_STEP_H
#define MARCH_COMMON_STEP_H

#ifdef MARCH_STEPS

#define STEP(name)                 step_pass(name)
#define STEPS_OF(run_dir, process) step_begin(run_dir, process)

/* step_begin tells where orders lie and who this process is; without it, or without the folder, step_pass does nothing. */
void step_begin(const char *run_dir, const char *process);
void step_pass(const char *name);

#else

#define STEP(name)                 ((void)0)
#define STEPS_OF(run_dir, process) ((void)0)

#endif
#endif
