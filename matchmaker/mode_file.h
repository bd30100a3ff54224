/* mode_file.h: modes of play as designers write them, one YAML file each, in a folder.
 *
 * The keys are the fields of struct mode; deploy/config/modes has examples with every key explained. What is wrong is told
 * in one line, "PATH:LINE: KEY: what was expected, what was found". Reading blocks: it is for start-up, tools and reloads.
 */
#ifndef MARCH_MATCHMAKER_MODE_FILE_H
#define MARCH_MATCHMAKER_MODE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/yaml_load.h"
#include "matchmaker/mode.h"

#define MODE_FILE_BYTES_MAX (16 * 1024)
#define MODE_FILES_MAX      32 /* in a folder */
#define MODE_ERROR_SIZE     YAML_ERROR_SIZE

struct mode_set {
    struct mode modes[MODE_FILES_MAX]; /* by file name */
    uint32_t count;
};

/* mode_file_parse reads a mode from bytes; `path` is only for the error line. `*out` is as it was on failure:
 * MARCH_ERR_INVALID. */
must_check int mode_file_parse(const char *path, const char *bytes, size_t len, struct mode *out, char *error,
                               size_t error_size);

/* mode_file_load is mode_file_parse of a file; the errors of file_read, too. */
must_check int mode_file_load(const char *path, struct mode *out, char *error, size_t error_size);

/* mode_file_load_folder reads every *.yaml of a folder, names that begin with a dot left out. All or nothing: `*out` is as
 * it was on failure, so that a bad file changes nothing. MARCH_ERR_INVALID for a bad file, a folder without one, or a name
 * of a mode that two files have; MARCH_ERR_FULL for more than MODE_FILES_MAX; MARCH_ERR_SYSTEM for a folder or file that
 * can't be read. */
must_check int mode_file_load_folder(const char *folder, struct mode_set *out, char *error, size_t error_size);

/* mode_set_find returns the mode of that name, NULL when there is none. */
const struct mode *mode_set_find(const struct mode_set *set, const char *name);

#endif
