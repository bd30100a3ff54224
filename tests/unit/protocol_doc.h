/* protocol_doc.h: the worked examples of schemas/PROTOCOL.md, for tests that decode them out of the document.
 *
 * An example is a block fenced as ```hex NAME; hex digits in pairs, blanks anywhere between pairs, # starts a comment to the
 * end of the line. Tests run in the root of the tree.
 */
#ifndef MARCH_TESTS_PROTOCOL_DOC_H
#define MARCH_TESTS_PROTOCOL_DOC_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PROTOCOL_DOC_PATH "schemas/PROTOCOL.md"

/* Appends the bytes of one line of hex; returns the new length, or 0 on anything that is not hex. */
static inline size_t protocol_doc_line(const char *line, uint8_t *bytes, size_t len, size_t size) {
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

/* protocol_doc_hex reads the example `name` into bytes[]; returns its length, 0 when there is no such example. */
static inline size_t protocol_doc_hex(const char *name, uint8_t *bytes, size_t size) {
    FILE *file = fopen(PROTOCOL_DOC_PATH, "r");
    if (!file) return 0;
    char line[512], fence[128];
    snprintf(fence, sizeof(fence), "```hex %s\n", name);
    size_t len = 0;
    while (fgets(line, sizeof(line), file)) {
        if (strcmp(line, fence) != 0) continue;
        while (fgets(line, sizeof(line), file) && strncmp(line, "```", 3) != 0) {
            len = protocol_doc_line(line, bytes, len, size);
        }
        break;
    }
    fclose(file);
    return len;
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
