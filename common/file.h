/* file.h: small files, read and written whole.
 *
 * For start-up and tools: these calls block. Errors come with a line of text, "PATH: what is wrong", since an operator will
 * read it.
 */
#ifndef MARCH_COMMON_FILE_H
#define MARCH_COMMON_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

#define FILE_KEY_BYTES 32

/* file_read reads a regular file of at most `max` bytes into memory that the caller frees; a zero byte that isn't counted in
 * `*len` follows the content. MARCH_ERR_NOT_FOUND when there is no such file, MARCH_ERR_FULL when it is larger,
 * MARCH_ERR_SYSTEM otherwise. */
must_check int file_read(const char *path, size_t max, uint8_t **bytes, size_t *len, char *error, size_t error_size);

/* file_write puts `len` bytes at `path` with permissions `mode`, all or nothing: a temporary file beside it is written,
 * synced and renamed. MARCH_ERR_SYSTEM when that fails. */
must_check int file_write(const char *path, const void *bytes, size_t len, mode_t mode, char *error, size_t error_size);

/* file_read_key reads a secret key of exactly 32 bytes. A file that others than its owner may read or write, or that
 * another user than root or ours owns, is refused with MARCH_ERR_INVALID, as is one of another size. */
must_check int file_read_key(const char *path, uint8_t key[FILE_KEY_BYTES], char *error, size_t error_size);

#endif
