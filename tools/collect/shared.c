/*
 * Making and removing a session's shared memory (shared.h).  In the collector.
 */
#include "collect/shared.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "collect/loans.h"
#include "collect/pidspace.h"

#define MAKING_SECONDS 60 /* a session is made in a millisecond */
#define RING_BYTES (4ull << 20)
#define SAMPLED_RING_BYTES (256ull << 10) /* of a few events a second, and their stacks */
#define MUCH (1ull << 30)                 /* of shared memory: rings will hardly fill it */
#define STORE_NAME "collector"

static bool make_directory(struct shared *shared, const char *parent)
{
    int length = snprintf(shared->directory, sizeof(shared->directory), "%s/memtrace-%d-XXXXXX",
        parent, (int)getuid());
    return length > 0 && (size_t)length < sizeof(shared->directory) &&
           mkdtemp(shared->directory) != NULL;
}

static void path_of(const struct shared *shared, char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", shared->directory, name);
}

static int make_control(struct shared *shared, uint64_t sample_bytes)
{
    char path[SHARED_PATH_MAX + 32];
    path_of(shared, path, sizeof(path), MT_CONTROL_NAME);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno;
    }
    int error = posix_fallocate(fd, 0, sizeof(struct mt_control));
    if (!error && ftruncate(fd, MT_CONTROL_BYTES) != 0) {
        errno = 0; /* a limit on the size of files: nothing will be lent */
    }
    void *memory = MAP_FAILED;
    if (!error) {
        memory = mmap(NULL, sizeof(struct mt_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        error = memory == MAP_FAILED ? errno : 0;
    }
    close(fd);
    if (error) {
        unlink(path);
        return error;
    }
    shared->control = memory;
    shared->control->magic = MT_CONTROL_MAGIC;
    shared->control->version = MT_RING_VERSION;
    shared->control->collector_pid = getpid();
    shared->control->pid_space = pidspace_own();
    shared->control->ring_bytes = sample_bytes ? SAMPLED_RING_BYTES : RING_BYTES;
    shared->control->sample_bytes = sample_bytes;
    shared->control->slots_count = MT_SLOTS;
    atomic_store(&shared->control->state, MT_STATE_RUNNING);
    return 0;
}

int shared_open_control(const struct shared *shared)
{
    char path[SHARED_PATH_MAX + 32];
    path_of(shared, path, sizeof(path), MT_CONTROL_NAME);
    return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

int shared_store(const struct shared *shared, bool create)
{
    char path[SHARED_PATH_MAX + 32];
    path_of(shared, path, sizeof(path), STORE_NAME);
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT | O_EXCL : 0);
    return open(path, flags, 0600);
}

static bool collector_lives(const struct mt_control *control)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof(path), "/proc/%d/comm", control->collector_pid);
    FILE *file = fopen(path, "re");
    bool is_ours = file && fgets(name, sizeof(name), file) && strncmp(name, "memtrace", 8) == 0;
    if (file) {
        fclose(file);
    }
    return is_ours;
}

/* The control file in a directory; NULL and errno. */
static struct mt_control *map_control(const char *directory)
{
    struct shared there = {0};
    char path[SHARED_PATH_MAX + 32];
    struct stat status;
    snprintf(there.directory, sizeof(there.directory), "%s", directory);
    path_of(&there, path, sizeof(path), MT_CONTROL_NAME);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return NULL;
    }
    void *memory = MAP_FAILED;
    if (fstat(fd, &status) == 0 && (size_t)status.st_size >= sizeof(struct mt_control)) {
        memory = mmap(NULL, sizeof(struct mt_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    close(fd);
    struct mt_control *control = memory == MAP_FAILED ? NULL : memory;
    if (control && (control->magic != MT_CONTROL_MAGIC || control->version != MT_RING_VERSION)) {
        shared_unmap_control(control);
        control = NULL;
    }
    if (!control) {
        errno = EPROTO;
    }
    return control;
}

void shared_unmap_control(struct mt_control *control)
{
    munmap(control, sizeof(*control));
}

struct mt_control *shared_map_living(const char *directory)
{
    struct mt_control *control = map_control(directory);
    if (control && !collector_lives(control)) {
        shared_unmap_control(control);
        control = NULL;
    }
    return control;
}

static bool is_own_directory(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

/* As the control file says, which anybody may have left. */
static void take_spare(struct shared *shared)
{
    const char *spare = shared->control->spare;
    if (strnlen(spare, MT_SPARE_MAX) < MT_SPARE_MAX && is_own_directory(spare)) {
        strcpy(shared->spare, spare);
    }
}

/* A collector that was killed while it made its session leaves a directory with nothing in it;
   another one may be making it now. */
static int remove_empty(const char *directory)
{
    const char *slash = strrchr(directory, '/'), *name = slash ? slash + 1 : directory;
    struct stat status;
    bool is_ours = strncmp(name, "memtrace-", strlen("memtrace-")) == 0;
    bool is_old = stat(directory, &status) == 0 && time(NULL) - status.st_mtime > MAKING_SECONDS;
    return is_ours && is_old && rmdir(directory) == 0 ? ENOENT : EPROTO;
}

int shared_adopt(struct shared *shared, const char *directory)
{
    *shared = (struct shared){0};
    if (access(directory, F_OK) == 0 && !is_own_directory(directory)) {
        return EPERM; /* what is in there would be believed */
    }
    snprintf(shared->directory, sizeof(shared->directory), "%s", directory);
    shared->control = map_control(directory);
    if (!shared->control) {
        return errno == ENOENT ? remove_empty(directory) : errno;
    }
    take_spare(shared);
    if (collector_lives(shared->control)) {
        shared_unmap_control(shared->control);
        return EBUSY;
    }
    return 0;
}

static void each_below(const char *parent, void (*each)(void *, const char *), void *context)
{
    char prefix[64], path[SHARED_PATH_MAX];
    struct dirent *entry;
    DIR *directory = opendir(parent);
    snprintf(prefix, sizeof(prefix), "memtrace-%d-", (int)getuid());
    while (directory && (entry = readdir(directory))) {
        int length = snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name);
        if (length > 0 && (size_t)length < sizeof(path) &&
            strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && is_own_directory(path)) {
            each(context, path);
        }
    }
    if (directory) {
        closedir(directory);
    }
}

void shared_each(void (*each)(void *context, const char *directory), void *context)
{
    const char *temporary = getenv("TMPDIR");
    each_below("/dev/shm", each, context);
    each_below(temporary && temporary[0] == '/' ? temporary : "/tmp", each, context);
}

static int create_in(struct shared *shared, const char *parent, uint64_t sample_bytes)
{
    if (!make_directory(shared, parent)) {
        return errno ? errno : ENAMETOOLONG;
    }
    int error = make_control(shared, sample_bytes);
    if (error) {
        rmdir(shared->directory);
    }
    return error;
}

static bool is_small(const char *directory)
{
    struct statvfs status;
    return statvfs(directory, &status) == 0 && status.f_blocks &&
           (uint64_t)status.f_bavail * status.f_frsize < MUCH;
}

/* Without it there are as many rings as there is room for. */
static void create_spare(struct shared *shared, const char *parent)
{
    int length =
        snprintf(shared->spare, MT_SPARE_MAX, "%s/memtrace-rings-%d-XXXXXX", parent, (int)getuid());
    if (length <= 0 || length >= (int)MT_SPARE_MAX || !mkdtemp(shared->spare)) {
        shared->spare[0] = 0;
    }
    strcpy(shared->control->spare, shared->spare);
}

int shared_create(struct shared *shared, uint64_t sample_bytes)
{
    const char *temporary = getenv("TMPDIR");
    temporary = temporary && temporary[0] == '/' ? temporary : "/tmp";
    *shared = (struct shared){0};
    int error = create_in(shared, "/dev/shm", sample_bytes);
    if (error) {
        error = create_in(shared, temporary, sample_bytes);
    } else if (is_small(shared->directory)) {
        create_spare(shared, temporary);
    }
    return error;
}

static size_t mapped_size(uint64_t bytes)
{
    return MT_RING_HEADER + 2 * bytes;
}

/* Data bytes of a ring's file; 0 if it is none. */
static uint64_t size_of(int fd)
{
    struct stat status;
    uint64_t bytes = fstat(fd, &status) == 0 && status.st_size > (off_t)MT_RING_HEADER
                         ? (uint64_t)status.st_size - MT_RING_HEADER
                         : 0;
    bool fits = bytes >= MT_RING_LEAST && bytes <= RING_BYTES && (bytes & (bytes - 1)) == 0;
    return fits ? bytes : 0;
}

struct mt_ring *shared_map_twice(int fd, uint64_t at, uint64_t bytes)
{
    uint8_t *start = mmap(
        NULL, mapped_size(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        return NULL;
    }
    if (mmap(start, MT_RING_HEADER + bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
            (off_t)at) == MAP_FAILED ||
        mmap(start + MT_RING_HEADER + bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
            fd, (off_t)at + MT_RING_HEADER) == MAP_FAILED) {
        munmap(start, mapped_size(bytes));
        return NULL;
    }
    return (struct mt_ring *)start;
}

void shared_work(const struct shared *shared)
{
    _Atomic uint64_t *work = &shared->control->work; /* nobody else writes it */
    atomic_store_explicit(
        work, atomic_load_explicit(work, memory_order_relaxed) + 1, memory_order_relaxed);
}

static void ring_path(const char *directory, uint32_t number, char *path, size_t size)
{
    snprintf(path, size, "%s/%s%u", directory, MT_RING_NAME, number);
}

static struct mt_ring *map_ring_of(const char *directory, uint32_t number, uint64_t *bytes)
{
    char path[SHARED_PATH_MAX + 32];
    ring_path(directory, number, path, sizeof(path));
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return NULL;
    }
    *bytes = size_of(fd);
    struct mt_ring *ring = *bytes ? shared_map_twice(fd, 0, *bytes) : NULL;
    close(fd);
    return ring;
}

static struct mt_ring *map_ring(const struct shared *shared, uint32_t number, uint64_t *bytes)
{
    struct mt_ring *ring = map_ring_of(shared->directory, number, bytes);
    ring = ring || !shared->spare[0] ? ring : map_ring_of(shared->spare, number, bytes);
    return ring ? ring : loans_map(shared, number, bytes);
}

struct mt_ring *shared_map_ring(const struct shared *shared, uint32_t number, uint64_t *bytes)
{
    struct mt_ring *ring = map_ring(shared, number, bytes);
    if (ring && (ring->magic != MT_RING_MAGIC || ring->version != MT_RING_VERSION ||
                    ring->words != *bytes / 8)) {
        shared_unmap_ring(ring, *bytes);
        ring = NULL;
    }
    return ring;
}

void shared_unmap_ring(struct mt_ring *ring, uint64_t bytes)
{
    munmap(ring, mapped_size(bytes));
}

static void remove_file(const struct shared *shared, uint32_t number)
{
    char path[SHARED_PATH_MAX + 32];
    ring_path(shared->directory, number, path, sizeof(path));
    unlink(path);
    if (shared->spare[0]) {
        ring_path(shared->spare, number, path, sizeof(path));
        unlink(path);
    }
}

void shared_remove_ring(const struct shared *shared, uint32_t number)
{
    struct mt_slot *slot = mt_slot_of(shared->control, number);
    uint64_t word = atomic_load(&slot->word);
    remove_file(shared, number);
    loans_take_back(shared, number);
    if (mt_slot_number(word) == number) {
        atomic_store(&slot->word, mt_slot_word(MT_SLOT_VOID, 0, number));
        atomic_fetch_add(&shared->control->rings_gone, 1);
    }
}

void shared_close(struct shared *shared)
{
    char path[SHARED_PATH_MAX + 32];
    atomic_store(&shared->control->state, MT_STATE_CLOSED);
    shared->was_joined = atomic_load(&shared->control->images_used) > 0;
    shared->programs_left = atomic_load(&shared->control->programs_left);
    for (size_t why = 0; why < MT_OFF_REASONS; why++) {
        shared->processes_off[why] = atomic_load(&shared->control->processes_off[why]);
    }
    for (uint32_t slot = 0; slot < MT_SLOTS; slot++) {
        uint64_t word = atomic_load(&shared->control->slots[slot].word);
        if (mt_slot_state(word) == MT_SLOT_CLAIMED || mt_slot_state(word) == MT_SLOT_READY) {
            remove_file(shared, mt_slot_number(word));
        }
    }
    path_of(shared, path, sizeof(path), MT_CONTROL_NAME);
    unlink(path);
    path_of(shared, path, sizeof(path), "agent.so");
    unlink(path);
    munmap(shared->control, sizeof(*shared->control));
    shared->control = NULL;
}

void shared_remove(const struct shared *shared)
{
    char path[SHARED_PATH_MAX + 32];
    path_of(shared, path, sizeof(path), STORE_NAME);
    unlink(path);
    rmdir(shared->directory);
    if (shared->spare[0]) {
        rmdir(shared->spare);
    }
}
