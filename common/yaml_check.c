/* yaml_check.c: see yaml_check.h. All walks follow the schema; a `walk` carries the path of where they are. */
#include "common/yaml_check.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/check.h"
#include "common/text.h"

#define PATH_SIZE     160
#define EXPECTED_SIZE 320
#define FOUND_MAX     60 /* bytes of a value that an error quotes */

struct walk {
    const struct yaml_rules *rules;
    char path[PATH_SIZE];    /* "zones[2].rect" */
    char pattern[PATH_SIZE]; /* "zones[].rect" */
    uint32_t *line;
    char *error;
    size_t error_size;
};

/* Where a path ended before a step into a child, to go back to. */
struct mark {
    size_t path_len, pattern_len;
};

static void append(char *path, const char *format, const char *text) {
    size_t len = strlen(path);
    snprintf(path + len, PATH_SIZE - len, format, text);
}

static struct mark walk_mark(const struct walk *walk) {
    return (struct mark){strlen(walk->path), strlen(walk->pattern)};
}

static struct mark walk_into_key(struct walk *walk, const char *key) {
    struct mark mark = walk_mark(walk);
    append(walk->path, mark.path_len ? ".%s" : "%s", key);
    append(walk->pattern, mark.pattern_len ? ".%s" : "%s", key);
    return mark;
}

static struct mark walk_into_entry(struct walk *walk, uint32_t index) {
    struct mark mark = walk_mark(walk);
    char number[16];
    snprintf(number, sizeof number, "%" PRIu32, index);
    append(walk->path, "[%s]", number);
    append(walk->pattern, "%s", "[]");
    return mark;
}

static void walk_back(struct walk *walk, struct mark mark) {
    walk->path[mark.path_len] = '\0';
    walk->pattern[mark.pattern_len] = '\0';
}

static const struct yaml_rule *rule_find(const struct walk *walk) {
    for (size_t i = 0; i < walk->rules->count; i++)
        if (strcmp(walk->rules->rules[i].path, walk->pattern) == 0) return &walk->rules->rules[i];
    CHECK(!"every integer and string has a rule");
    return NULL;
}

/* --- what was expected, in words */

static void describe_enum(struct text *out, const struct cyaml_schema_value *schema) {
    text_append(out, "one of ");
    for (uint32_t i = 0; i < schema->enumeration.count; i++)
        text_append(out, "%s%s", i ? ", " : "", schema->enumeration.strings[i].str);
}

static void describe_rule(struct text *out, const struct yaml_rule *rule) {
    switch (rule->form) {
    case YAML_FORM_INTEGER: text_append(out, "an integer from %" PRId64 " to %" PRIu64, rule->min, rule->max); break;
    case YAML_FORM_NAME:
        text_append(out, "a name of a-z, 0-9 and '-', from a letter on, at most %" PRIu64 " long", rule->max);
        break;
    case YAML_FORM_ADDRESS: text_append(out, "an address like \"127.0.0.1:0\" or \"[::1]:0\""); break;
    case YAML_FORM_HOST: text_append(out, "an IP address or host name"); break;
    case YAML_FORM_FOLDER: text_append(out, "the path of a folder, at most %" PRIu64 " bytes", rule->max); break;
    case YAML_FORM_FILE: text_append(out, "the path of a file, at most %" PRIu64 " bytes", rule->max); break;
    case YAML_FORM_TEXT: text_append(out, "printable ASCII, at most %" PRIu64 " bytes", rule->max); break;
    case YAML_FORM_COUNT: CHECK(false);
    }
}

static void describe_list(struct text *out, const struct cyaml_schema_value *schema) {
    text_append(out, "a list of %" PRIu32 " to %" PRIu32 " entries", schema->sequence.min, schema->sequence.max);
}

static void describe(struct text *out, const struct walk *walk, const struct cyaml_schema_value *schema) {
    switch (schema->type) {
    case CYAML_INT:
    case CYAML_UINT:
    case CYAML_STRING: describe_rule(out, rule_find(walk)); break;
    case CYAML_BOOL: text_append(out, "true or false"); break;
    case CYAML_ENUM: describe_enum(out, schema); break;
    case CYAML_MAPPING: text_append(out, "a mapping"); break;
    case CYAML_SEQUENCE: describe_list(out, schema); break;
    default: CHECK(!"a type that configurations use");
    }
}

/* quote_len returns how much of a text an error quotes: whole characters. */
static int quote_len(const char *text) {
    size_t len = strnlen(text, FOUND_MAX);
    if (text[len] != '\0')
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) len--;
    return (int)len;
}

static void describe_found(struct text *out, const struct yaml_node *node) {
    if (!node)
        text_append(out, "nothing");
    else if (node->kind == YAML_MAPPING)
        text_append(out, "a mapping");
    else if (node->kind == YAML_LIST)
        text_append(out, "a list of %" PRIu32, node->count);
    else
        text_append(out, "\"%.*s\"%s", quote_len(node->text), node->text, strlen(node->text) > FOUND_MAX ? " ..." : "");
}

/* fail writes "path: message" and the line; the document itself has no path. */
__attribute__((format(printf, 3, 4))) static int fail(struct walk *walk, uint32_t line, const char *format, ...) {
    char message[EXPECTED_SIZE + 2 * FOUND_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    *walk->line = line;
    snprintf(walk->error, walk->error_size, "%s%s%s", walk->path, walk->path[0] ? ": " : "", message);
    return MARCH_ERR_INVALID;
}

static int fail_expected(struct walk *walk, const struct cyaml_schema_value *schema, const struct yaml_node *node) {
    char expected[EXPECTED_SIZE];
    char found[FOUND_MAX + 16];
    struct text text;
    text_init(&text, expected, sizeof expected);
    describe(&text, walk, schema);
    text_init(&text, found, sizeof found);
    describe_found(&text, node);
    return fail(walk, node ? node->line : 1, "expected %s, found %s", expected, found);
}

/* --- scalars */

/* integer_in_range reads a decimal or 0x number, with no leading zero, and compares it with the range. */
static bool integer_in_range(const char *text, int64_t min, uint64_t max) {
    bool negative = *text == '-';
    const char *digits = text + (negative ? 1 : 0);
    bool hex = digits[0] == '0' && digits[1] == 'x';
    if (hex) digits += 2;
    size_t len = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
    if (len == 0 || digits[len] || (!hex && digits[0] == '0' && len > 1)) return false;
    errno = 0;
    uint64_t magnitude = strtoull(digits, NULL, hex ? 16 : 10);
    if (errno == ERANGE) return false;
    if (!negative) return magnitude <= max && (min <= 0 || magnitude >= (uint64_t)min);
    return min < 0 && magnitude <= 0 - (uint64_t)min;
}

static bool name_is_valid(const char *text, uint64_t len_max) {
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && len <= len_max && !text[len] && islower((unsigned char)text[0]);
}

static bool host_is_valid(const char *text, uint64_t len_max) {
    size_t len = strlen(text);
    if (len == 0 || len > len_max) return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr(".:-", *text)) return false;
    return true;
}

static bool text_is_printable(const char *text) {
    while (isprint((unsigned char)*text)) text++;
    return *text == '\0';
}

static bool text_follows_rule(const char *text, const struct yaml_rule *rule) {
    struct addr address;
    switch (rule->form) {
    case YAML_FORM_INTEGER: return integer_in_range(text, rule->min, rule->max);
    case YAML_FORM_NAME: return name_is_valid(text, rule->max);
    case YAML_FORM_ADDRESS: return strlen(text) <= rule->max && addr_parse(&address, text) == 0;
    case YAML_FORM_HOST: return host_is_valid(text, rule->max);
    case YAML_FORM_FOLDER:
    case YAML_FORM_FILE: return strlen(text) <= rule->max;
    case YAML_FORM_TEXT: return strlen(text) <= rule->max && text_is_printable(text);
    case YAML_FORM_COUNT: break;
    }
    CHECK(false);
    return false;
}

static bool text_is_in_enum(const char *text, const struct cyaml_schema_value *schema) {
    for (uint32_t i = 0; i < schema->enumeration.count; i++)
        if (strcmp(text, schema->enumeration.strings[i].str) == 0) return true;
    return false;
}

static bool scalar_is_valid(const struct walk *walk, const struct cyaml_schema_value *schema, const char *text) {
    switch (schema->type) {
    case CYAML_INT:
    case CYAML_UINT:
    case CYAML_STRING: return text_follows_rule(text, rule_find(walk));
    case CYAML_BOOL: return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    case CYAML_ENUM: return text_is_in_enum(text, schema);
    default: return false;
    }
}

/* --- the checking walk */

static int check_value(struct walk *walk, const struct cyaml_schema_value *schema, const struct yaml_node *node);

static int fail_unknown_key(struct walk *walk, const struct cyaml_schema_value *schema, const char *unknown, uint32_t line) {
    char known[EXPECTED_SIZE];
    struct text text;
    text_init(&text, known, sizeof known);
    for (const struct cyaml_schema_field *field = schema->mapping.fields; field->key; field++)
        text_append(&text, "%s%s", field == schema->mapping.fields ? "" : ", ", field->key);
    char key[FOUND_MAX + 1];
    snprintf(key, sizeof key, "%.*s", quote_len(unknown), unknown);
    walk_into_key(walk, key);
    return fail(walk, line, "unknown key, expected one of %s", known);
}

static int check_unknown_keys(struct walk *walk, const struct cyaml_schema_value *schema, const struct yaml_node *node) {
    for (const struct yaml_node *child = node->child; child; child = child->next) {
        const struct cyaml_schema_field *field = schema->mapping.fields;
        while (field->key && strcmp(field->key, child->key) != 0) field++;
        if (!field->key) return fail_unknown_key(walk, schema, child->key, child->line);
    }
    return 0;
}

static int check_field(struct walk *walk, const struct cyaml_schema_field *field, const struct yaml_node *node) {
    const struct yaml_node *child = yaml_child(node, field->key);
    if (!child && field->value.flags & CYAML_FLAG_OPTIONAL) return 0;
    struct mark mark = walk_into_key(walk, field->key);
    if (!child) {
        char expected[EXPECTED_SIZE];
        struct text text;
        text_init(&text, expected, sizeof expected);
        describe(&text, walk, &field->value);
        return fail(walk, node->line, "missing, expected %s", expected);
    }
    int result = check_value(walk, &field->value, child);
    if (result == 0) walk_back(walk, mark);
    return result;
}

static int check_mapping(struct walk *walk, const struct cyaml_schema_value *schema, const struct yaml_node *node) {
    int result = check_unknown_keys(walk, schema, node);
    for (const struct cyaml_schema_field *field = schema->mapping.fields; result == 0 && field->key; field++)
        result = check_field(walk, field, node);
    return result;
}

static int check_list(struct walk *walk, const struct cyaml_schema_value *schema, const struct yaml_node *node) {
    if (node->count < schema->sequence.min || node->count > schema->sequence.max) return fail_expected(walk, schema, node);
    uint32_t index = 0;
    for (const struct yaml_node *child = node->child; child; child = child->next) {
        struct mark mark = walk_into_entry(walk, index++);
        int result = check_value(walk, schema->sequence.entry, child);
        if (result != 0) return result;
        walk_back(walk, mark);
    }
    return 0;
}

static int check_value(struct walk *walk, const struct cyaml_schema_value *schema, const struct yaml_node *node) {
    if (schema->type == CYAML_MAPPING && node && node->kind == YAML_MAPPING) return check_mapping(walk, schema, node);
    if (schema->type == CYAML_SEQUENCE && node && node->kind == YAML_LIST) return check_list(walk, schema, node);
    if (node && node->kind == YAML_SCALAR && scalar_is_valid(walk, schema, node->text)) return 0;
    return fail_expected(walk, schema, node);
}

int yaml_check(const struct cyaml_schema_value *schema, const struct yaml_rules *rules, const struct yaml_node *root,
               uint32_t *line, char *error, size_t error_size) {
    struct walk walk = {.rules = rules, .line = line, .error = error, .error_size = error_size};
    return check_value(&walk, schema, root);
}

/* --- the filling walk */

static void fill_value(struct walk *walk, const struct cyaml_schema_value *schema, const struct yaml_node *node, char *data);

static void fill_integer(const struct cyaml_schema_value *schema, int64_t value, char *data) {
    CHECK(schema->data_size <= sizeof value);
    memcpy(data, &value, schema->data_size); /* the low bytes: the machines this runs on are little-endian */
}

static void fill_list(struct walk *walk, const struct cyaml_schema_value *schema, const struct yaml_node *node, char *data) {
    const struct cyaml_schema_value *entry = schema->sequence.entry;
    if (!node || entry->type != CYAML_MAPPING) return;
    char *entries;
    memcpy(&entries, data, sizeof entries);
    uint32_t index = 0;
    for (const struct yaml_node *child = node->child; child; child = child->next, index++) {
        struct mark mark = walk_into_entry(walk, index);
        fill_value(walk, entry, child, entries + (size_t)index * entry->data_size);
        walk_back(walk, mark);
    }
}

static void fill_value(struct walk *walk, const struct cyaml_schema_value *schema, const struct yaml_node *node,
                       char *data) {
    if (schema->type == CYAML_MAPPING) {
        for (const struct cyaml_schema_field *field = schema->mapping.fields; field->key; field++) {
            struct mark mark = walk_into_key(walk, field->key);
            fill_value(walk, &field->value, yaml_child(node, field->key), data + field->data_offset);
            walk_back(walk, mark);
        }
    } else if (schema->type == CYAML_SEQUENCE) {
        fill_list(walk, schema, node, data);
    } else if (!node && (schema->type == CYAML_INT || schema->type == CYAML_UINT)) {
        fill_integer(schema, rule_find(walk)->fallback, data);
    } else if (!node && schema->type == CYAML_STRING) {
        const char *text = rule_find(walk)->text_fallback;
        snprintf(data, schema->data_size, "%s", text ? text : "");
    }
}

void yaml_fill_missing(const struct cyaml_schema_value *schema, const struct yaml_rules *rules, const struct yaml_node *root,
                       void *data) {
    struct walk walk = {.rules = rules};
    fill_value(&walk, schema, root, data);
}

/* --- the walk to one key */

static int64_t enum_value(const struct cyaml_schema_value *schema, const char *text) {
    uint32_t i = 0;
    while (strcmp(text, schema->enumeration.strings[i].str) != 0) i++;
    return schema->enumeration.strings[i].val;
}

/* set_scalar stores what was found valid. */
static void set_scalar(const struct cyaml_schema_value *schema, const char *text, char *data) {
    switch (schema->type) {
    case CYAML_INT:
    case CYAML_UINT:
        fill_integer(schema, text[0] == '-' ? strtoll(text, NULL, 0) : (int64_t)strtoull(text, NULL, 0), data);
        break;
    case CYAML_BOOL: fill_integer(schema, strcmp(text, "true") == 0, data); break;
    case CYAML_ENUM: fill_integer(schema, enum_value(schema, text), data); break;
    case CYAML_STRING:
        CHECK(!(schema->flags & CYAML_FLAG_POINTER));
        snprintf(data, schema->data_size, "%s", text);
        break;
    default: CHECK(false);
    }
}

static int set_value(struct walk *walk, const struct cyaml_schema_value *schema, char *data, uint32_t count,
                     const char *rest, const char *text);

/* set_field goes on with a key of a mapping, which ends at a dot, a bracket or the end. */
static int set_field(struct walk *walk, const struct cyaml_schema_value *schema, char *data, const char *rest,
                     const char *text) {
    char key[FOUND_MAX + 1];
    size_t len = strcspn(rest, ".[");
    int quoted = quote_len(rest);
    snprintf(key, sizeof key, "%.*s", len < (size_t)quoted ? (int)len : quoted, rest);
    const struct cyaml_schema_field *field = schema->mapping.fields;
    while (field->key && strcmp(field->key, key) != 0) field++;
    if (!field->key) return fail_unknown_key(walk, schema, key, 1);
    walk_into_key(walk, key);
    uint32_t count = 0;
    CHECK(field->count_size <= sizeof count);
    memcpy(&count, data + field->count_offset, field->count_size);
    rest += len;
    if (field->value.type == CYAML_MAPPING && *rest == '.') rest++;
    return set_value(walk, &field->value, data + field->data_offset, count, rest, text);
}

/* set_entry goes on with an entry of a list, "[2].key". */
static int set_entry(struct walk *walk, const struct cyaml_schema_value *schema, char *data, uint32_t count,
                     const char *rest, const char *text) {
    char *end = NULL;
    unsigned long index = rest[0] == '[' && isdigit((unsigned char)rest[1]) ? strtoul(rest + 1, &end, 10) : count;
    if (index >= count || strncmp(end, "].", 2) != 0 || schema->sequence.entry->type != CYAML_MAPPING)
        return fail(walk, 1, "expected the key of one value, in an entry below [%" PRIu32 "]", count);
    char *entries;
    memcpy(&entries, data, sizeof entries);
    walk_into_entry(walk, (uint32_t)index);
    return set_value(walk, schema->sequence.entry, entries + index * schema->sequence.entry->data_size, 0, end + 2, text);
}

static int set_value(struct walk *walk, const struct cyaml_schema_value *schema, char *data, uint32_t count,
                     const char *rest, const char *text) {
    const struct yaml_node node = {.kind = YAML_SCALAR, .line = 1, .text = text};
    if (schema->type == CYAML_SEQUENCE) return set_entry(walk, schema, data, count, rest, text);
    if (schema->type == CYAML_MAPPING && !*rest) return fail(walk, 1, "expected the key of one value");
    if (schema->type == CYAML_MAPPING) return set_field(walk, schema, data, rest, text);
    if (*rest) return fail(walk, 1, "expected the key of one value, found \"%.*s\" after it", quote_len(rest), rest);
    if (!scalar_is_valid(walk, schema, text)) return fail_expected(walk, schema, &node);
    set_scalar(schema, text, data);
    return 0;
}

int yaml_set(const struct cyaml_schema_value *schema, const struct yaml_rules *rules, void *data, const char *key,
             const char *text, char *error, size_t error_size) {
    uint32_t line;
    struct walk walk = {.rules = rules, .line = &line, .error = error, .error_size = error_size};
    return set_value(&walk, schema, data, 0, key, text);
}
