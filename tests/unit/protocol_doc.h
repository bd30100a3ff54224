/* protocol_doc.h: the worked examples and the lines of schemas/PROTOCOL.md. */
#ifndef MARCH_TESTS_PROTOCOL_DOC_H
#define MARCH_TESTS_PROTOCOL_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/hex_doc.h"

#define PROTOCOL_DOC_PATH "schemas/PROTOCOL.md"

/* protocol_doc_hex reads the example `name` into bytes[]; returns its length, 0 when there is no such example. */
static inline size_t protocol_doc_hex(const char *name, uint8_t *bytes, size_t size) {
    return hex_doc_read(PROTOCOL_DOC_PATH, name, bytes, size);
}

/* protocol_doc_has tells whether the document has a line that begins with `text`. */
static inline bool protocol_doc_has(const char *text) {
    FILE *file = fopen(PROTOCOL_DOC_PATH, "r");
    if (!file) return false;
    char line[512];
    bool found = false;
    while (!found && fgets(line, sizeof(line), file)) found = strncmp(line, text, strlen(text)) == 0;
    fclose(file);
    return found;
}

#endif
