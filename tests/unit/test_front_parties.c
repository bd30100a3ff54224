/* test_front_parties.c: parties over HTTP. */
#include "tests/unit/front_served.h"

#define JSON SERVED_JSON

/* --- who is in one */

static void format_id(uint64_t id, char text[24]) {
    snprintf(text, 24, "%" PRIu64, id);
}

static void expect_party(struct served *s, const char *name, uint64_t leader, uint32_t members, uint32_t invited) {
    char path[64], id[24];
    snprintf(path, sizeof path, "/v1/party?name=%s", name);
    format_id(leader, id);
    served_expect(s, "GET", path, NULL, NULL, 200, "");
    assert_string_equal(served_text(s, "leader"), leader ? id : "");
    assert_int_equal(json_array_size(json_object_get(s->json, "members")), members);
    assert_int_equal(json_array_size(json_object_get(s->json, "invited")), invited);
}

static void party_act(struct served *s, const char *path, const char *name, const char *member, uint64_t id, int status,
                      const char *code) {
    char body[128];
    snprintf(body, sizeof body, "{\"name\": \"%s\", \"%s\": \"%" PRIu64 "\"}", name, member, id);
    served_expect(s, "POST", path, JSON, body, status, code);
}

/* --- coming together */

static void test_party_comes_together_and_apart(void **state) {
    struct served *s = *state;
    char path[96], ticket[24];
    const uint64_t a = front_player_of("a"), b = front_player_of("b"), c = front_player_of("c");
    expect_party(s, "a", 0, 0, 0);
    party_act(s, "/v1/party/members", "b", "leader", a, 404, "not_found");
    party_act(s, "/v1/party/invitations", "a", "player", b, 200, "");
    party_act(s, "/v1/party/invitations", "a", "player", c, 200, "");
    party_act(s, "/v1/party/invitations", "a", "player", a, 400, "bad_request");
    party_act(s, "/v1/party/invitations", "a", "player", 0, 400, "bad_request");
    party_act(s, "/v1/party/invitations", "a", "leader", b, 400, "bad_request");
    party_act(s, "/v1/party/members", "b", "leader", a, 200, "");
    party_act(s, "/v1/party/members", "c", "leader", a, 200, "");
    expect_party(s, "b", a, 3, 0);
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"b\", \"mode\": \"raid\"}", 403, "not_leader");
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"a\", \"mode\": \"raid\"}", 400, "bad_request"); /* 3 of 2 */
    snprintf(path, sizeof path, "/v1/party/members/%" PRIu64 "?name=b", c);
    served_expect(s, "DELETE", path, NULL, NULL, 403, "not_leader");
    snprintf(path, sizeof path, "/v1/party/members/%" PRIu64 "?name=a", c);
    served_expect(s, "DELETE", path, NULL, NULL, 200, "");
    expect_party(s, "c", 0, 0, 0);
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"a\", \"mode\": \"raid\"}", 201, "");
    assert_int_equal(json_array_size(json_object_get(s->json, "players")), 2);
    snprintf(ticket, sizeof ticket, "%s", served_text(s, "ticket"));
    assert_string_equal(served_state(s, "b", ticket), "matched");
    served_expect(s, "DELETE", "/v1/party/members/x?name=a", NULL, NULL, 404, "not_found");
    snprintf(path, sizeof path, "/v1/party/members/%" PRIu64 "?name=b", b);
    served_expect(s, "DELETE", path, NULL, NULL, 200, "");
    expect_party(s, "b", 0, 0, 0);
    served_expect(s, "DELETE", path, NULL, NULL, 404, "not_found");
}

static void test_party_is_what_would_survive(void **state) {
    struct served *s = *state;
    char invite[128], join[128], leave[128];
    const uint64_t a = front_player_of("a"), b = front_player_of("b");
    snprintf(invite, sizeof invite, "{\"name\": \"a\", \"player\": \"%" PRIu64 "\"}", b);
    snprintf(join, sizeof join, "{\"name\": \"b\", \"leader\": \"%" PRIu64 "\"}", a);
    snprintf(leave, sizeof leave, "/v1/party/members/%" PRIu64 "?name=b", b);
    s->hall.is_held = true; /* invitations are not kept */
    served_expect(s, "POST", "/v1/party/invitations", JSON, invite, 200, "");
    int fds[2] = {served_hold(s, "POST", "/v1/party/members", join)};
    fds[1] = served_hold(s, "GET", "/v1/party?name=a", NULL); /* which says that he has joined */
    s->hall.is_held = false;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(served_read(s, fds[i]), 200);
        assert_int_equal(json_array_size(json_object_get(s->json, "members")), 2);
    }
    served_expect_kept(s, "DELETE", leave, NULL, 200);
    assert_true(json_is_null(json_object_get(s->json, "leader")));
    served_expect(s, "POST", "/v1/party/invitations", JSON, invite, 200, "");
    served_expect_late(s, "POST", "/v1/party/members", join);
}

int main(void) {
#define dev(name) cmocka_unit_test_setup_teardown(name, served_open_dev, served_close)
    const struct CMUnitTest tests[] = {
        dev(test_party_comes_together_and_apart),
        dev(test_party_is_what_would_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
