/* test_jwt.c: tokens of the RFCs, good ones, and every way in which one can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/jwt.h"

#define NOW_S      1700000000
#define TOKEN_SIZE (2 * JWT_BYTES_MAX)

#define HS256_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define EDDSA_HEADER "{\"alg\":\"EdDSA\"}"
#define CLAIMS       "{\"sub\":\"7\",\"exp\":1700000060}"

static struct jwt_verifier hmac, eddsa;
static uint8_t secret_key[crypto_sign_ed25519_SECRETKEYBYTES];

static void from_base64(const char *text, struct jwt_key *key) {
    assert_int_equal(sodium_base642bin(key->bytes, sizeof key->bytes, text, strlen(text), NULL, &key->len, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
}

static int setup(void **state) {
    (void)state;
    if (sodium_init() < 0) return -1;
    hmac = (struct jwt_verifier){.algorithm = JWT_HS256, .key_count = 1};
    eddsa = (struct jwt_verifier){.algorithm = JWT_EDDSA, .key_count = 1};
    hmac.keys[0].len = 32;
    memset(hmac.keys[0].bytes, 'k', 32);
    uint8_t seed[crypto_sign_ed25519_SEEDBYTES] = "a seed of thirty-two bytes, here";
    eddsa.keys[0].len = crypto_sign_ed25519_PUBLICKEYBYTES;
    crypto_sign_ed25519_seed_keypair(eddsa.keys[0].bytes, secret_key, seed);
    return 0;
}

/* --- making tokens */

static size_t append_base64(char *out, size_t at, const void *bytes, size_t len) {
    sodium_bin2base64(out + at, TOKEN_SIZE - at, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return strlen(out);
}

static void make(const struct jwt_verifier *v, const char *header, const char *payload, char out[TOKEN_SIZE]) {
    uint8_t signature[64];
    size_t len = append_base64(out, 0, header, strlen(header));
    out[len++] = '.';
    len = append_base64(out, len, payload, strlen(payload));
    if (v->algorithm == JWT_EDDSA) {
        crypto_sign_ed25519_detached(signature, NULL, (uint8_t *)out, len, secret_key);
    } else {
        crypto_auth_hmacsha256_state state;
        crypto_auth_hmacsha256_init(&state, v->keys[0].bytes, v->keys[0].len);
        crypto_auth_hmacsha256_update(&state, (uint8_t *)out, len);
        crypto_auth_hmacsha256_final(&state, signature);
    }
    out[len++] = '.';
    append_base64(out, len, signature, v->algorithm == JWT_EDDSA ? 64 : 32);
}

static enum jwt_verdict judge(const struct jwt_verifier *v, const char *token) {
    struct jwt_claims claims;
    return jwt_verify(v, token, strlen(token), NOW_S, &claims);
}

static enum jwt_verdict judge_made(const struct jwt_verifier *v, const char *header, const char *payload) {
    char token[TOKEN_SIZE];
    make(v, header, payload, token);
    return judge(v, token);
}

/* --- the RFCs' own */

#define RFC7515_A1                                                                                                          \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."                                                                             \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19"                                       \
    "yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define RFC7515_A1_KEY "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define RFC8037_A4                                                                                                          \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."                                                             \
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
#define RFC8037_A4_KEY "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RFC7519_6_1                                                                                                         \
    "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."

static void test_jwt_of_rfc7515_is_good(void **state) {
    (void)state;
    struct jwt_verifier v = {.algorithm = JWT_HS256, .key_count = 1, .issuer = "joe"};
    struct jwt_claims claims;
    from_base64(RFC7515_A1_KEY, &v.keys[0]);
    assert_int_equal(jwt_verify(&v, RFC7515_A1, strlen(RFC7515_A1), 1300819379, &claims), JWT_GOOD);
    assert_int_equal(claims.expires_s, 1300819380);
    assert_string_equal(claims.subject, "");
    assert_int_equal(jwt_verify(&v, RFC7515_A1, strlen(RFC7515_A1), 1300819380 + JWT_SKEW_S - 1, &claims), JWT_GOOD);
    assert_int_equal(jwt_verify(&v, RFC7515_A1, strlen(RFC7515_A1), 1300819380 + JWT_SKEW_S, &claims), JWT_EXPIRED);
}

static void test_jwt_of_rfc8037_opens(void **state) {
    (void)state;
    struct jwt_verifier v = {.algorithm = JWT_EDDSA, .key_count = 1};
    char payload[JWT_BYTES_MAX + 1];
    size_t len;
    from_base64(RFC8037_A4_KEY, &v.keys[0]);
    assert_int_equal(jwt_open(&v, RFC8037_A4, strlen(RFC8037_A4), payload, &len), JWT_GOOD);
    assert_string_equal(payload, "Example of Ed25519 signing");
    assert_int_equal(len, strlen(payload));
    assert_int_equal(judge(&v, RFC8037_A4), JWT_MALFORMED); /* that are no claims */
}

static void test_jwt_without_algorithm_of_rfc7519_is_refused(void **state) {
    (void)state;
    assert_int_equal(judge(&hmac, RFC7519_6_1), JWT_ALGORITHM);
    assert_int_equal(judge(&eddsa, RFC7519_6_1), JWT_ALGORITHM);
}

/* --- signatures and algorithms */

static void test_jwt_good_ones_are_good(void **state) {
    (void)state;
    char token[TOKEN_SIZE];
    struct jwt_claims claims;
    assert_int_equal(judge_made(&hmac, HS256_HEADER, CLAIMS), JWT_GOOD);
    assert_int_equal(judge_made(&eddsa, EDDSA_HEADER, CLAIMS), JWT_GOOD);
    make(&eddsa, "{\"kid\":\"1\",\"typ\":\"jwt\",\"alg\":\"EdDSA\"}", CLAIMS, token);
    assert_int_equal(jwt_verify(&eddsa, token, strlen(token), NOW_S, &claims), JWT_GOOD);
    assert_string_equal(claims.subject, "7");
}

static void test_jwt_any_of_the_keys_may_have_signed(void **state) {
    (void)state;
    struct jwt_verifier v = hmac;
    char token[TOKEN_SIZE];
    make(&hmac, HS256_HEADER, CLAIMS, token);
    v.keys[1] = v.keys[0];
    memset(v.keys[0].bytes, 'x', 32);
    assert_int_equal(judge(&v, token), JWT_SIGNATURE);
    v.key_count = 2;
    assert_int_equal(judge(&v, token), JWT_GOOD);
}

/* Whoever knows a public key must not be able to sign with it as if it were a secret; and no other name will do. */
static void test_jwt_of_another_algorithm_is_refused(void **state) {
    (void)state;
    struct jwt_verifier confused = {.algorithm = JWT_HS256, .key_count = 1, .keys = {eddsa.keys[0]}};
    char token[TOKEN_SIZE];
    make(&confused, HS256_HEADER, CLAIMS, token);
    assert_int_equal(judge(&eddsa, token), JWT_ALGORITHM);
    assert_int_equal(judge_made(&confused, EDDSA_HEADER, CLAIMS), JWT_ALGORITHM);
    make(&confused, EDDSA_HEADER, CLAIMS, token);
    assert_int_equal(judge(&eddsa, token), JWT_SIGNATURE);
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS512\"}",
        "{\"alg\":\"\"}",
        "{\"alg\":7}",
        "{\"typ\":\"JWT\"}",
        "{}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        assert_int_equal(judge_made(&hmac, headers[i], CLAIMS), JWT_ALGORITHM);
}

static void test_jwt_with_a_changed_byte_is_refused(void **state) {
    (void)state;
    char token[TOKEN_SIZE];
    for (int i = 0; i < 2; i++) {
        const struct jwt_verifier *v = i ? &eddsa : &hmac;
        make(v, i ? EDDSA_HEADER : HS256_HEADER, CLAIMS, token);
        for (char *at = token; *at != '\0'; at++) {
            char before = *at;
            *at = before == 'A' ? 'B' : 'A';
            if (judge(v, token) == JWT_GOOD) fail_msg("byte %td of %s", at - token, token);
            *at = '!';
            assert_int_not_equal(judge(v, token), JWT_GOOD);
            *at = before;
        }
        assert_int_equal(judge(v, token), JWT_GOOD);
        for (size_t len = 0; len < strlen(token); len++)
            assert_int_not_equal(jwt_verify(v, token, len, NOW_S, &(struct jwt_claims){0}), JWT_GOOD);
    }
}

/* --- form */

static void test_jwt_malformed_ones_are_refused(void **state) {
    (void)state;
    static const char *const tokens[] = {"",        ".",     "..",       "...",          "a.b",
                                         "a.b.c.d", "=.=.=", "e30.e30.", "e30.e30.AA==", "\n.\n.\n"};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        if (judge(&hmac, tokens[i]) == JWT_GOOD || judge(&hmac, tokens[i]) == JWT_SIGNATURE) fail_msg("%s", tokens[i]);
    static const char *const headers[] = {
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"typ\":\"JWE\"}",
        "{\"alg\":\"HS256\",\"typ\":1}",
        "[\"HS256\"]",
        "\"HS256\"",
        "{\"alg\":\"HS256\"",
        "{\"alg\":\"HS256\"} x",
        "",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (judge_made(&hmac, headers[i], CLAIMS) != JWT_MALFORMED) fail_msg("%s", headers[i]);
}

/* Base64 in which one token has several forms would make a token that is denied another one. */
static void test_jwt_has_one_form(void **state) {
    (void)state;
    char token[TOKEN_SIZE], other[TOKEN_SIZE + 1];
    make(&hmac, HS256_HEADER, CLAIMS, token);
    snprintf(other, sizeof other, "%s=", token);
    assert_int_equal(judge(&hmac, other), JWT_MALFORMED);
    snprintf(other, sizeof other, "%s", token);
    other[strlen(other) - 1]++; /* the last of 43 digits has two bits that mean nothing */
    assert_int_equal(judge(&hmac, other), JWT_MALFORMED);
    snprintf(other, sizeof other, "%s ", token);
    assert_int_equal(judge(&hmac, other), JWT_MALFORMED);
}

static void test_jwt_size_is_bounded(void **state) {
    (void)state;
    char payload[JWT_BYTES_MAX], token[TOKEN_SIZE];
    for (size_t pad = 0;; pad++) {
        snprintf(payload, sizeof payload, "{\"sub\":\"7\",\"exp\":1700000060,\"pad\":\"%*s\"}", (int)pad, "");
        make(&hmac, HS256_HEADER, payload, token);
        bool fits = strlen(token) <= JWT_BYTES_MAX;
        assert_int_equal(judge(&hmac, token), fits ? JWT_GOOD : JWT_MALFORMED);
        if (!fits) break;
    }
    char *nested = token;
    memset(payload, '[', 1000);
    payload[1000] = '\0';
    make(&hmac, HS256_HEADER, payload, nested);
    assert_int_equal(judge(&hmac, nested), JWT_MALFORMED);
}

/* --- claims */

static void test_jwt_claims_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *claims;
        enum jwt_verdict verdict;
    } cases[] = {
        {"{\"exp\":1700000060,\"nbf\":1700000030,\"iat\":1700000030}", JWT_GOOD}, /* clocks may differ */
        {"{\"exp\":1700000060,\"nbf\":1700000031}", JWT_NOT_YET},
        {"{\"exp\":1700000060,\"iat\":1700000031}", JWT_NOT_YET},
        {"{\"exp\":1699999971}", JWT_GOOD},
        {"{\"exp\":1699999970}", JWT_EXPIRED},
        {"{\"exp\":0}", JWT_EXPIRED},
        {"{\"sub\":\"7\"}", JWT_MALFORMED}, /* never expires */
        {"{\"exp\":null}", JWT_MALFORMED},
        {"{\"exp\":\"1700000060\"}", JWT_MALFORMED},
        {"{\"exp\":1700000060.5}", JWT_MALFORMED},
        {"{\"exp\":-1}", JWT_MALFORMED},
        {"{\"exp\":9223372036854775807}", JWT_MALFORMED},
        {"{\"exp\":92233720368547758070}", JWT_MALFORMED},
        {"{\"exp\":1700000060,\"iat\":1700000061}", JWT_MALFORMED}, /* over before it began */
        {"{\"exp\":1700000060,\"nbf\":1700000061}", JWT_MALFORMED},
        {"{\"exp\":1700000060,\"nbf\":\"0\"}", JWT_MALFORMED},
        {"{\"exp\":1700000060,\"sub\":7}", JWT_MALFORMED},
        {"{\"exp\":1700000060,\"exp\":1700000060}", JWT_MALFORMED},
        {"{\"exp\":1700000060,\"sub\":\"\\u0000\"}", JWT_MALFORMED},
        {"{\"exp\":1700000060,\"sub\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", JWT_MALFORMED},
        {"[1700000060]", JWT_MALFORMED},
        {"\xff", JWT_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum jwt_verdict verdict = judge_made(&eddsa, EDDSA_HEADER, cases[i].claims);
        if (verdict != cases[i].verdict) fail_msg("%s: %s", cases[i].claims, jwt_verdict_text(verdict));
    }
}

static void test_jwt_scope_is_a_list_of_words(void **state) {
    (void)state;
    char token[TOKEN_SIZE];
    struct jwt_claims claims;
    make(&hmac, HS256_HEADER, "{\"exp\":2000000000,\"scope\":\"play  instances\"}", token);
    assert_int_equal(jwt_verify(&hmac, token, strlen(token), NOW_S, &claims), JWT_GOOD);
    assert_true(jwt_has_scope(&claims, "play") && jwt_has_scope(&claims, "instances"));
    assert_false(jwt_has_scope(&claims, "instance") || jwt_has_scope(&claims, "") || jwt_has_scope(&claims, "lay"));
    make(&hmac, HS256_HEADER, "{\"exp\":2000000000}", token);
    assert_int_equal(jwt_verify(&hmac, token, strlen(token), NOW_S, &claims), JWT_GOOD);
    assert_false(jwt_has_scope(&claims, "play"));
    assert_int_equal(judge_made(&hmac, HS256_HEADER, "{\"exp\":2000000000,\"scope\":[\"play\"]}"), JWT_MALFORMED);
}

static void test_jwt_issuer_and_audience_are_checked_where_asked(void **state) {
    (void)state;
    static const struct {
        const char *claims;
        enum jwt_verdict verdict;
    } cases[] = {
        {"{\"exp\":1700000060,\"iss\":\"studio\",\"aud\":\"game\"}", JWT_GOOD},
        {"{\"exp\":1700000060,\"iss\":\"studio\",\"aud\":[\"shop\",\"game\"]}", JWT_GOOD},
        {"{\"exp\":1700000060,\"aud\":\"game\"}", JWT_ISSUER},
        {"{\"exp\":1700000060,\"iss\":[\"studio\"],\"aud\":\"game\"}", JWT_ISSUER},
        {"{\"exp\":1700000060,\"iss\":\"studio2\",\"aud\":\"game\"}", JWT_ISSUER},
        {"{\"exp\":1700000060,\"iss\":\"studio\"}", JWT_AUDIENCE},
        {"{\"exp\":1700000060,\"iss\":\"studio\",\"aud\":[\"shop\"]}", JWT_AUDIENCE},
        {"{\"exp\":1700000060,\"iss\":\"studio\",\"aud\":{\"game\":\"game\"}}", JWT_AUDIENCE},
    };
    struct jwt_verifier v = eddsa;
    strcpy(v.issuer, "studio");
    strcpy(v.audience, "game");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum jwt_verdict verdict = judge_made(&v, EDDSA_HEADER, cases[i].claims);
        if (verdict != cases[i].verdict) fail_msg("%s: %s", cases[i].claims, jwt_verdict_text(verdict));
    }
}

/* --- keys */

#define PEM_OF(base64) "-----BEGIN PUBLIC KEY-----\n" base64 "\n-----END PUBLIC KEY-----\n"

static void write_file(const char *path, const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_jwt_keys_are_read_from_files(void **state) {
    (void)state;
    char path[] = "/tmp/march-jwt-XXXXXX", error[256];
    struct jwt_key key, expected;
    close(mkstemp(path));
    from_base64(RFC8037_A4_KEY, &expected);
    write_file(path, PEM_OF("MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="), 0644);
    assert_int_equal(jwt_read_key(path, JWT_EDDSA, &key, error, sizeof error), 0);
    assert_int_equal(key.len, expected.len);
    assert_memory_equal(key.bytes, expected.bytes, key.len);
    static const char *const bad[] = {
        "",
        "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        PEM_OF("MCowBQYDK2VuAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="), /* X25519 */
        PEM_OF("MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUQ=="),
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE "
        "KEY-----\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(path, bad[i], 0644);
        assert_int_equal(jwt_read_key(path, JWT_EDDSA, &key, error, sizeof error), MARCH_ERR_INVALID);
        assert_non_null(strstr(error, path));
    }
    write_file(path, "0123456789abcdef0123456789abcdef", 0600);
    assert_int_equal(jwt_read_key(path, JWT_HS256, &key, error, sizeof error), 0);
    assert_memory_equal(key.bytes, "0123456789abcdef0123456789abcdef", 32);
    assert_int_equal(key.len, 32);
    chmod(path, 0644); /* a secret that others can read */
    assert_int_equal(jwt_read_key(path, JWT_HS256, &key, error, sizeof error), MARCH_ERR_INVALID);
    unlink(path);
    assert_int_equal(jwt_read_key(path, JWT_EDDSA, &key, error, sizeof error), MARCH_ERR_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jwt_of_rfc7515_is_good),
        cmocka_unit_test(test_jwt_of_rfc8037_opens),
        cmocka_unit_test(test_jwt_without_algorithm_of_rfc7519_is_refused),
        cmocka_unit_test(test_jwt_good_ones_are_good),
        cmocka_unit_test(test_jwt_any_of_the_keys_may_have_signed),
        cmocka_unit_test(test_jwt_of_another_algorithm_is_refused),
        cmocka_unit_test(test_jwt_with_a_changed_byte_is_refused),
        cmocka_unit_test(test_jwt_malformed_ones_are_refused),
        cmocka_unit_test(test_jwt_has_one_form),
        cmocka_unit_test(test_jwt_size_is_bounded),
        cmocka_unit_test(test_jwt_claims_are_checked),
        cmocka_unit_test(test_jwt_scope_is_a_list_of_words),
        cmocka_unit_test(test_jwt_issuer_and_audience_are_checked_where_asked),
        cmocka_unit_test(test_jwt_keys_are_read_from_files),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
