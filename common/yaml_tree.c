/* yaml_tree.c: see yaml_tree.h. Turns libyaml's events into nodes; the open mappings and lists are a stack. */
#include "common/yaml_tree.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct yaml_tree {
    struct yaml_node *root;
    uint32_t count;
    struct yaml_node nodes[YAML_NODES_MAX];
};

struct builder {
    struct yaml_tree *tree;
    struct yaml_node *open[YAML_DEPTH_MAX];
    uint32_t depth;
    char *key; /* read, its value still to come */
    bool ended;
    const char *problem;
};

static int refuse(struct builder *builder, const char *problem) {
    builder->problem = problem;
    return MARCH_ERR_INVALID;
}

/* text_copy returns a copy of a scalar; NULL with a problem set when it can't be one. */
static char *text_copy(struct builder *builder, const yaml_event_t *event) {
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    bool has_zero = memchr(text, 0, len) != NULL;
    char *copy = has_zero ? NULL : malloc(len + 1);
    if (!copy) {
        refuse(builder, has_zero ? "a zero byte in a value" : "out of memory");
        return NULL;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

/* node_link hangs a node below the innermost open one, or makes it the root. */
static int node_link(struct builder *builder, struct yaml_node *node) {
    if (builder->depth == 0) {
        if (builder->tree->root) return refuse(builder, "more than one document");
        builder->tree->root = node;
        return 0;
    }
    struct yaml_node *parent = builder->open[builder->depth - 1];
    if (parent->count == YAML_CHILDREN_MAX) return refuse(builder, "too many entries");
    node->key = builder->key;
    builder->key = NULL;
    if (parent->last)
        parent->last->next = node;
    else
        parent->child = node;
    parent->last = node;
    parent->count++;
    return 0;
}

static int node_add(struct builder *builder, enum yaml_kind kind, const yaml_event_t *event, struct yaml_node **out) {
    if (builder->tree->count == YAML_NODES_MAX) return refuse(builder, "too many values");
    struct yaml_node *node = &builder->tree->nodes[builder->tree->count++];
    node->kind = kind;
    node->line = (uint32_t)event->start_mark.line + 1;
    *out = node;
    return node_link(builder, node);
}

static int on_open(struct builder *builder, enum yaml_kind kind, const yaml_event_t *event) {
    struct yaml_node *parent = builder->depth > 0 ? builder->open[builder->depth - 1] : NULL;
    if (parent && parent->kind == YAML_MAPPING && !builder->key) return refuse(builder, "a key that is not a word");
    if (builder->depth == YAML_DEPTH_MAX) return refuse(builder, "nested too deep");
    struct yaml_node *node;
    int result = node_add(builder, kind, event, &node);
    if (result == 0) builder->open[builder->depth++] = node;
    return result;
}

static int on_key(struct builder *builder, const struct yaml_node *mapping, const yaml_event_t *event) {
    builder->key = text_copy(builder, event);
    if (!builder->key) return MARCH_ERR_INVALID;
    if (yaml_child(mapping, builder->key)) return refuse(builder, "doubled key");
    return 0;
}

static int on_scalar(struct builder *builder, const yaml_event_t *event) {
    const struct yaml_node *parent = builder->depth > 0 ? builder->open[builder->depth - 1] : NULL;
    if (event->data.scalar.anchor || event->data.scalar.tag) return refuse(builder, "anchors and tags are not supported");
    if (parent && parent->kind == YAML_MAPPING && !builder->key) return on_key(builder, parent, event);
    struct yaml_node *node;
    int result = node_add(builder, YAML_SCALAR, event, &node);
    if (result != 0) return result;
    node->text = text_copy(builder, event);
    return node->text ? 0 : MARCH_ERR_INVALID;
}

static int on_event(struct builder *builder, const yaml_event_t *event) {
    switch (event->type) {
    case YAML_MAPPING_START_EVENT:
        if (event->data.mapping_start.anchor || event->data.mapping_start.tag)
            return refuse(builder, "anchors and tags are not supported");
        return on_open(builder, YAML_MAPPING, event);
    case YAML_SEQUENCE_START_EVENT:
        if (event->data.sequence_start.anchor || event->data.sequence_start.tag)
            return refuse(builder, "anchors and tags are not supported");
        return on_open(builder, YAML_LIST, event);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: builder->depth--; return 0;
    case YAML_SCALAR_EVENT: return on_scalar(builder, event);
    case YAML_ALIAS_EVENT: return refuse(builder, "aliases are not supported");
    case YAML_STREAM_END_EVENT: builder->ended = true; return 0;
    default: return 0;
    }
}

/* parse_all feeds every event to the builder; on failure tells line and problem. */
static int parse_all(struct builder *builder, yaml_parser_t *parser, uint32_t *line, char *error, size_t error_size) {
    while (!builder->ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            *line = (uint32_t)parser->problem_mark.line + 1;
            snprintf(error, error_size, "not YAML: %s", parser->problem ? parser->problem : "unreadable");
            return MARCH_ERR_INVALID;
        }
        int result = on_event(builder, &event);
        *line = (uint32_t)event.start_mark.line + 1;
        yaml_event_delete(&event);
        if (result == 0) continue;
        snprintf(error, error_size, "%s%s%s", builder->problem, builder->key ? ": " : "", builder->key ? builder->key : "");
        return result;
    }
    return 0;
}

int yaml_tree_parse(const char *bytes, size_t len, struct yaml_tree **out, uint32_t *line, char *error, size_t error_size) {
    *out = NULL;
    *line = 1;
    yaml_parser_t parser;
    struct builder builder = {.tree = calloc(1, sizeof *builder.tree)};
    if (!builder.tree || !yaml_parser_initialize(&parser)) {
        snprintf(error, error_size, "out of memory");
        free(builder.tree);
        return MARCH_ERR_SYSTEM;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    int result = parse_all(&builder, &parser, line, error, error_size);
    yaml_parser_delete(&parser);
    free(builder.key);
    if (result == 0)
        *out = builder.tree;
    else
        yaml_tree_free(builder.tree);
    return result;
}

void yaml_tree_free(struct yaml_tree *tree) {
    if (!tree) return;
    for (uint32_t i = 0; i < tree->count; i++) {
        free((char *)tree->nodes[i].key);
        free((char *)tree->nodes[i].text);
    }
    free(tree);
}

const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree) {
    return tree->root;
}

const struct yaml_node *yaml_child(const struct yaml_node *node, const char *key) {
    if (!node || node->kind != YAML_MAPPING) return NULL;
    for (const struct yaml_node *child = node->child; child; child = child->next)
        if (strcmp(child->key, key) == 0) return child;
    return NULL;
}

const struct yaml_node *yaml_child_near(const struct yaml_node *node, const char *key) {
    const struct yaml_node *child = yaml_child(node, key);
    return child ? child : node;
}

const struct yaml_node *yaml_entry(const struct yaml_node *node, size_t index) {
    if (!node || node->kind != YAML_LIST) return NULL;
    const struct yaml_node *child = node->child;
    while (child && index-- > 0) child = child->next;
    return child;
}
