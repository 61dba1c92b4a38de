/*
 * The collector's work without the program, and the program's without the
 * collector:
 *
 *     bench_tape record TAPE AGENT PROGRAM [ARGUMENT...]
 *     bench_tape replay TAPE [ROUNDS]
 *
 * `record` runs a program under the agent and copies its rings to a file; the
 * program's CPU time is what the hooks cost.  `replay` takes the events of that
 * file as the collector does, and says how long an event took.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collect/drain.h"
#include "collect/memory.h"
#include "collect/shared.h"

struct piece { /* words of one ring, in the order in which they were taken */
    uint64_t slot, count;
};

static double seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- record ---- */

struct copier {
    struct shared shared;
    struct mt_ring *rings[MT_SLOTS];
    FILE *tape;
    double start;
    uint64_t words;
};

static uint64_t copy_ring(struct copier *copier, uint32_t slot)
{
    struct mt_ring *ring = copier->rings[slot];
    uint64_t tail = atomic_load(&ring->tail);
    struct piece piece = {slot, atomic_load_explicit(&ring->head, memory_order_acquire) - tail};
    const uint64_t *data = (const uint64_t *)((const uint8_t *)ring + MT_RING_HEADER);
    if (!piece.count) {
        return 0;
    }
    fwrite(&piece, sizeof(piece), 1, copier->tape);
    fwrite(&data[tail & (ring->words - 1)], 8, piece.count, copier->tape);
    atomic_store(&ring->tail, tail + piece.count);
    if (atomic_exchange(&ring->waiting, 0)) {
        syscall(SYS_futex, &ring->waiting, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    }
    return piece.count;
}

static uint64_t copy_all(struct copier *copier)
{
    struct mt_control *control = copier->shared.control;
    uint32_t used = atomic_load(&control->rings_used);
    uint64_t words = 0;
    atomic_store(&control->clock_us, (uint64_t)((seconds(CLOCK_MONOTONIC) - copier->start) * 1e6));
    for (uint32_t slot = 0; slot < used && slot < MT_SLOTS; slot++) {
        uint64_t word = atomic_load(&control->slots[slot].word);
        if (!copier->rings[slot] && mt_slot_state(word) == MT_SLOT_READY) {
            uint64_t bytes;
            copier->rings[slot] = shared_map_ring(&copier->shared, slot, &bytes);
        }
        words += copier->rings[slot] ? copy_ring(copier, slot) : 0;
    }
    copier->words += words;
    return words;
}

static int record(const char *path, const char *agent, char **program)
{
    static struct copier copier;
    const char *sampling = getenv("BENCH_SAMPLE");
    uint64_t sample_bytes = sampling ? strtoull(sampling, NULL, 10) : 0;
    const struct timespec pause = {.tv_nsec = 200000};
    int status = 0;
    copier.tape = fopen(path, "w");
    if (!copier.tape || shared_create(&copier.shared, sample_bytes) != 0) {
        fail(path);
    }
    copier.start = seconds(CLOCK_MONOTONIC);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("LD_PRELOAD", agent, 1);
        setenv(MT_SESSION_ENV, copier.shared.directory, 1);
        execvp(program[0], program);
        fail(program[0]);
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (!copy_all(&copier)) {
            nanosleep(&pause, NULL);
        }
    }
    copy_all(&copier);
    shared_close(&copier.shared);
    shared_remove(&copier.shared);
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    printf("%.3f s, program %.3f s CPU, %.1f million words\n",
        seconds(CLOCK_MONOTONIC) - copier.start,
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
        (double)copier.words / 1e6);
    return fclose(copier.tape) != 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* ---- replay ---- */

struct player {
    struct accounts accounts;
    struct image image;
    struct counting counting;
    struct ring rings[MT_SLOTS];
    struct mt_ring shared[MT_SLOTS];
    uint32_t n_rings;
};
static struct player *player;

static void on_process(struct collector *collector, struct ring *ring, uint64_t w0, uint64_t w1)
{
    struct process_record record = {.pid = 1};
    player->image.process = definitions_process(&player->accounts.definitions, &record);
    accounts_process(&player->accounts, player->image.process, &player->image.account);
    player->image.announced = true;
    player->image.counting = &player->counting;
}

static uint32_t on_thread(struct collector *collector, struct ring *ring, int tid)
{
    return 1;
}

static void on_end(struct collector *collector, struct ring *ring)
{
}

static bool on_reached(struct collector *collector, uint32_t slot, uint64_t position)
{
    return player->rings[slot].tail >= position;
}

static bool on_has_gap(struct collector *collector, const struct image *image)
{
    return false;
}

static void on_mark(struct collector *collector, struct ring *ring, uint32_t name)
{
}

static void on_region_end(
    struct collector *collector, struct ring *ring, uint32_t number, uint32_t question)
{
}

static void on_question(struct collector *collector, struct ring *ring, uint32_t question)
{
}

static bool on_release(struct collector *collector, struct ring *ring, uint64_t address)
{
    return false;
}

static void on_thread_name(
    struct collector *collector, struct ring *ring, uint32_t name, enum mt_name kind)
{
}

static void on_python(struct collector *collector, struct ring *ring, int traced, uint32_t version)
{
}

static const struct drain_events events = {on_process, on_thread, on_thread_name, on_python, on_end, on_reached, on_has_gap,
    on_mark, on_region_end, on_region_end, on_question, on_question, on_question, on_release};

/* Room for all the words of each ring. */
static void make_rings(const uint64_t *tape, size_t words)
{
    for (size_t at = 0; at < words; at += 2 + tape[at + 1]) {
        player->rings[tape[at]].mask += tape[at + 1];
    }
    for (uint32_t slot = 0; slot < MT_SLOTS; slot++) {
        struct ring *ring = &player->rings[slot];
        uint64_t capacity = 64;
        if (!ring->mask) {
            continue;
        }
        while (capacity < ring->mask + 16) {
            capacity *= 2;
        }
        ring->words = calloc(capacity, 8);
        if (!ring->words) {
            fail("tape");
        }
        ring->mask = capacity - 1;
        ring->shared = &player->shared[slot];
        ring->image = &player->image;
        ring->thread = 1;
        player->n_rings = slot + 1;
    }
}

static void drain_all(void)
{
    uint64_t taken = 1;
    while (taken) {
        taken = 0;
        for (uint32_t slot = 0; slot < player->n_rings; slot++) {
            struct ring *ring = &player->rings[slot];
            if (ring->words) {
                taken += drain_ring(NULL, &player->accounts, ring, &events, 16384);
            }
        }
    }
}

/* The seconds that the drain took.  How much was copied at a time while the program ran depends on
   the machine: pieces of one ring that follow one another are drained as one, in steps of the same
   size each time. */
static double play(const uint64_t *tape, size_t words)
{
    double sum = 0;
    player = calloc(1, sizeof(*player));
    if (!player) {
        fail("tape");
    }
    accounts_init(&player->accounts);
    account_init(&player->image.account);
    make_rings(tape, words);
    for (size_t at = 0, next; at < words; at = next) {
        struct ring *ring = &player->rings[tape[at]];
        for (next = at; next < words && tape[next] == tape[at]; next += 2 + tape[next + 1]) {
            uint64_t head = ring->shared->head;
            memcpy(&ring->words[head], &tape[next + 2], tape[next + 1] * 8);
            ring->shared->head = head + tape[next + 1];
        }
        double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
        drain_all();
        sum += seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    }
    return sum;
}

static void forget(void)
{
    for (uint32_t slot = 0; slot < player->n_rings; slot++) {
        drain_free(&player->rings[slot]);
        free(player->rings[slot].words);
    }
    memory_free(player->image.account.changed);
    heapmap_free(&player->image.blocks);
    rangemap_free(&player->image.maps);
    accounts_free(&player->accounts);
    free(player);
}

static int replay(const char *path, int rounds)
{
    FILE *file = fopen(path, "r");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        fail(path);
    }
    size_t words = (size_t)ftell(file) / 8;
    uint64_t *tape = malloc(words * 8);
    rewind(file);
    if (!tape || fread(tape, 8, words, file) != words) {
        fail(path);
    }
    fclose(file);
    int error = memory_open_store(memfd_create("store", MFD_CLOEXEC)); /* as the collector has it */
    if (error) {
        errno = error;
        fail("store");
    }
    double best = 0;
    for (int round = 0; round < rounds; round++) {
        double time = play(tape, words);
        if (!round || time < best) {
            best = time;
        }
        if (round + 1 < rounds) {
            forget();
        }
    }
    printf("%.1f million events, %.1f ns each; %u sites, %" PRIu64 " blocks at the end, "
           "unknown frees %" PRIu64 "\n",
        (double)player->image.events / 1e6, best * 1e9 / (double)player->image.events,
        player->accounts.definitions.n_sites - 1, player->image.blocks.blocks,
        player->image.unknown_frees);
    forget();
    free(tape);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 4 && strcmp(argv[1], "record") == 0) {
        return record(argv[2], argv[3], argv + 4);
    }
    if (argc > 2 && strcmp(argv[1], "replay") == 0) {
        return replay(argv[2], argc > 3 ? atoi(argv[3]) : 1);
    }
    fprintf(stderr, "usage: bench_tape record TAPE AGENT PROGRAM [ARGUMENT...]\n"
                    "       bench_tape replay TAPE [ROUNDS]\n");
    return 2;
}
