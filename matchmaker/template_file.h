/* template_file.h: templates of instances as designers write them, one YAML file each, in a folder.
 *
 * The keys are the fields of struct template; deploy/config/instances has examples with every key explained. What is wrong
 * is told in one line, "PATH:LINE: KEY: what was expected, what was found". Reading blocks: for start-up, tools and reloads.
 */
#ifndef MARCH_MATCHMAKER_TEMPLATE_FILE_H
#define MARCH_MATCHMAKER_TEMPLATE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/yaml_load.h"
#include "matchmaker/mode_file.h"
#include "matchmaker/template.h"

#define TEMPLATE_FILE_BYTES_MAX (32 * 1024)
#define TEMPLATE_FILES_MAX      32
#define TEMPLATE_ERROR_SIZE     YAML_ERROR_SIZE

struct template_set {
    struct template templates[TEMPLATE_FILES_MAX]; /* by file name */
    uint32_t count;
};

must_check int template_file_parse(const char *path, const char *bytes, size_t len, struct template *out, char *error,
                                   size_t error_size);
must_check int template_file_load(const char *path, struct template *out, char *error, size_t error_size);

/* template_file_load_folder reads every *.yaml of a folder, all or nothing, as mode_file_load_folder. Each that differs from
 * the one of its name in `before` (NULL: none) has the next version. */
must_check int template_file_load_folder(const char *folder, const struct template_set *before, struct template_set *out,
                                         char *error, size_t error_size);

const struct template *template_set_find(const struct template_set *set, const char *name);

/* template_set_serves tells whether the templates that modes name are there and have room for their players.
 * MARCH_ERR_INVALID with a line in `error` where not. */
must_check int template_set_serves(const struct template_set *set, const struct mode_set *modes, char *error,
                                   size_t error_size);

/* template_override sets one scalar key ("time_limit_s", "win.gold", "waves[0].creatures") to a value, within the limits of
 * a file. MARCH_ERR_INVALID with a line in `error`, and nothing changed. */
must_check int template_override(struct template *template, const char *key, const char *value, char *error,
                                 size_t error_size);

#endif
