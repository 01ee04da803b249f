/* test_conf.c -- the settings table: what is taken, and that every refusal names place, setting and what is allowed. */
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"

#include "base/conf.h"
#include "base/file.h"

#include <string.h>

static enum eim_err read_text(struct conf *c, const char *text, struct err *e)
{
    return conf_read_text(c, slice_str(text), "eimd.conf", e);
}

static void an_empty_file_gives_the_defaults(void **state)
{
    (void)state;
    struct conf c;
    struct err e = { 0 };
    assert_ok(read_text(&c, "", &e));
    assert_string_equal(c.device_listen.host, "127.0.0.1");
    assert_int_equal(c.device_listen.port, 8443);
    assert_int_equal(c.api_listen.port, 8444);
    assert_false(c.eim_enrol_unknown);
    assert_int_equal(c.eim_outcome_timeout, 7 * CONF_D);
    assert_int_equal(c.eim_deliveries_max, 3);
    assert_int_equal(c.device_body_max, 65536);
    assert_string_equal(c.store_url, "");
    assert_int_equal(c.log_level, 1);
    assert_int_equal(c.api_metrics_from.n, 2);
    assert_string_equal(c.api_metrics_from.v[1], "::1");
    conf_free(&c);
}

static void every_type_is_read(void **state)
{
    (void)state;
    struct conf c;
    struct err e = { 0 };
    assert_ok(read_text(&c,
                        "# comment\n; another\n[eim]\nfqdn = eim.example.com # not a comment\nenrol_unknown = yes\ndeliveries_max=7\n"
                        "outcome_timeout = 90m\ncontact_flush = 1500ms\n[device]\nlisten = [::1]:0\nbody_max = 128k\n"
                        "[log]\nlevel = error\n[api]\nmetrics_from = 10.0.0.1 ,10.0.0.2\n[server]\ndrain_timeout = 0\n", &e));
    assert_string_equal(c.eim_fqdn, "eim.example.com # not a comment");
    assert_true(c.eim_enrol_unknown);
    assert_int_equal(c.eim_deliveries_max, 7);
    assert_int_equal(c.eim_outcome_timeout, 90 * CONF_M);
    assert_int_equal(c.eim_contact_flush, 1500000);
    assert_string_equal(c.device_listen.host, "::1");
    assert_int_equal(c.device_listen.port, 0);
    assert_int_equal(c.device_body_max, 131072);
    assert_int_equal(c.log_level, 3);
    assert_int_equal(c.api_metrics_from.n, 2);
    assert_string_equal(c.api_metrics_from.v[0], "10.0.0.1");
    assert_string_equal(c.api_metrics_from.v[1], "10.0.0.2");
    assert_int_equal(c.server_drain_timeout, 0);
    conf_free(&c);
}

static const struct refusal { const char *text, *place, *says, *allowed; } refusals[] = {
    { "[eim]\nfqdn = a\n\n[devices]\n",                 "eimd.conf:4: ", "there is no section [devices]", "outbound, device, coap, es2plus, api" },
    { "[nobody]\nx = 1\n",                              "eimd.conf:1: ", "[nobody]", "store" },
    { "[eim]\n\nfqnd = a\n",                            "eimd.conf:3: ", "there is no setting 'fqnd' in section [eim]", "" },
    { "fqdn = a\n",                                     "eimd.conf:1: ", "'fqdn' stands before the first section", "" },
    { "[eim]\nfqdn = a\nfqdn = a\n",                    "eimd.conf:3: ", "eim.fqdn stands already on line 2", "" },
    { "[eim]\nfqdn = a\n[log]\n[eim]\nfqdn = b\n",      "eimd.conf:5: ", "eim.fqdn stands already on line 2", "" },
    { "[eim]\nfqdn =\n",                                "eimd.conf:2: ", "eim.fqdn is ''", "1 to 253 octets" },
    { "[device]\nworkers = 0\n",                        "eimd.conf:2: ", "device.workers is '0'", "from 1 to 256" },
    { "[device]\nworkers = 257\n",                      "eimd.conf:2: ", "device.workers is '257'", "from 1 to 256" },
    { "[device]\nworkers = -1\n",                       "eimd.conf:2: ", "device.workers is '-1'", "a number" },
    { "[device]\nworkers = 2 \n[device]\nqueue = 0x10", "eimd.conf:4: ", "device.queue is '0x10'", "a number" },
    { "[device]\nqueue = 99999999999999999999\n",       "eimd.conf:2: ", "device.queue is", "100000" },
    { "[eim]\nenrol_unknown = true\n",                  "eimd.conf:2: ", "eim.enrol_unknown is 'true'", "yes or no" },
    { "[eim]\noutcome_timeout = 7\n",                   "eimd.conf:2: ", "eim.outcome_timeout is '7'", "from 1s to 365d" },
    { "[eim]\noutcome_timeout = 999ms\n",               "eimd.conf:2: ", "eim.outcome_timeout is '999ms'", "from 1s to 365d" },
    { "[eim]\noutcome_timeout = 7 days\n",              "eimd.conf:2: ", "eim.outcome_timeout", "d)" },
    { "[eim]\noutcome_timeout = 999999999999999999d\n", "eimd.conf:2: ", "eim.outcome_timeout", "365d" },
    { "[eim]\nauto_interval = 1m\n",                    "eimd.conf:2: ", "eim.auto_interval", "from 10m" },
    { "[device]\nbody_max = 2G\n",                      "eimd.conf:2: ", "device.body_max is '2G'", "from 1k to 1M" },
    { "[device]\nlisten = 127.0.0.1\n",                 "eimd.conf:2: ", "device.listen is '127.0.0.1'", "[::1]:PORT" },
    { "[device]\nlisten = 127.0.0.1:65536\n",           "eimd.conf:2: ", "device.listen", "PORT" },
    { "[device]\nlisten = localhost:1\n",               "eimd.conf:2: ", "device.listen", "PORT" },
    { "[device]\nlisten = ::1:80\n",                    "eimd.conf:2: ", "device.listen", "PORT" },
    { "[log]\nlevel = infos\n",                         "eimd.conf:2: ", "log.level is 'infos'", "debug|info|warn|error" },
    { "[log]\nlevel =\n",                               "eimd.conf:2: ", "log.level is ''", "debug|info|warn|error" },
    { "[api]\nmetrics_from = a,,b\n",                   "eimd.conf:2: ", "api.metrics_from is 'a,,b'", "commas" },
    { "[api]\nmetrics_from = a,\n",                     "eimd.conf:2: ", "api.metrics_from", "commas" },
    { "[log]\nlevel\n",                                 "eimd.conf:2: ", "neither [section], key = value", "" },
    { "[log\n",                                         "eimd.conf:1: ", "neither [section], key = value", "" },
};

static void wrong_settings_are_refused_with_place_name_and_what_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *r = &refusals[i];
        struct conf c;
        struct err e = { 0 };
        assert_int_equal(read_text(&c, r->text, &e), E_CONF);
        if (strncmp(e.why, r->place, strlen(r->place)) != 0 || !strstr(e.why, r->says) || !strstr(e.why, r->allowed))
            fail_msg("%ssays: %s", r->text, e.why);
        assert_null(c.arena.head);                     /* nothing left behind */
    }
}

static void a_nul_octet_and_an_endless_line_are_refused(void **state)
{
    (void)state;
    struct conf c;
    struct err e = { 0 };
    assert_refused(E_CONF, conf_read_text(&c, SLICE("[eim]\nfqdn = a\0b\n"), "f", &e));
    assert_non_null(strstr(e.why, "f:2: there is a NUL octet"));

    static char text[70000] = "[eim]\n#";
    memset(text + 7, 'x', sizeof text - 8);
    assert_refused(E_CONF, conf_read_text(&c, slice_of(text, sizeof text - 1), "f", &e));
    assert_non_null(strstr(e.why, "f:2: the line is longer than"));

    /* a long comment below the ceiling is no trouble, and lines after it are counted right */
    text[40000] = '\n';
    memcpy(text + 40001, "fqdn = a\nbad\n", 14);
    assert_refused(E_CONF, conf_read_text(&c, slice_str(text), "f", &e));
    assert_non_null(strstr(e.why, "f:4: neither"));
}

static void the_printed_defaults_are_a_file_that_means_the_defaults(void **state)
{
    (void)state;
    struct conf c, d;
    struct err e = { 0 };
    struct buf file, one, two;
    buf_init(&file, 1 << 20);
    buf_init(&one, 1 << 20);
    buf_init(&two, 1 << 20);
    conf_print_defaults(&file, "eim.example.org");
    assert_ok(conf_read_text(&c, buf_slice(&file), "defaults", &e));
    assert_string_equal(c.eim_fqdn, "eim.example.org");
    conf_print(&c, &one);
    assert_ok(conf_read_text(&d, buf_slice(&one), "printed", &e));
    conf_print(&d, &two);
    assert_int_equal(one.n, two.n);
    assert_memory_equal(one.p, two.p, one.n);

    /* every commented default, uncommented, is a lawful line */
    for (size_t i = 0; i + 1 < file.n; i++)
        if (file.p[i] == '\n' && file.p[i + 1] == '#' && file.p[i + 2] != ' ') file.p[i + 1] = ' ';
    conf_free(&d);
    assert_ok(conf_read_text(&d, buf_slice(&file), "uncommented", &e));
    buf_reset(&two);
    conf_print(&d, &two);
    assert_int_equal(one.n, two.n);
    assert_memory_equal(one.p, two.p, one.n);
    conf_free(&c);
    conf_free(&d);
    buf_free(&file);
    buf_free(&one);
    buf_free(&two);
}

static void a_setting_of_the_command_line_is_checked_like_the_files(void **state)
{
    (void)state;
    struct conf c;
    struct err e = { 0 };
    assert_ok(read_text(&c, "", &e));
    assert_ok(conf_set(&c, "device.listen", "0.0.0.0:0", &e));
    assert_int_equal(c.device_listen.port, 0);
    assert_refused(E_CONF, conf_set(&c, "device.listen", "0.0.0.0:x", &e));
    assert_string_equal(e.field, "device.listen");
    assert_int_equal(c.device_listen.port, 0);
    assert_refused(E_CONF, conf_set(&c, "device.nothing", "1", &e));
    conf_free(&c);
}

static void a_reload_names_what_needs_a_restart(void **state)
{
    (void)state;
    struct conf a, b;
    struct err e = { 0 };
    assert_ok(read_text(&a, "", &e));
    assert_ok(read_text(&b, "[device]\nworkers = 3\n[log]\nlevel = warn\n[store]\nurl = sqlite:/x\n", &e));
    size_t at = 0;
    assert_string_equal(conf_fixed_change(&a, &b, &at), "device.workers");
    assert_string_equal(conf_fixed_change(&a, &b, &at), "store.url");
    assert_null(conf_fixed_change(&a, &b, &at));
    conf_free(&a);
    conf_free(&b);
}

static void a_missing_file_is_told_from_a_wrong_one(void **state)
{
    (void)state;
    struct conf c;
    struct err e = { 0 };
    const char *dir = tmp_make();
    assert_refused(E_NOT_FOUND, conf_read(&c, tmp_path(dir, "eimd.conf"), &e));
    e = (struct err){ 0 };
    assert_ok(file_write_new(tmp_path(dir, "eimd.conf"), 0600, SLICE("[log]\nlevel = debug\n"), &e));
    assert_ok(conf_read(&c, tmp_path(dir, "eimd.conf"), &e));
    assert_int_equal(c.log_level, 0);
    conf_free(&c);
    tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(wrong_settings_are_refused_with_place_name_and_what_is_allowed),
        cmocka_unit_test(a_nul_octet_and_an_endless_line_are_refused),
        cmocka_unit_test(the_printed_defaults_are_a_file_that_means_the_defaults),
        cmocka_unit_test(a_setting_of_the_command_line_is_checked_like_the_files),
        cmocka_unit_test(a_reload_names_what_needs_a_restart),
        cmocka_unit_test(a_missing_file_is_told_from_a_wrong_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
