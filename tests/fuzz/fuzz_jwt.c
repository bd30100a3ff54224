/* fuzz_jwt.c: any bytes as a token, and, as nobody finds signatures by chance, any bytes as what a good signature is under:
 * a header up to the first line feed, claims behind it. A token that is good has what it must have, and is so in one form.
 */
#include <sodium.h>
#include <string.h>

#include "common/check.h"
#include "common/jwt.h"

#define NOW_S 1300819000

static struct jwt_verifier hmac = {.algorithm = JWT_HS256, .key_count = 1, .keys = {{.len = 32}}};
static struct jwt_verifier eddsa = {.algorithm = JWT_EDDSA, .key_count = 1, .keys = {{.len = 32}}};

static enum jwt_verdict judge(const struct jwt_verifier *v, const char *token, size_t len) {
    struct jwt_claims claims;
    enum jwt_verdict verdict = jwt_verify(v, token, len, NOW_S, &claims);
    CHECK(verdict < JWT_VERDICT_COUNT);
    if (verdict) return verdict;
    CHECK(len <= JWT_BYTES_MAX && strlen(claims.subject) < JWT_SUBJECT_SIZE);
    CHECK(claims.expires_s > NOW_S - JWT_SKEW_S);
    return JWT_GOOD;
}

static size_t append_base64(char *out, size_t size, size_t at, const uint8_t *bytes, size_t len) {
    sodium_bin2base64(out + at, size - at, (const uint8_t *)bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return strlen(out);
}

static void judge_signed(const uint8_t *bytes, size_t len) {
    static char token[2 * JWT_BYTES_MAX];
    uint8_t signature[crypto_auth_hmacsha256_BYTES];
    const uint8_t *end = memchr(bytes, '\n', len);
    if (!end || len > JWT_BYTES_MAX / 2) return;
    size_t at = append_base64(token, sizeof token, 0, bytes, (size_t)(end - bytes));
    token[at++] = '.';
    at = append_base64(token, sizeof token, at, end + 1, len - (size_t)(end + 1 - bytes));
    crypto_auth_hmacsha256(signature, (const uint8_t *)token, at, hmac.keys[0].bytes);
    token[at++] = '.';
    size_t token_len = append_base64(token, sizeof token, at, signature, sizeof signature);
    enum jwt_verdict verdict = judge(&hmac, token, token_len);
    CHECK(verdict != JWT_SIGNATURE);
    if (verdict == JWT_MALFORMED || verdict == JWT_ALGORITHM) return;
    token[at] = token[at] == 'A' ? 'B' : 'A';
    CHECK(judge(&hmac, token, token_len) == JWT_SIGNATURE);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    CHECK(sodium_init() >= 0);
    judge(&hmac, (const char *)bytes, len);
    judge(&eddsa, (const char *)bytes, len);
    judge_signed(bytes, len);
    return 0;
}
