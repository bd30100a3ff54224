/* yaml_tree.h: a YAML text as a tree that remembers lines, for checking before libcyaml fills structs from it.
 *
 * libcyaml is lenient ("12abc" is an integer to it, "maybe" a boolean) and forgets where a value stood. The tree keeps every
 * scalar's text and line. Only what a configuration needs is let in: one document of mappings, lists and scalars. Anchors,
 * aliases, tags, doubled keys, zero bytes and more than the limits below are refused, each with its line.
 */
#ifndef MARCH_COMMON_YAML_TREE_H
#define MARCH_COMMON_YAML_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define YAML_NODES_MAX    8192
#define YAML_DEPTH_MAX    8
#define YAML_CHILDREN_MAX 256

enum yaml_kind { YAML_MAPPING = 0, YAML_LIST = 1, YAML_SCALAR = 2, YAML_KIND_COUNT = 3 };

struct yaml_node {
    enum yaml_kind kind;
    uint32_t line;           /* from 1 */
    const char *key;         /* in the mapping it is in, else NULL */
    const char *text;        /* of a scalar, else NULL */
    uint32_t count;          /* children */
    struct yaml_node *child; /* first, in the order of the text */
    struct yaml_node *last;
    struct yaml_node *next; /* sibling */
};

struct yaml_tree;

/* yaml_tree_parse builds the tree of a text. On failure `*out` is NULL, `*line` is where and `error` what is wrong. */
must_check int yaml_tree_parse(const char *bytes, size_t len, struct yaml_tree **out, uint32_t *line, char *error,
                               size_t error_size);

/* yaml_tree_free frees a tree and its nodes; NULL is fine. */
void yaml_tree_free(struct yaml_tree *tree);

/* yaml_tree_root returns the top node; NULL for a text without content. */
const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree);

/* yaml_child returns the entry of a mapping, NULL when there is none. `node` may be NULL. */
const struct yaml_node *yaml_child(const struct yaml_node *node, const char *key);

/* yaml_child_near is yaml_child, or the mapping itself where it has no such entry: a line for what was left out. */
const struct yaml_node *yaml_child_near(const struct yaml_node *node, const char *key);

/* yaml_entry returns entry `index` of a list, NULL past its end. `node` may be NULL. */
const struct yaml_node *yaml_entry(const struct yaml_node *node, size_t index);

#endif
