/*
 * Allocates under every kind of native stack and says for each block what the C
 * library's own unwinder finds there: "size kind address address ...", the
 * callers from the second on, each as its object's file counts addresses.
 *
 *     backtraces [SEED]    with a seed: calls functions at random for a while
 *
 * With frame pointers it is to be built with -DFRAME_POINTERS.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define CALLED __attribute__((noinline))
#define DEEP 512

static FILE *out; /* into `room`, not to allocate while it writes */
static char room[1 << 22];
static void *volatile kept;
static volatile int steps;
static size_t next_size = 100000;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static uintptr_t in_file(void *address)
{
    Dl_info info;
    struct link_map *map;
    if (!dladdr1((char *)address - 1, &info, (void **)&map, RTLD_DL_LINKMAP)) {
        return (uintptr_t)address;
    }
    return (uintptr_t)address - map->l_addr;
}

/* The one function that calls malloc. */
CALLED static void allocate(const char *kind)
{
    void *frames[DEEP];
    pthread_mutex_lock(&turn);
    int depth = backtrace(frames, DEEP);
    size_t size = next_size++;
    kept = malloc(size);
    fprintf(out, "%zu %s", size, kind);
    for (int i = 1; i < depth && depth < DEEP; i++) {
        fprintf(out, " %lx", (unsigned long)in_file(frames[i]));
    }
    fputc('\n', out);
    pthread_mutex_unlock(&turn);
    steps++;
}

/* ---- kinds of frames ---- */

CALLED static void plain(const char *kind, int depth);

CALLED static void large(const char *kind, int depth)
{
    volatile char local[5000];
    local[0] = 1;
    plain(kind, depth);
    steps += local[0];
}
CALLED static void varying(const char *kind, int depth)
{
    volatile char *local = __builtin_alloca((size_t)(rand() % 5) * 100 + 16);
    local[0] = 1;
    plain(kind, depth);
    steps += local[0];
}
CALLED static void aligned(const char *kind, int depth)
{
    volatile _Alignas(64) char local[64];
    local[0] = 1;
    plain(kind, depth);
    steps += local[0];
}
CALLED static void aligned_and_varying(const char *kind, int depth)
{
    volatile _Alignas(32) char local[32];
    volatile char *more = __builtin_alloca((size_t)(rand() % 3) * 64 + 16);
    local[0] = more[0] = 1;
    plain(kind, depth);
    steps += local[0] + more[0];
}
static const char *kind_of_sort;
static int depth_of_sort;
static int compare(const void *a, const void *b)
{
    if (kind_of_sort) {
        const char *kind = kind_of_sort;
        kind_of_sort = NULL;
        plain(kind, depth_of_sort);
        steps++;
    }
    return *(const int *)a - *(const int *)b;
}
CALLED static void sorting(const char *kind, int depth)
{
    int numbers[] = {2, 1};
    kind_of_sort = kind;
    depth_of_sort = depth;
    qsort(numbers, 2, sizeof(int), compare);
    steps++;
}

static void (*const functions[])(const char *, int) = {
    large, varying, aligned, aligned_and_varying, sorting, plain};
#define FUNCTIONS (sizeof(functions) / sizeof(*functions))

CALLED static void plain(const char *kind, int depth)
{
    if (depth <= 0) {
        allocate(kind);
    } else {
        functions[(unsigned)rand() % FUNCTIONS](kind, depth - 1);
    }
    if (depth > 0 && rand() % 4 == 0) { /* the same stack, from another call */
        functions[(unsigned)rand() % FUNCTIONS](kind, depth / 2);
    }
    steps++;
}

/* ---- where else ---- */

static void on_signal(int number)
{
    plain(number == SIGUSR1 ? "signal" : "alternate", 2);
    steps++;
}

static void signals(void)
{
    stack_t other = {
        .ss_sp = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        .ss_size = 1 << 16};
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    sigaltstack(&other, NULL);
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &action, NULL);
    for (int i = 0; i < 5; i++) {
        raise(SIGUSR1);
        raise(SIGUSR2);
        allocate("between");
    }
}

/* ---- between any two instructions ---- */

#define TRAP "$0x100" /* the processor's flag for single steps */
#define STEPS_MAX 6000

static volatile int n_stepped;

/* What the instruction that is next belongs to. */
static const char *kind_of(const uint8_t *code)
{
    Dl_info info;
    if ((uintptr_t)code - getauxval(AT_SYSINFO_EHDR) < 8192) {
        return "vdso";
    }
    if (dladdr(code, &info) && (uintptr_t)info.dli_fbase == getauxval(AT_BASE)) {
        return "binding";
    }
    code += code[0] == 0xf2; /* bnd */
    return code[0] == 0xff && code[1] == 0x25 ? "stub" : "stepped";
}

static void on_step(int number, siginfo_t *info, void *context)
{
    const ucontext_t *stopped = context;
    if (n_stepped++ < STEPS_MAX) {
        allocate(kind_of((const uint8_t *)stopped->uc_mcontext.gregs[REG_RIP]));
    }
    steps++;
}

CALLED static int leaf(int a, int b)
{
    return a * b + 1;
}
CALLED static int inner(int a)
{
    volatile int local[30] = {a};
    return leaf(local[0], 2) + local[1];
}

CALLED static int aligned_inner(int a)
{
    volatile _Alignas(64) char local[64];
    volatile char *more = __builtin_alloca((size_t)(a % 3) * 64 + 16);
    local[0] = more[0] = 1;
    return leaf(local[0], 2) + more[0];
}

/* Prologues, leaves, stubs of the linker, the loader binding one at its first call, and the
   kernel's own library, an instruction at a time. */
static void stepping(void)
{
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sigaction(SIGTRAP, &action, NULL);
    __asm__ volatile("subq $128, %%rsp; pushfq; orq " TRAP ", (%%rsp); popfq; addq $128, %%rsp" ::
                         : "memory", "cc");
    steps += inner(steps);
#ifndef FRAME_POINTERS
    /* GCC says the wrong thing of where its caller's is between the last instructions. */
    steps += aligned_inner(steps);
#endif
    steps += getppid();
    steps += getppid();
    clock_gettime(CLOCK_MONOTONIC, &now);
    __asm__ volatile("subq $128, %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; addq $128, %%rsp" ::
                         : "memory", "cc");
    steps++;
}

static void *thread(void *data)
{
    plain("thread", 5);
    steps++;
    return data;
}
static pthread_key_t key;
static void on_end(void *data)
{
    allocate("destructor");
    steps++;
}
static void *thread_with_end(void *data)
{
    pthread_setspecific(key, data);
    return thread(data);
}
static void threads(void)
{
    pthread_key_create(&key, on_end);
    for (int i = 0; i < 3; i++) {
        pthread_t threads[2];
        pthread_create(&threads[0], NULL, thread, NULL);
        pthread_create(&threads[1], NULL, thread_with_end, &key);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
    }
}

static ucontext_t here, there;
static void coroutine(void)
{
    for (int i = 0; i < 3; i++) {
        plain("coroutine", 4);
        swapcontext(&there, &here);
    }
}
static void coroutines(void)
{
    static char *stacks[2];
    for (int i = 0; i < 2; i++) {
        stacks[i] = mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        getcontext(&there);
        there.uc_stack.ss_sp = stacks[i];
        there.uc_stack.ss_size = 1 << 18;
        there.uc_link = &here;
        makecontext(&there, coroutine, 0);
        for (int turns = 0; turns < 3; turns++) {
            swapcontext(&here, &there);
            plain("outside", 2);
        }
        munmap(stacks[i], 1 << 18);
    }
}

static jmp_buf back;
CALLED static void jumping(int depth)
{
    volatile char local[300];
    local[0] = 1;
    if (depth) {
        jumping(depth - 1);
    } else {
        allocate("jump");
        longjmp(back, 1);
    }
    steps += local[0];
}
static void jumps(void)
{
    for (volatile int i = 0; i < 6; i++) {
        if (!setjmp(back)) {
            jumping(i % 3 * 2);
        }
        allocate("landed");
    }
}

__attribute__((constructor)) static void before_main(void)
{
    void *frames[1];
    backtrace(frames, 1); /* loads what it needs */
    out = fmemopen(room, sizeof(room), "w");
    allocate("constructor");
    steps++;
}
static void after_main(void)
{
    allocate("exit");
    steps++;
}
__attribute__((destructor)) static void at_the_very_end(void)
{
    allocate("fini");
    fflush(out);
    fputs(room, stdout);
    steps++;
}

int main(int argc, char **argv)
{
    atexit(after_main);
    srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
    for (int i = 0; i < (argc > 1 ? 300 : 20); i++) {
        plain("random", 1 + rand() % 12);
    }
    signals();
    stepping();
    threads();
    coroutines();
    jumps();
    return 0;
}
