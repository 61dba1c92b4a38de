/*
 * A collector that is killed while it writes a boundary: what it had gathered is
 * not lost, and not counted twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/record.h"
#include "collect/session.h"
#include "trace/model.h"

struct shared_words { /* from the collector that dies */
    char directory[SHARED_PATH_MAX];
};

static void allocate(struct collector *collector, uint32_t site, uint64_t size)
{
    struct account *account = &collector->images[0]->account;
    uint32_t cell = accounts_cell(&collector->accounts, site);
    accounts_add(&collector->accounts, account, cell, size, session_clock(collector));
}

/* The second boundary's chunk is not written whole: the file may not grow by more than `room`. */
static void run_and_die(struct shared_words *words, const char *path, int fd, uint64_t room)
{
    struct collector *collector;
    if (session_create(&collector, 10, 0) != 0) {
        _exit(1);
    }
    strcpy(words->directory, collector->shared.directory);
    session_output(collector, fd, path, "{}");
    session_adopt(collector, getpid(), "/bin/x", "x");
    struct site_record site = {
        .process = collector->images[0]->process, .domain = MT_DOMAIN_MALLOC};
    uint32_t id = definitions_site(&collector->accounts.definitions, &site);
    allocate(collector, id, 1000);
    record_mark(collector, 0, 1);
    allocate(collector, id, 200);
    struct rlimit limit = {collector->writer.written + room, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    record_mark(collector, 0, 2);
    raise(SIGKILL); /* not expected, if there was no room */
}

static int64_t bytes_of(const struct trace *trace, uint32_t site)
{
    int64_t sum = 0;
    for (size_t b = 0; b < trace->n_boundaries; b++) {
        for (size_t i = 0; i < trace->boundaries[b].count; i++) {
            const struct trace_row *row = &trace->boundaries[b].rows[i];
            sum += row->site == site ? row->bytes : 0;
        }
    }
    return sum;
}

static void killed_while_writing(uint64_t room, int number)
{
    char path[] = "/tmp/memtrace-resume-XXXXXX";
    int fd = mkstemp(path), status;
    struct shared_words *words =
        mmap(NULL, sizeof(*words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGXFSZ, SIG_DFL);
        run_and_die(words, path, fd, room);
    }
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == number);
    struct collector *collector;
    assert_int_equal(session_resume(&collector, words->directory), 0);
    session_finish(collector);
    assert_int_equal(session_seal(collector, "{}"), 0);
    session_free(collector);
    struct trace trace;
    assert_int_equal(trace_read(&trace, path), TRACE_OK);
    assert_true(trace.sealed && !trace.damaged);
    assert_int_equal(bytes_of(&trace, 1), 1200);
    trace_free(&trace);
    munmap(words, sizeof(*words));
    unlink(path);
}

static void before_its_chunk(void **state)
{
    killed_while_writing(0, SIGXFSZ);
}

static void after_its_chunk(void **state)
{
    killed_while_writing(1 << 20, SIGKILL);
}

/* Of a store whose flag is anything but what a collector sets, nothing is taken. */
static void damaged_flag(uint32_t flag)
{
    char path[] = "/tmp/memtrace-resume-XXXXXX";
    int fd = mkstemp(path), status;
    struct shared_words *words =
        mmap(NULL, sizeof(*words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct collector *collector;
        if (session_create(&collector, 10, 0) != 0) {
            _exit(1);
        }
        strcpy(words->directory, collector->shared.directory);
        session_output(collector, fd, path, "{}");
        session_adopt(collector, getpid(), "/bin/x", "x");
        collector->output = flag;
        raise(SIGKILL);
    }
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    pid = fork(); /* as `recover` does: a store that was refused stays mapped */
    if (pid == 0) {
        struct collector *collector;
        _exit(session_resume(&collector, words->directory));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EPROTO);
    struct shared left;
    assert_int_equal(shared_adopt(&left, words->directory), 0);
    shared_close(&left);
    shared_remove(&left);
    munmap(words, sizeof(*words));
    unlink(path);
}

static void no_output(void **state)
{
    damaged_flag(0);
}

static void neither_output_nor_none(void **state)
{
    damaged_flag(1);
    damaged_flag(SESSION_HAS_OUTPUT ^ 1u << 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_its_chunk),
        cmocka_unit_test(after_its_chunk),
        cmocka_unit_test(no_output),
        cmocka_unit_test(neither_output_nor_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
