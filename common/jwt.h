/* jwt.h: tokens that a studio's backend signs (JSON Web Tokens, RFC 7519), verified.
 *
 * The verifier's owner fixes the algorithm by the keys that it has; what a token's header says must be just that, and
 * chooses nothing. EdDSA is Ed25519 (RFC 8037), HS256 is HMAC with SHA-256 (RFC 7518). Compact form only. Nothing of a token
 * but its header's `alg`, `typ` and `crit` is looked at before its signature was found good.
 *
 * Strict: JWT_BYTES_MAX long, three parts of unpadded base64url in its one form, objects without a key twice, no `crit`;
 * `exp` is required, times are integers. Clocks may differ by JWT_SKEW_S. A token may be used any number of times until it
 * expires. Nothing here samples the time.
 */
#ifndef MARCH_COMMON_JWT_H
#define MARCH_COMMON_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define JWT_BYTES_MAX    2048
#define JWT_KEY_MAX      64 /* bytes; an Ed25519 key has 32, one for HMAC at least 32 (RFC 7518, 3.2) */
#define JWT_KEY_MIN      32
#define JWT_KEYS_MAX     4
#define JWT_SUBJECT_SIZE 64  /* with the final zero */
#define JWT_TEXT_SIZE    128 /* the same, of an issuer or audience that is asked for */
#define JWT_SCOPE_SIZE   256
#define JWT_SKEW_S       30

enum jwt_algorithm { JWT_EDDSA = 0, JWT_HS256 = 1, JWT_ALGORITHM_COUNT = 2 };

struct jwt_key {
    uint8_t bytes[JWT_KEY_MAX];
    size_t len;
};

struct jwt_verifier {
    enum jwt_algorithm algorithm;
    struct jwt_key keys[JWT_KEYS_MAX]; /* any of them may have signed */
    uint32_t key_count;
    char issuer[JWT_TEXT_SIZE];   /* "" for any */
    char audience[JWT_TEXT_SIZE]; /* "" for any */
};

struct jwt_claims {
    char subject[JWT_SUBJECT_SIZE]; /* "" for none */
    char scope[JWT_SCOPE_SIZE];     /* words with a blank between, "" for none (RFC 8693, 4.2) */
    int64_t expires_s;              /* Unix time */
};

/* What is wrong with a token; the first thing that is found. */
enum jwt_verdict {
    JWT_GOOD = 0,
    JWT_MALFORMED = 1,
    JWT_ALGORITHM = 2, /* not the one that the keys are for */
    JWT_SIGNATURE = 3,
    JWT_EXPIRED = 4,
    JWT_NOT_YET = 5, /* nbf or iat lies ahead */
    JWT_ISSUER = 6,
    JWT_AUDIENCE = 7,
    JWT_VERDICT_COUNT = 8
};

/* jwt_verify reads a token as of `now_s`, Unix time. `claims` holds something only where it is JWT_GOOD. sodium_init() must
 * have run. */
enum jwt_verdict jwt_verify(const struct jwt_verifier *verifier, const char *token, size_t len, int64_t now_s,
                            struct jwt_claims *claims);

/* jwt_has_scope tells whether a word is one of the scope's. */
bool jwt_has_scope(const struct jwt_claims *claims, const char *word);

/* jwt_open judges form and signature alone, of any content (RFC 7515), which it writes with its length and a zero behind. */
enum jwt_verdict jwt_open(const struct jwt_verifier *verifier, const char *token, size_t len,
                          char payload[JWT_BYTES_MAX + 1], size_t *payload_len);

/* jwt_verdict_text returns what is said of a token. */
const char *jwt_verdict_text(enum jwt_verdict verdict);

/* jwt_read_key reads a key's file: for EdDSA a public key in PEM as `openssl pkey -pubout` writes it, for HS256 32 bytes as
 * they are, as of file_read_key. On failure `error` holds a line that names the file. */
must_check int jwt_read_key(const char *path, enum jwt_algorithm algorithm, struct jwt_key *key, char *error,
                            size_t error_size);

#endif
