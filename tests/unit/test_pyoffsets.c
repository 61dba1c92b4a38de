/* pyoffsets_find: takes a row only for the version and the build that it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "memtrace/ring.h"
#include "pyoffsets.h"

#define RELEASE(major, minor, micro) ((major) << 24 | (minor) << 16 | (micro) << 8 | 0xf0)
#define LAST RELEASE(3u, 13u, 0u) /* of those that publish, the one of the tests below */

/* What an interpreter publishes, as far as it is read; the rest is 0. */
struct runtime {
    char cookie[8];
    uint64_t version;
    uint64_t free_threaded;
    uint64_t words[100];
};

enum { /* indices into runtime.words, from the struct of 3.13 */
    FINALIZING = (32 - 24) / 8,
    CURRENT_FRAME = (184 - 24) / 8,
    CODE_ADAPTIVE = (344 - 24) / 8
};

static struct runtime runtime_313(void)
{
    struct runtime runtime = {.version = LAST};
    memcpy(runtime.cookie, "xdebugpy", sizeof(runtime.cookie));
    runtime.words[FINALIZING] = 608;
    runtime.words[CURRENT_FRAME] = 72;
    runtime.words[CODE_ADAPTIVE] = 200;
    return runtime;
}

static void finds_each_version(void **state)
{
    struct pyoffsets row;
    for (uint32_t minor = 8; minor <= 12; minor++) {
        assert_true(pyoffsets_find(&row, RELEASE(3u, minor, 7u), NULL));
        assert_int_equal(row.version, 0x0300 | minor);
        assert_int_equal(row.instr_kind, minor < 10   ? PY_INSTR_LASTI_BYTES
                                         : minor < 11 ? PY_INSTR_LASTI_UNITS
                                                      : PY_INSTR_POINTER);
        assert_int_equal(row.lines_kind, minor < 10   ? MT_LINES_LNOTAB
                                         : minor < 11 ? MT_LINES_310
                                                      : MT_LINES_LOCATIONS);
    }
}

static void each_row_has_one_way_to_the_frame(void **state)
{
    struct pyoffsets row;
    for (uint32_t minor = 8; minor <= 12; minor++) {
        assert_true(pyoffsets_find(&row, RELEASE(3u, minor, 0u), NULL));
        assert_int_not_equal(row.tstate_frame == PY_NO_OFFSET, row.tstate_cframe == PY_NO_OFFSET);
        assert_int_equal(row.tstate_cframe == PY_NO_OFFSET, row.cframe_frame == PY_NO_OFFSET);
        assert_int_equal(row.frame_owner == PY_NO_OFFSET, row.owner_generator == PY_NO_OWNER);
    }
}

static void refuses_unknown_versions(void **state)
{
    static const uint32_t unknown[] = {
        0,
        RELEASE(2u, 7u, 18u),
        RELEASE(3u, 7u, 16u),
        RELEASE(3u, 16u, 0u),
        RELEASE(4u, 8u, 0u),
        0x030800a1,
        0x030c00c3,
        0x030d00c1,
        0x030e00c2,
        0x030f00c1,
        UINT32_MAX,
    };
    struct pyoffsets row;
    struct runtime runtime = runtime_313();
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        runtime.version = unknown[i];
        assert_false(pyoffsets_find(&row, unknown[i], &runtime));
    }
}

static void prefers_what_is_published(void **state)
{
    struct pyoffsets row;
    struct runtime runtime = runtime_313();
    assert_true(pyoffsets_find(&row, LAST, &runtime));
    assert_int_equal(row.code_firsttraceable, 184); /* not published */
    assert_int_equal(row.runtime_finalizing, 608);
    runtime.words[FINALIZING] = 616;
    runtime.words[CURRENT_FRAME] = 80;
    runtime.words[CODE_ADAPTIVE] = 208;
    assert_true(pyoffsets_find(&row, RELEASE(3u, 13u, 9u), &runtime));
    assert_int_equal(row.tstate_frame, 80);
    assert_int_equal(row.code_adaptive, 208);
    assert_int_equal(row.runtime_finalizing, 616);
}

/* From 3.14 on pointers in a frame are tagged, and the structs of 3.14 and 3.15 differ. */
static void each_minor_version_publishes_in_its_own_way(void **state)
{
    static const struct {
        uint32_t version;
        int current_frame, code, thread_id; /* where the struct says it */
        int row_id, tags;
    } versions[] = {
        {RELEASE(3u, 13u, 4u), 184, 240, 192, 224, 0},
        {RELEASE(3u, 14u, 0u), 208, 264, 216, 224, 3},
        {RELEASE(3u, 15u, 1u), 208, 328, 240, 248, 3},
    };
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct pyoffsets row;
        struct runtime runtime = runtime_313();
        runtime.version = versions[i].version;
        runtime.words[(versions[i].current_frame - 24) / 8] = 1001;
        runtime.words[(versions[i].code - 24) / 8] = 1002;
        runtime.words[(versions[i].thread_id - 24) / 8] = 1003;
        assert_true(pyoffsets_find(&row, versions[i].version, &runtime));
        assert_int_equal(row.tstate_frame, 1001);
        assert_int_equal(row.frame_code, 1002);
        assert_int_equal(row.tstate_thread_id, 1003);
        assert_int_equal(row.tstate_id, versions[i].row_id); /* not published */
        assert_int_equal(row.code_tag_mask, versions[i].tags);
        assert_int_equal(row.owner_shim, 3);
        runtime.version = RELEASE(3u, 12u, 0u);
        assert_false(pyoffsets_find(&row, versions[i].version, &runtime));
        runtime.version = versions[i].version;
        runtime.free_threaded = 1;
        assert_true(pyoffsets_find(&row, versions[i].version, &runtime));
        assert_int_equal(row.frame_code, 1002);
        assert_int_equal(row.mark_kind,
            versions[i].version >> 16 == 0x030d ? PY_MARK_STACK : PY_MARK_OWNER_COPIES);
    }
}

static void takes_the_row_without_a_gil(void **state)
{
    struct pyoffsets with, without;
    struct runtime runtime = runtime_313();
    assert_true(pyoffsets_find(&with, LAST, &runtime));
    runtime.free_threaded = 1;
    assert_true(pyoffsets_find(&without, LAST, &runtime));
    assert_int_equal(with.free_threaded, 0);
    assert_int_equal(without.free_threaded, 1);
    assert_int_equal(without.code_firsttraceable, with.code_firsttraceable + 16);
    assert_int_equal(with.code_copies, PY_NO_OFFSET);
    assert_int_equal(without.code_copies, PY_NO_OFFSET);
}

/* From 3.14 on threads without a GIL have their own bytecode. */
static void knows_of_copies_where_there_are_some(void **state)
{
    for (uint32_t minor = 14; minor <= 15; minor++) {
        struct pyoffsets row;
        struct runtime runtime = runtime_313();
        runtime.version = RELEASE(3u, minor, 0u);
        assert_true(pyoffsets_find(&row, RELEASE(3u, minor, 0u), &runtime));
        assert_int_equal(row.code_copies, PY_NO_OFFSET);
        assert_int_equal(row.frame_copy, PY_NO_OFFSET);
        runtime.free_threaded = 1;
        assert_true(pyoffsets_find(&row, RELEASE(3u, minor, 0u), &runtime));
        assert_int_equal(row.code_copies, 224);
        assert_int_equal(row.frame_copy, 72);
    }
}

static void refuses_without_published(void **state)
{
    struct pyoffsets row;
    assert_false(pyoffsets_find(&row, LAST, NULL));
    struct runtime runtime = runtime_313();
    runtime.cookie[7] = 'Y';
    assert_false(pyoffsets_find(&row, LAST, &runtime));
}

static void refuses_other_builds(void **state)
{
    static const uint64_t others[] = {
        0, RELEASE(3u, 12u, 0u), RELEASE(3u, 14u, 0u), 0x030d00b1, (uint64_t)LAST | 1ull << 32};
    struct pyoffsets row;
    struct runtime runtime = runtime_313();
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        runtime.version = others[i];
        assert_false(pyoffsets_find(&row, LAST, &runtime));
    }
}

static void refuses_absurd_offsets(void **state)
{
    static const uint64_t absurd[] = {4096, 65536, 1ull << 32, UINT64_MAX};
    struct pyoffsets row;
    for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
        struct runtime runtime = runtime_313();
        runtime.words[CURRENT_FRAME] = absurd[i];
        assert_false(pyoffsets_find(&row, LAST, &runtime));
    }
    struct runtime runtime = runtime_313();
    runtime.words[FINALIZING] = 1u << 20;
    assert_false(pyoffsets_find(&row, LAST, &runtime));
    runtime.words[FINALIZING] = (1u << 20) - 8;
    assert_true(pyoffsets_find(&row, LAST, &runtime));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_version),
        cmocka_unit_test(each_row_has_one_way_to_the_frame),
        cmocka_unit_test(refuses_unknown_versions),
        cmocka_unit_test(prefers_what_is_published),
        cmocka_unit_test(each_minor_version_publishes_in_its_own_way),
        cmocka_unit_test(refuses_without_published),
        cmocka_unit_test(takes_the_row_without_a_gil),
        cmocka_unit_test(knows_of_copies_where_there_are_some),
        cmocka_unit_test(refuses_other_builds),
        cmocka_unit_test(refuses_absurd_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
