/* hex_doc.h: worked examples in documents, for tests that decode them out of there.
 *
 * An example is a block fenced as ```hex NAME; hex digits in pairs, blanks anywhere between pairs, # starts a comment to the
 * end of the line. Tests run in the root of the tree.
 */
#ifndef MARCH_TESTS_HEX_DOC_H
#define MARCH_TESTS_HEX_DOC_H

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Appends the bytes of one line of hex; returns the new length, or 0 on anything that is not hex. */
static inline size_t hex_doc_line(const char *line, uint8_t *bytes, size_t len, size_t size) {
    for (const char *c = line; *c && *c != '#'; c++) {
        if (isspace((unsigned char)*c)) continue;
        unsigned value;
        if (len == size || !isxdigit((unsigned char)c[0]) || !isxdigit((unsigned char)c[1])) return 0;
        if (sscanf(c, "%2x", &value) != 1) return 0;
        bytes[len++] = (uint8_t)value;
        c++;
    }
    return len;
}

/* hex_doc_read reads the example `name` of the document at `path`; returns its length, 0 when there is no such example. */
static inline size_t hex_doc_read(const char *path, const char *name, uint8_t *bytes, size_t size) {
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    char line[512], fence[128];
    snprintf(fence, sizeof(fence), "```hex %s\n", name);
    size_t len = 0;
    while (fgets(line, sizeof(line), file)) {
        if (strcmp(line, fence) != 0) continue;
        while (fgets(line, sizeof(line), file) && strncmp(line, "```", 3) != 0) len = hex_doc_line(line, bytes, len, size);
        break;
    }
    fclose(file);
    return len;
}

#endif
