/* journal_view.h: what is in a directory of a journal, read by the journal's own reader, for zonectl journal.
 *
 * Takes no lock and changes nothing, so it works on the journal of a stopped cluster as on one in use; the newest block of
 * one in use may look torn. One segment at a time is in memory. Bytes are trusted as little as by a recovery.
 */
#ifndef MARCH_ZONECTL_JOURNAL_VIEW_H
#define MARCH_ZONECTL_JOURNAL_VIEW_H

#include <stdint.h>

#include <jansson.h>

#include "common/error.h"

#define JOURNAL_VIEW_TYPES_MAX  16 /* of records that are counted by type; others are counted together */
#define JOURNAL_VIEW_ERROR_SIZE 512

/* journal_view returns a new object:
 * {"dir", "sound", "first", "last", "segments": [{"file", "bytes", "first", "last", "blocks", "records": {"motion": 5, ...},
 *  "used_bytes", "state": "whole" | "unused" | "torn" | "broken", "error"}]}
 * `sound` says that a recovery would take it: nothing is broken, positions follow each other, and only the newest segment in
 * use may be torn. `error` tells what is not as it should be. NULL with a line in `error` when the directory or a file can't
 * be read. */
json_t *journal_view(const char *dir, char error[JOURNAL_VIEW_ERROR_SIZE]);

#endif
