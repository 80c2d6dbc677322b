/* Modes: each form both ways, byte for byte; what is refused and where; random ones read back as
 * what they were; endpoints become modes. Run with CDT_TEST_SEED to repeat a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <conduit/mode.h>

#include "resolve/internal.h"

enum what { SERVICE, CLIENT, SERVER, KEY, WHATS };

/* Any of the four. */
struct value {
    enum what what;
    struct cdt_service service;
    struct cdt_client_mode *client;
    struct cdt_server_mode *server;
    struct cdt_own_key *key;
};

static int parse(enum what what, const char *text, struct value *value,
                 struct cdt_text_error *error)
{
    *value = (struct value){.what = what};
    switch (what) {
    case SERVICE:
        return cdt_service_parse(text, &value->service, error);
    case CLIENT:
        return cdt_client_mode_parse(text, &value->client, error);
    case SERVER:
        return cdt_server_mode_parse(text, &value->server, error);
    default:
        return cdt_own_key_parse(text, &value->key, error);
    }
}

static int format(const struct value *value, enum cdt_endp_form form, char *text, size_t size)
{
    switch (value->what) {
    case SERVICE:
        return cdt_service_format(&value->service, form, text, size);
    case CLIENT:
        return cdt_client_mode_format(value->client, form, text, size);
    case SERVER:
        return cdt_server_mode_format(value->server, form, text, size);
    default:
        return cdt_own_key_format(value->key, form, text, size);
    }
}

static void drop(struct value *value)
{
    cdt_client_mode_free(value->client);
    cdt_server_mode_free(value->server);
    cdt_own_key_free(value->key);
}

static bool same_text(const char *a, const char *b)
{
    return !a == !b && (!a || strcmp(a, b) == 0);
}

static bool same_key(const struct cdt_own_key *a, const struct cdt_own_key *b)
{
    return same_text(a->cert_file, b->cert_file) && same_text(a->key_file, b->key_file) &&
           a->password == b->password;
}

static bool same(const struct value *a, const struct value *b)
{
    switch (a->what) {
    case SERVICE:
        return strcmp(a->service.name, b->service.name) == 0 &&
               a->service.port == b->service.port && a->service.tls == b->service.tls;
    case CLIENT:
        return a->client->tls == b->client->tls && cdt_endp_equal(a->client->endp, b->client->endp);
    case SERVER:
        return a->server->tls == b->server->tls && same_key(&a->server->key, &b->server->key) &&
               cdt_endp_equal(a->server->endp, b->server->endp);
    default:
        return same_key(a->key, b->key);
    }
}

static const struct good {
    enum what what;
    const char *text, *human, *machine; /* human NULL: the text */
} good[] = {
    {SERVICE, "((name http) (port 80) (tls false))", NULL, "((name http)(port 80)(tls false))"},
    {SERVICE, "((tls true)(port 443)(name https))", "((name https) (port 443) (tls true))",
     "((name https)(port 443)(tls true))"},
    {SERVICE, "((port 0) (tls True) (name \"a b\"))", "((name \"a b\") (port 0) (tls true))",
     "((name\"a b\")(port 0)(tls true))"},
    {SERVICE, " ( ( name \"\" ) ; the name\n(port 00065535) (tls False))",
     "((name \"\") (port 65535) (tls false))", "((name\"\")(port 65535)(tls false))"},

    {CLIENT, "(TCP ((IP 1.2.3.4) (Port 80)))", NULL, "(TCP((IP 1.2.3.4)(Port 80)))"},
    {CLIENT, "(TCP ((IP ::1) (Port 80)))", NULL, "(TCP((IP ::1)(Port 80)))"},
    {CLIENT, "(TCP((IP 0:0::1)(Port 080)))", "(TCP ((IP ::1) (Port 80)))",
     "(TCP((IP ::1)(Port 80)))"},
    {CLIENT, "(TLS ((Hostname h) (IP 1.2.3.4) (Port 443)))", NULL,
     "(TLS((Hostname h)(IP 1.2.3.4)(Port 443)))"},
    {CLIENT, "(TLS_native ((Hostname h) (IP 1.2.3.4) (Port 443)))", NULL,
     "(TLS_native((Hostname h)(IP 1.2.3.4)(Port 443)))"},
    {CLIENT, "(OpenSSL ((Hostname \"\") (IP fe80::1%1) (Port 443)))", NULL,
     "(OpenSSL((Hostname\"\")(IP fe80::1%1)(Port 443)))"},
    {CLIENT, "(Unix_domain_socket (File /x))", NULL, "(Unix_domain_socket(File /x))"},
    {CLIENT, "(Unix_domain_socket (File \"a\\000b\"))", NULL,
     "(Unix_domain_socket(File\"a\\000b\"))"},
    {CLIENT, "(Vchan_direct ((Domid 1) (Port p)))", NULL, "(Vchan_direct((Domid 1)(Port p)))"},
    {CLIENT, "(Vchan_domain_socket ((Domain_name n) (Port p)))", NULL,
     "(Vchan_domain_socket((Domain_name n)(Port p)))"},
    {CLIENT, "#;x (\"Vchan_domain_socket\" ((Domain_name \"a b\") (Port \"c d\"))) #| |#",
     "(Vchan_domain_socket ((Domain_name \"a b\") (Port \"c d\")))",
     "(Vchan_domain_socket((Domain_name\"a b\")(Port\"c d\")))"},

    {SERVER, "(TCP (Port 80))", NULL, "(TCP(Port 80))"},
    {SERVER, "(TLS ((Crt_file_path c) (Key_file_path k) No_password (Port 443)))", NULL,
     "(TLS((Crt_file_path c)(Key_file_path k)No_password(Port 443)))"},
    {SERVER, "(TLS_native ((Crt_file_path \"c d\") (Key_file_path \"\") No_password (Port 0)))",
     NULL, "(TLS_native((Crt_file_path\"c d\")(Key_file_path\"\")No_password(Port 0)))"},
    {SERVER, "(OpenSSL ((Crt_file_path c) (Key_file_path k) No_password (Port 443)))", NULL,
     "(OpenSSL((Crt_file_path c)(Key_file_path k)No_password(Port 443)))"},
    {SERVER, "(Unix_domain_socket (File /x))", NULL, "(Unix_domain_socket(File /x))"},
    {SERVER, "(Vchan_direct (1 p))", NULL, "(Vchan_direct(1 p))"},
    {SERVER, "(Vchan_domain_socket (n p))", NULL, "(Vchan_domain_socket(n p))"},
    {SERVER, "(Launchd n)", NULL, "(Launchd n)"},
    {SERVER, "(Launchd \"a b\")", NULL, "(Launchd\"a b\")"},

    {KEY, "None", NULL, "None"},
    {KEY, " \"None\" ; no key", "None", "None"},
    {KEY, "(TLS ((Crt_file_path c) (Key_file_path k) No_password))", NULL,
     "(TLS((Crt_file_path c)(Key_file_path k)No_password))"},
};

static void expect_form(const struct value *value, enum cdt_endp_form form, const char *expected)
{
    char text[512];
    struct value again;
    const int length = format(value, form, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
    assert_int_equal(parse(value->what, text, &again, NULL), 0);
    assert_true(same(value, &again));
    drop(&again);
}

static void test_good_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct value value;
        struct cdt_text_error error;
        if (parse(good[i].what, good[i].text, &value, &error) != 0)
            fail_msg("%s: %s", good[i].text, error.text);
        expect_form(&value, CDT_ENDP_HUMAN, good[i].human ? good[i].human : good[i].text);
        expect_form(&value, CDT_ENDP_MACHINE, good[i].machine);
        drop(&value);
    }
    print_message("%zu texts\n", sizeof good / sizeof *good);
}

static const struct bad {
    enum what what;
    const char *text;
    int status;
    size_t offset;
    const char *expected;
} bad[] = {
    {SERVICE, "", -EINVAL, 0, "( and the fields"},
    {SERVICE, "x", -EINVAL, 0, "( and the fields"},
    {SERVICE, "()", -EINVAL, 1, "(name ...)"},
    {SERVICE, "((name a) (tls true))", -EINVAL, 20, "(port ...)"},
    {SERVICE, "((name a) (port 1))", -EINVAL, 18, "(tls ...)"},
    {SERVICE, "((name a) (name a) (port 1) (tls true))", -EINVAL, 11, "each field once"},
    {SERVICE, "((name a) (port 1) (tls true) (x y))", -EINVAL, 31, "name, port or tls"},
    {SERVICE, "((name a) (port 65536) (tls true))", -EINVAL, 16, "a port from 0 to 65535"},
    {SERVICE, "((name a) (port -1) (tls true))", -EINVAL, 16, "a port from 0 to 65535"},
    {SERVICE, "((name a) (port 1) (tls yes))", -EINVAL, 24, "true or false"},
    {SERVICE, "((name a b) (port 1) (tls true))", -EINVAL, 9, ") after one value"},
    {SERVICE, "((name \"a\\000\") (port 1) (tls true))", -EINVAL, 7, "a name of at most 63"},
    {SERVICE, "((name a) (port 1) (tls true)) x", -EINVAL, 31, "the end of the text"},
    {SERVICE, "((name a) port", -EINVAL, 10, "( and a field, or )"},
    {SERVICE, "((name \"a", -EINVAL, 9, "a closing quote"},
    {SERVICE,
     "((name 1234567890123456789012345678901234567890123456789012345678901234)(port 1)(tls true))",
     -EINVAL, 7, "a name of at most 63"},

    {CLIENT, "", -EINVAL, 0, "( and a mode"},
    {CLIENT, "TCP", -EINVAL, 0, "( and a mode"},
    {CLIENT, "(tcp ((IP 1.2.3.4) (Port 80)))", -EINVAL, 1, "TCP, TLS, TLS_native"},
    {CLIENT, "(Launchd n)", -EINVAL, 1, "TCP, TLS, TLS_native"},
    {CLIENT, "(TLS_tunnel ((Hostname h)))", -EINVAL, 1, "TCP, TLS, TLS_native"},
    {CLIENT, "(TCP)", -EINVAL, 4, "( and a tuple"},
    {CLIENT, "(TCP ((Port 80) (IP 1.2.3.4)))", -EINVAL, 7, "IP"},
    {CLIENT, "(TCP ((IP 1.2.3.4)))", -EINVAL, 18, "(Port ...)"},
    {CLIENT, "(TCP ((IP 1.2.3) (Port 80)))", -EINVAL, 10, "an IP address"},
    {CLIENT, "(TCP ((IP fe80::1%nosuchif) (Port 80)))", -ENODEV, 10, "the scope of an interface"},
    {CLIENT, "(TCP ((IP 1.2.3.4) (Port 99999)))", -EINVAL, 25, "a port from 0 to 65535"},
    {CLIENT, "(TCP ((IP 1.2.3.4) (Port 80) x))", -EINVAL, 29, ") after the port"},
    {CLIENT, "(TCP ((IP 1.2.3.4 x) (Port 80)))", -EINVAL, 18, ") after one value"},
    {CLIENT, "(TCP ((IP 1.2.3.4) (Port 80)) x)", -EINVAL, 30, ") after the mode"},
    {CLIENT, "(TCP ((IP 1.2.3.4) (Port 80))) x", -EINVAL, 31, "the end of the text"},
    {CLIENT, "(TCP (1.2.3.4 80))", -EINVAL, 6, "(IP ...)"},
    {CLIENT, "(TLS ((IP 1.2.3.4) (Port 80)))", -EINVAL, 7, "Hostname"},
    {CLIENT, "(Unix_domain_socket /x)", -EINVAL, 20, "(File ...)"},
    {CLIENT, "(Vchan_direct ((Domid 65536) (Port p)))", -EINVAL, 22, "a domain id"},
    {CLIENT, "(Vchan_direct (1 p))", -EINVAL, 15, "(Domid ...)"},
    {CLIENT, "(Vchan_domain_socket ((Domid 1) (Port p)))", -EINVAL, 23, "Domain_name"},

    {SERVER, "", -EINVAL, 0, "( and a mode"},
    {SERVER, "(TCP (Socket <opaque>))", -EINVAL, 6, "a socket cannot be read"},
    {SERVER, "(TCP (Port 65536))", -EINVAL, 11, "a port from 0 to 65535"},
    {SERVER, "(TCP (File x))", -EINVAL, 6, "Port"},
    {SERVER, "(TCP ((IP 1.2.3.4) (Port 80)))", -EINVAL, 6, "Port"},
    {SERVER, "(TLS ((Crt_file_path c) (Key_file_path k) (Password <fun>) (Port 443)))", -EINVAL, 42,
     "a callback cannot be read"},
    {SERVER, "(TLS ((Crt_file_path c) (Key_file_path k) Password (Port 443)))", -EINVAL, 42,
     "No_password"},
    {SERVER, "(TLS ((Key_file_path k) (Crt_file_path c) No_password (Port 443)))", -EINVAL, 7,
     "Crt_file_path"},
    {SERVER, "(TLS ((Crt_file_path \"c\\000\") (Key_file_path k) No_password (Port 443)))", -EINVAL,
     21, "a path without \\000"},
    {SERVER, "(TLS ((Crt_file_path c) (Key_file_path k) No_password))", -EINVAL, 53, "(Port ...)"},
    {SERVER, "(Vchan_direct ((Domid 1) (Port p)))", -EINVAL, 15, "a domain id"},
    {SERVER, "(Vchan_domain_socket (n))", -EINVAL, 23, "the name of a port"},
    {SERVER, "(Launchd (n))", -EINVAL, 9, "a name"},

    {KEY, "", -EINVAL, 0, "None or (TLS ...)"},
    {KEY, "none", -EINVAL, 0, "None or (TLS ...)"},
    {KEY, "(None)", -EINVAL, 1, "TLS"},
    {KEY, "None None", -EINVAL, 5, "the end of the text"},
    {KEY, "(TLS ((Crt_file_path c) (Key_file_path k) (Password <fun>)))", -EINVAL, 42,
     "a callback cannot be read"},
    {KEY, "(TLS ((Crt_file_path c) (Key_file_path k) No_password (Port 1)))", -EINVAL, 54,
     ") after the password"},
    {KEY, "(TLS ((Crt_file_path c) (Key_file_path k) No_password) x)", -EINVAL, 55,
     ") after the key"},
};

static void test_bad_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct value value;
        struct cdt_text_error error;
        char prefix[32];
        const int status = parse(bad[i].what, bad[i].text, &value, &error);
        if (status != bad[i].status || error.offset != bad[i].offset ||
            !strstr(error.text, bad[i].expected))
            fail_msg("%s: %d, %s", bad[i].text, status, error.text);
        snprintf(prefix, sizeof prefix, "offset %zu: expected ", error.offset);
        assert_int_equal(strncmp(error.text, prefix, strlen(prefix)), 0);
        assert_true(!value.client && !value.server && !value.key);
        assert_int_equal(parse(bad[i].what, bad[i].text, &value, NULL), status);
    }
    print_message("%zu texts\n", sizeof bad / sizeof *bad);
}

/* ---- at random ------------------------------------------------------------------------------- */

static uint64_t seed;

static uint32_t number(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

/* Without a 0; bytes that matter to readers come often. */
static const char *random_text(char memory[64])
{
    static const char special[] = "();\"\\|#'\n\t\r\b\f /<>\177\200\377";
    const size_t length = number(20);
    for (size_t i = 0; i < length; i++) {
        const uint32_t what = number(4);
        memory[i] = what == 0   ? special[number(sizeof special - 1)]
                    : what == 1 ? (char)(1 + number(255))
                                : (char)('a' + number(26));
    }
    memory[length] = 0;
    return memory;
}

static struct cdt_endp *random_endp(bool client)
{
    static const enum cdt_endp_kind kinds[2][6] = {
        {CDT_ENDP_HOST, CDT_ENDP_UNIX, CDT_ENDP_VCHAN_DIRECT, CDT_ENDP_VCHAN_DOMAIN_SOCKET,
         CDT_ENDP_TLS, CDT_ENDP_SYSTEMD},
        {CDT_ENDP_TCP, CDT_ENDP_UNIX, CDT_ENDP_VCHAN_DIRECT, CDT_ENDP_VCHAN_DOMAIN_SOCKET,
         CDT_ENDP_TLS, CDT_ENDP_TLS},
    };
    char first[64], second[64];
    struct cdt_addr addr;
    struct cdt_endp *endp = NULL, *inner = NULL;
    const enum cdt_endp_kind kind = kinds[client][number(6)];
    const uint16_t port = (uint16_t)number(65536);
    snprintf(first, sizeof first, number(2) ? "%u.2.3.%u" : "%x::%x", number(256), number(256));
    assert_int_equal(cdt_addr_ip(&addr, first, port), 0);
    random_text(first);
    switch (kind) {
    case CDT_ENDP_TCP:
        cdt_endp_tcp(&addr, &endp);
        break;
    case CDT_ENDP_HOST:
        cdt_endp_host("", port, &endp);
        break;
    case CDT_ENDP_UNIX:
        cdt_endp_unix(first, &endp);
        break;
    case CDT_ENDP_VCHAN_DIRECT:
        cdt_endp_vchan_direct(port, first, &endp);
        break;
    case CDT_ENDP_VCHAN_DOMAIN_SOCKET:
        cdt_endp_vchan_domain_socket(first, random_text(second), &endp);
        break;
    case CDT_ENDP_SYSTEMD:
        cdt_endp_systemd(first, &endp);
        break;
    default:
        client ? cdt_endp_tcp(&addr, &inner) : cdt_endp_host("", port, &inner);
        cdt_endp_tls(client ? first : "", inner, &endp);
    }
    return endp;
}

enum { RANDOM_MODES = 30000 };

static void test_print_and_read(void **state)
{
    (void)state;
    for (int i = 0; i < RANDOM_MODES; i++) {
        char cert[64], file[64], text[1024];
        struct cdt_client_mode client = {CDT_TLS_ANY, NULL};
        struct cdt_own_key key = {random_text(cert), random_text(file), false};
        struct cdt_server_mode server = {CDT_TLS_ANY, {0}, NULL};
        struct value value = {.what = (enum what)number(WHATS), .key = &key}, again;
        if (value.what == CLIENT)
            client.endp = random_endp(true);
        if (value.what == SERVER)
            server.endp = random_endp(false);
        if (client.endp && client.endp->kind == CDT_ENDP_TLS)
            client.tls = (enum cdt_tls_backend)number(3);
        if (server.endp && server.endp->kind == CDT_ENDP_TLS) {
            server.tls = (enum cdt_tls_backend)number(3);
            server.key = key;
        }
        value.client = &client;
        value.server = &server;
        snprintf(value.service.name, sizeof value.service.name, "%s", cert);
        value.service.port = (uint16_t)number(65536);
        value.service.tls = number(2);
        for (int form = CDT_ENDP_HUMAN; form <= CDT_ENDP_MACHINE; form++) {
            struct cdt_text_error error;
            format(&value, (enum cdt_endp_form)form, text, sizeof text);
            if (parse(value.what, text, &again, &error) != 0)
                fail_msg("seed %lu: %s: %s", (unsigned long)seed, text, error.text);
            if (!same(&value, &again))
                fail_msg("seed %lu: %s reads as another", (unsigned long)seed, text);
            drop(&again);
        }
        cdt_endp_free(client.endp);
        cdt_endp_free(server.endp);
    }
    print_message("%d modes\n", RANDOM_MODES);
}

/* ---- endpoints ------------------------------------------------------------------------------- */

/* A text that is NULL: refused for this reason. */
static const struct conversion {
    const char *endp, *client, *no_client, *server, *no_server;
} conversions[] = {
    {"tcp:1.2.3.4:80", "(TCP ((IP 1.2.3.4) (Port 80)))", NULL, "(TCP (Port 80))", NULL},
    {"tcp:80", NULL, "not resolved yet", "(TCP (Port 80))", NULL},
    {"tcp:h:80", NULL, "not resolved yet", "(TCP (Port 80))", NULL},
    {"unix:/x", "(Unix_domain_socket (File /x))", NULL, "(Unix_domain_socket (File /x))", NULL},
    {"vchan:1/p", "(Vchan_direct ((Domid 1) (Port p)))", NULL, "(Vchan_direct (1 p))", NULL},
    {"vchan:n/p", "(Vchan_domain_socket ((Domain_name n) (Port p)))", NULL,
     "(Vchan_domain_socket (n p))", NULL},
    {"fd:3", NULL, "only for serving", "(TCP (Socket <opaque>))", NULL},
    {"systemd:n", NULL, "only for serving", "(Launchd n)", NULL},
    {"(TLS (h (TCP (1.2.3.4 443))))", "(TLS ((Hostname h) (IP 1.2.3.4) (Port 443)))", NULL,
     "(TLS ((Crt_file_path c) (Key_file_path k) No_password (Port 443)))", NULL},
    {"tls:443", NULL, "TLS over anything but TCP",
     "(TLS ((Crt_file_path c) (Key_file_path k) No_password (Port 443)))", NULL},
    {"tls+unix:/x", NULL, "TLS over anything but TCP", NULL, "TLS over anything but TCP"},
    {"tls+tls:1.2.3.4:5", NULL, "TLS over anything but TCP", NULL, "TLS over anything but TCP"},
    {"(Unknown \"no scheme\")", NULL, "resolution failed: no scheme", NULL,
     "resolution failed: no scheme"},
};

static void expect_client(const struct cdt_endp *endp, const struct conversion *row)
{
    char text[256];
    struct cdt_client_mode *mode = NULL;
    struct cdt_text_error error;
    const int status = cdt_endp_to_client(endp, &mode, &error);
    assert_int_equal(status, row->client ? 0 : -EINVAL);
    if (!row->client) {
        assert_non_null(strstr(error.text, row->no_client));
        assert_int_equal(cdt_endp_to_client(endp, &mode, NULL), status);
        return;
    }
    cdt_client_mode_format(mode, CDT_ENDP_HUMAN, text, sizeof text);
    assert_string_equal(text, row->client);
    cdt_client_mode_free(mode);
}

static void expect_server(const struct cdt_endp *endp, const struct conversion *row)
{
    char text[256];
    struct cdt_server_mode *mode = NULL;
    struct cdt_text_error error;
    const struct cdt_own_key key = {"c", "k", false};
    const int status = cdt_endp_to_server(endp, &key, &mode, &error);
    assert_int_equal(status, row->server ? 0 : -EINVAL);
    if (!row->server) {
        assert_non_null(strstr(error.text, row->no_server));
        return;
    }
    cdt_server_mode_format(mode, CDT_ENDP_HUMAN, text, sizeof text);
    assert_string_equal(text, row->server);
    cdt_server_mode_free(mode);
}

static void test_endpoints_become_modes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++) {
        struct cdt_endp *endp;
        assert_int_equal(cdt_endp_parse(conversions[i].endp, &endp, NULL), 0);
        expect_client(endp, &conversions[i]);
        expect_server(endp, &conversions[i]);
        cdt_endp_free(endp);
    }
}

static void test_tls_needs_a_key(void **state)
{
    (void)state;
    struct cdt_endp *endp;
    struct cdt_server_mode *mode = NULL;
    struct cdt_text_error error;
    char text[256];
    const struct cdt_own_key none = {0}, key = {"c d", "k", true};
    assert_int_equal(cdt_endp_parse("tls:1.2.3.4:443", &endp, NULL), 0);
    assert_int_equal(cdt_endp_to_server(endp, NULL, &mode, &error), -EINVAL);
    assert_string_equal(error.text, "No TLS server key configured");
    assert_int_equal(cdt_endp_to_server(endp, &none, &mode, &error), -EINVAL);
    assert_string_equal(error.text, "No TLS server key configured");
    assert_null(mode);
    assert_int_equal(cdt_endp_to_server(endp, &key, &mode, &error), 0);
    cdt_server_mode_format(mode, CDT_ENDP_HUMAN, text, sizeof text);
    assert_string_equal(
        text, "(TLS ((Crt_file_path \"c d\") (Key_file_path k) (Password <fun>) (Port 443)))");
    assert_ptr_not_equal(mode->key.cert_file, key.cert_file);
    cdt_server_mode_free(mode);
    cdt_endp_free(endp);
    cdt_own_key_format(&key, CDT_ENDP_MACHINE, text, sizeof text);
    assert_string_equal(text, "(TLS((Crt_file_path\"c d\")(Key_file_path k)(Password <fun>)))");
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    struct cdt_service service = {"http", 80, false};
    struct cdt_client_mode client = {CDT_TLS_ANY, NULL}, *made;
    struct cdt_server_mode server = {CDT_TLS_ANY, {0}, NULL};
    struct cdt_own_key half = {"c", NULL, false};
    char text[64];
    assert_int_equal(cdt_service_format(&service, CDT_ENDP_SHORT, text, sizeof text), -EINVAL);
    assert_int_equal(cdt_service_format(&service, CDT_ENDP_HUMAN, NULL, 1), -EINVAL);
    assert_int_equal(cdt_service_format(NULL, CDT_ENDP_HUMAN, text, sizeof text), -EINVAL);
    assert_int_equal(cdt_service_format(&service, CDT_ENDP_HUMAN, NULL, 0), 35);
    assert_int_equal(cdt_service_format(&service, CDT_ENDP_HUMAN, text, 7), 35);
    assert_string_equal(text, "((name");
    assert_int_equal(cdt_own_key_format(&half, CDT_ENDP_HUMAN, text, sizeof text), -EINVAL);
    assert_int_equal(cdt_client_mode_format(&client, CDT_ENDP_HUMAN, text, sizeof text), -EINVAL);
    cdt_endp_host("h", 80, &client.endp);
    assert_int_equal(cdt_client_mode_format(&client, CDT_ENDP_HUMAN, text, sizeof text), -EINVAL);
    cdt_endp_tls("", client.endp, &server.endp);
    assert_int_equal(cdt_server_mode_format(&server, CDT_ENDP_HUMAN, text, sizeof text), -EINVAL);
    server.key = (struct cdt_own_key){"c", "k", false};
    server.tls = (enum cdt_tls_backend)3;
    assert_int_equal(cdt_server_mode_format(&server, CDT_ENDP_HUMAN, text, sizeof text), -EINVAL);
    cdt_endp_free(server.endp);
    assert_int_equal(cdt_client_mode_parse(NULL, &made, NULL), -EINVAL);
    assert_int_equal(cdt_client_mode_parse("x", NULL, NULL), -EINVAL);
    assert_int_equal(cdt_service_parse("x", NULL, NULL), -EINVAL);
    assert_int_equal(cdt_endp_to_client(NULL, &made, NULL), -EINVAL);
    assert_int_equal(cdt_endp_to_server(NULL, NULL, NULL, NULL), -EINVAL);
    cdt_client_mode_free(NULL);
    cdt_server_mode_free(NULL);
    cdt_own_key_free(NULL);
}

int main(void)
{
    const char *given = getenv("CDT_TEST_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2654435761u;
    seed |= 1;
    printf("seed %lu\n", (unsigned long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_texts),      cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_print_and_read),  cmocka_unit_test(test_endpoints_become_modes),
        cmocka_unit_test(test_tls_needs_a_key), cmocka_unit_test(test_wrong_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
