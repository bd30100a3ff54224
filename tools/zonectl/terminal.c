/* terminal.c: see terminal.h. */
#include "tools/zonectl/terminal.h"

#include <signal.h>
#include <unistd.h>

void terminal_take(struct terminal *terminal) {
    terminal->group = 0;
    pid_t group = getpgrp();
    if (group == getpid() || !isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != group) return;
    signal(SIGTTOU, SIG_IGN); /* or giving it back, from the background, would stop us */
    signal(SIGTSTP, SIG_IGN); /* nobody watches us who could continue us after Ctrl-Z */
    if (setpgid(0, 0) != 0) return;
    if (tcsetpgrp(STDIN_FILENO, getpid()) != 0)
        (void)setpgid(0, group);
    else
        terminal->group = group;
}

void terminal_give_back(const struct terminal *terminal) {
    if (terminal->group != 0) (void)tcsetpgrp(STDIN_FILENO, terminal->group);
}
