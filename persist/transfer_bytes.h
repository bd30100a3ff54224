/* transfer_bytes.h: a transfer as it travels between shards.
 *
 *   u64 id | u64 player | u64 other | u64 object | u64 created_ms | i64 gold | u32 dest_shard | u32 purpose | u32 items |
 *   items * (u64 id | u64 origin | u32 kind | u32 count)
 *
 * Little endian, nothing behind it. What the fields mean stands at struct ledger_transfer.
 */
#ifndef MARCH_PERSIST_TRANSFER_BYTES_H
#define MARCH_PERSIST_TRANSFER_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/ledger_rows.h"

#define TRANSFER_BYTES_MAX (6 * 8 + 3 * 4 + LEDGER_TRADE_ITEMS_MAX * 24)

/* transfer_write returns the length written to `bytes`. */
size_t transfer_write(const struct ledger_transfer *transfer, uint8_t bytes[TRANSFER_BYTES_MAX]);

/* transfer_read returns MARCH_ERR_INVALID for bytes that no transfer_write gave: wrong length, too many items, an unknown
 * purpose, a negative amount. */
must_check int transfer_read(const uint8_t *bytes, size_t len, struct ledger_transfer *out);

#endif
