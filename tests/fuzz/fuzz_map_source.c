/* Any text as a list of boxes: it is refused with one line that names the file, or each box is solid and within the world.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tools/zonectl/map_source.h"

static void check_refused(const char *error) {
    CHECK(strncmp(error, "fuzz.yaml:", 10) == 0 && strlen(error) > 12);
    for (const char *c = error; *c; c++) CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char error[512] = "";
    struct map_box *boxes;
    uint32_t count;
    if (map_source_parse("fuzz.yaml", data, size, &boxes, &count, error, sizeof error) != 0) {
        CHECK(boxes == NULL && count == 0);
        check_refused(error);
        return 0;
    }
    for (uint32_t i = 0; i < count; i++)
        CHECK(boxes[i].x_min < boxes[i].x_max && boxes[i].y_min < boxes[i].y_max && boxes[i].z_min < boxes[i].z_max &&
              boxes[i].x_max <= 32767 * 65536);
    free(boxes);
    return 0;
}
