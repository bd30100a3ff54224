/* ledger_file.c: see ledger_file.h. */
#include "tools/swarm/ledger_file.h"

#include <inttypes.h>

static void write_number(FILE *file, const char *name, uint64_t value) {
    if (value != 0) fprintf(file, ", \"%s\": %" PRIu64, name, value);
}

static void write_refs(FILE *file, const char *name, const struct march_item_ref *refs, unsigned count) {
    if (count == 0) return;
    fprintf(file, ", \"%s\": [", name);
    for (unsigned i = 0; i < count; i++) {
        fprintf(file, "%s[%" PRIu64 ", %" PRIu32 ", %" PRIu32 "]", i > 0 ? ", " : "", refs[i].id, refs[i].version,
                refs[i].count);
    }
    fputc(']', file);
}

/* Texts are names that bots make up: letters, digits, '-' and '/'. */
void ledger_file_write(FILE *file, uint64_t player, const struct order *o, uint64_t wall_ns) {
    if (file == NULL) return;
    const struct march_command *c = &o->command;
    const char *status = o->status == ORDER_UNKNOWN ? "unknown" : march_status_text(o->status);
    fprintf(file,
            "{\"player\": %" PRIu64 ", \"key\": %" PRIu64 ", \"verb\": \"%s\", \"status\": \"%s\", \"object\": %" PRIu64
            ", \"sends\": %" PRIu32 ", \"sent_ns\": %" PRIu64 ", \"ended_ns\": %" PRIu64,
            player, c->key, march_verb_text(c->verb), status, o->object, o->sends, o->begun_ns, wall_ns);
    write_number(file, "other_player", c->player);
    write_number(file, "item", c->item);
    write_number(file, "other_item", c->other_item);
    write_number(file, "version", c->version);
    write_number(file, "other_version", c->other_version);
    write_number(file, "of", c->object);
    write_number(file, "count", c->count);
    write_number(file, "slot", c->slot);
    write_number(file, "rank", c->rank);
    write_number(file, "gold", c->gold);
    write_number(file, "price", c->price);
    write_number(file, "duration_s", c->duration_s);
    write_refs(file, "give", c->give, c->give_count);
    write_refs(file, "want", c->want, c->want_count);
    if (c->text[0] != '\0') fprintf(file, ", \"text\": \"%s\"", c->text);
    fputs("}\n", file);
}

void ledger_file_seen(FILE *file, uint64_t player, uint32_t tick, uint64_t wall_ns, float x_m, float y_m) {
    if (file == NULL) return;
    fprintf(file,
            "{\"player\": %" PRIu64 ", \"seen_tick\": %" PRIu32 ", \"at_ns\": %" PRIu64 ", \"x_m\": %.2f, \"y_m\": %.2f}\n",
            player, tick, wall_ns, (double)x_m, (double)y_m);
}

int ledger_file_close(FILE *file) {
    if (file == NULL) return 0;
    int failed = ferror(file);
    return fclose(file) != 0 || failed ? MARCH_ERR_SYSTEM : 0;
}
