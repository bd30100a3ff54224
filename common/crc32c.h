/* crc32c.h: CRC-32C (Castagnoli), as RFC 3720 (iSCSI) defines it: reflected polynomial 0x82f63b78, start and end inverted.
 *
 * Uses the crc32 instruction of SSE4.2 where the processor has it, else a table of sixteen. Pure; any thread.
 */
#ifndef MARCH_COMMON_CRC32C_H
#define MARCH_COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc32c goes on from `crc`, the result over the bytes before these; 0 to begin. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

/* crc32c_portable gives the same by table. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t len);

#endif
