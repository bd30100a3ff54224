#include "common/jwt.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/file.h"

#define PEM_BYTES_MAX 1024

_Static_assert(crypto_sign_ed25519_BYTES == 64 && crypto_auth_hmacsha256_BYTES == 32, "lengths of signatures");
_Static_assert(crypto_sign_ed25519_PUBLICKEYBYTES == JWT_KEY_MIN && FILE_KEY_BYTES >= JWT_KEY_MIN, "lengths of keys");

/* One of a token's parts, as it is in the token. */
struct part {
    const char *text;
    size_t len;
};

/* split cuts a token at its dots, of which there are two. */
static bool split(const char *token, size_t len, struct part parts[3]) {
    const char *end = token + len;
    for (int i = 0; i < 3; i++) {
        const char *dot = memchr(token, '.', (size_t)(end - token));
        if (!dot != (i == 2)) return false;
        parts[i] = (struct part){token, (size_t)((dot ? dot : end) - token)};
        if (dot) token = dot + 1;
    }
    return true;
}

/* decode returns the length, or -1. */
static int decode(const struct part *part, void *out, size_t size) {
    size_t len;
    int result =
        sodium_base642bin(out, size, part->text, part->len, NULL, &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return result == 0 ? (int)len : -1;
}

static json_t *object_of(const char *text, size_t len) {
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json)) return json;
    json_decref(json);
    return NULL;
}

/* --- form and signature */

static bool type_is_fine(const json_t *type) {
    return !type || (json_is_string(type) && strcasecmp(json_string_value(type), "JWT") == 0);
}

/* judge_header wants `alg` as it is spelt. What `crit` lists must be understood, and nothing is. */
static enum jwt_verdict judge_header(const struct jwt_verifier *verifier, const struct part *part) {
    static const char *const names[JWT_ALGORITHM_COUNT] = {"EdDSA", "HS256"};
    char text[JWT_BYTES_MAX];
    int len = decode(part, text, sizeof text);
    json_t *header = len < 0 ? NULL : object_of(text, (size_t)len);
    if (!header) return JWT_MALFORMED;
    const char *name = json_string_value(json_object_get(header, "alg"));
    enum jwt_verdict verdict = JWT_GOOD;
    if (json_object_get(header, "crit") || !type_is_fine(json_object_get(header, "typ"))) verdict = JWT_MALFORMED;
    if (!name || strcmp(name, names[verifier->algorithm]) != 0) verdict = JWT_ALGORITHM;
    json_decref(header);
    return verdict;
}

static bool hmac_is_good(const struct jwt_key *key, const uint8_t signature[32], const char *text, size_t len) {
    uint8_t expected[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key->bytes, key->len);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)text, len);
    crypto_auth_hmacsha256_final(&state, expected);
    return crypto_verify_32(expected, signature) == 0;
}

static bool is_signed(const struct jwt_verifier *verifier, const uint8_t *signature, size_t signature_len, const char *text,
                      size_t len) {
    bool is_eddsa = verifier->algorithm == JWT_EDDSA;
    if (signature_len != (is_eddsa ? crypto_sign_ed25519_BYTES : crypto_auth_hmacsha256_BYTES)) return false;
    for (uint32_t i = 0; i < verifier->key_count; i++) {
        const struct jwt_key *key = &verifier->keys[i];
        CHECK(key->len >= JWT_KEY_MIN);
        if (is_eddsa ? crypto_sign_ed25519_verify_detached(signature, (const uint8_t *)text, len, key->bytes) == 0
                     : hmac_is_good(key, signature, text, len))
            return true;
    }
    return false;
}

enum jwt_verdict jwt_open(const struct jwt_verifier *verifier, const char *token, size_t len,
                          char payload[JWT_BYTES_MAX + 1], size_t *payload_len) {
    struct part parts[3];
    uint8_t signature[JWT_BYTES_MAX];
    *payload_len = 0;
    if (len > JWT_BYTES_MAX || !split(token, len, parts)) return JWT_MALFORMED;
    enum jwt_verdict verdict = judge_header(verifier, &parts[0]);
    if (verdict) return verdict;
    int signature_len = decode(&parts[2], signature, sizeof signature);
    int count = decode(&parts[1], payload, JWT_BYTES_MAX);
    if (signature_len < 0 || count < 0) return JWT_MALFORMED;
    if (!is_signed(verifier, signature, (size_t)signature_len, token, (size_t)(parts[2].text - 1 - token)))
        return JWT_SIGNATURE;
    payload[count] = '\0';
    *payload_len = (size_t)count;
    return JWT_GOOD;
}

/* --- claims */

/* read_time leaves `*time` as it is where there is no such claim; false when it is not an integer of this era. */
static bool read_time(const json_t *claims, const char *name, int64_t *time) {
    const json_t *value = json_object_get(claims, name);
    if (!value) return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > INT64_MAX / 2) return false;
    *time = json_integer_value(value);
    return true;
}

static enum jwt_verdict judge_times(const json_t *json, int64_t now_s, struct jwt_claims *claims) {
    int64_t from_s = 0, issued_s = 0;
    claims->expires_s = -1;
    if (!read_time(json, "exp", &claims->expires_s) || !read_time(json, "nbf", &from_s) ||
        !read_time(json, "iat", &issued_s))
        return JWT_MALFORMED;
    if (claims->expires_s < issued_s || claims->expires_s < from_s) return JWT_MALFORMED; /* also where there is no exp */
    if (now_s - JWT_SKEW_S >= claims->expires_s) return JWT_EXPIRED;
    if (from_s > now_s + JWT_SKEW_S || issued_s > now_s + JWT_SKEW_S) return JWT_NOT_YET;
    return JWT_GOOD;
}

static bool is_text(const json_t *value, const char *text) {
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* is_for tells whether `aud`, a string or a list of them, names somebody. */
static bool is_for(const json_t *audience, const char *name) {
    if (is_text(audience, name)) return true;
    for (size_t i = 0; i < json_array_size(audience); i++)
        if (is_text(json_array_get(audience, i), name)) return true;
    return false;
}

/* read_text copies a text, "" where there is none; false where it is something else, or too long. */
static bool read_text(const json_t *claims, const char *name, char *out, size_t size) {
    const json_t *value = json_object_get(claims, name);
    if (value && (!json_is_string(value) || json_string_length(value) >= size)) return false;
    snprintf(out, size, "%s", value ? json_string_value(value) : "");
    return true;
}

static enum jwt_verdict judge_claims(const struct jwt_verifier *verifier, const json_t *json, int64_t now_s,
                                     struct jwt_claims *claims) {
    if (!read_text(json, "sub", claims->subject, sizeof claims->subject) ||
        !read_text(json, "scope", claims->scope, sizeof claims->scope))
        return JWT_MALFORMED;
    enum jwt_verdict verdict = judge_times(json, now_s, claims);
    if (verdict) return verdict;
    if (verifier->issuer[0] && !is_text(json_object_get(json, "iss"), verifier->issuer)) return JWT_ISSUER;
    if (verifier->audience[0] && !is_for(json_object_get(json, "aud"), verifier->audience)) return JWT_AUDIENCE;
    return JWT_GOOD;
}

enum jwt_verdict jwt_verify(const struct jwt_verifier *verifier, const char *token, size_t len, int64_t now_s,
                            struct jwt_claims *claims) {
    char payload[JWT_BYTES_MAX + 1];
    size_t payload_len;
    enum jwt_verdict verdict = jwt_open(verifier, token, len, payload, &payload_len);
    if (verdict) return verdict;
    json_t *json = object_of(payload, payload_len);
    if (!json) return JWT_MALFORMED;
    verdict = judge_claims(verifier, json, now_s, claims);
    json_decref(json);
    return verdict;
}

bool jwt_has_scope(const struct jwt_claims *claims, const char *word) {
    size_t len = strlen(word);
    for (const char *at = claims->scope; *at != '\0'; at += strspn(at, " ")) {
        size_t word_len = strcspn(at, " ");
        if (word_len == len && memcmp(at, word, len) == 0) return true;
        at += word_len;
    }
    return false;
}

const char *jwt_verdict_text(enum jwt_verdict verdict) {
    static const char *const texts[JWT_VERDICT_COUNT] = {
        "the token is good",
        "the token is malformed",
        "the token is not of the algorithm that is expected here",
        "the token's signature is wrong",
        "the token has expired",
        "the token is not valid yet",
        "the token is from another issuer",
        "the token is for another audience",
    };
    CHECK(verdict < JWT_VERDICT_COUNT);
    return texts[verdict];
}

/* --- keys */

/* read_pem takes SubjectPublicKeyInfo of Ed25519 (RFC 8410), which is always the same 12 bytes and then the key. */
static bool read_pem(const char *text, struct jwt_key *key) {
    static const char head[] = "-----BEGIN PUBLIC KEY-----\n", tail[] = "\n-----END PUBLIC KEY-----\n";
    static const uint8_t prefix[12] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    uint8_t bytes[sizeof prefix + crypto_sign_ed25519_PUBLICKEYBYTES];
    size_t len;
    if (strncmp(text, head, strlen(head)) != 0) return false;
    text += strlen(head);
    size_t base64_len = strcspn(text, "\n");
    if (strcmp(text + base64_len, tail) != 0) return false;
    if (sodium_base642bin(bytes, sizeof bytes, text, base64_len, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    if (len != sizeof bytes || memcmp(bytes, prefix, sizeof prefix) != 0) return false;
    key->len = crypto_sign_ed25519_PUBLICKEYBYTES;
    memcpy(key->bytes, bytes + sizeof prefix, key->len);
    return true;
}

int jwt_read_key(const char *path, enum jwt_algorithm algorithm, struct jwt_key *key, char *error, size_t error_size) {
    *key = (struct jwt_key){.len = FILE_KEY_BYTES};
    if (algorithm == JWT_HS256) return file_read_key(path, key->bytes, error, error_size);
    uint8_t *bytes;
    size_t len;
    int result = file_read(path, PEM_BYTES_MAX, &bytes, &len, error, error_size);
    if (result) return result;
    bool is_good = strlen((const char *)bytes) == len && read_pem((const char *)bytes, key);
    free(bytes);
    if (is_good) return 0;
    snprintf(error, error_size, "%s: expected an Ed25519 public key in PEM, as `openssl pkey -pubout` writes it", path);
    return MARCH_ERR_INVALID;
}
