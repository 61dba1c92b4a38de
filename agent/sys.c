/*
 * Raw system calls for the agent (sys.h).  In the host, inside malloc, perhaps
 * under the loader's lock: nothing here calls libc or changes errno.
 */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#if defined(__x86_64__)
static long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
#error "memtrace knows the system calls of x86-64 and aarch64 only"
#endif

long sys_open(const char *path, int flags, int mode)
{
    return call6(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, mode, 0, 0);
}

long sys_read(int fd, void *buffer, size_t size)
{
    return call6(SYS_read, fd, (long)buffer, (long)size, 0, 0, 0);
}

long sys_read_at(int fd, void *buffer, size_t size, size_t offset)
{
    return call6(SYS_pread64, fd, (long)buffer, (long)size, (long)offset, 0, 0);
}

bool sys_status(const char *path, struct stat *status)
{
    return call6(SYS_newfstatat, AT_FDCWD, (long)path, (long)status, 0, 0, 0) == 0;
}

bool sys_may(const char *path, int how)
{
    return call6(SYS_faccessat, AT_FDCWD, (long)path, how, 0, 0, 0) == 0;
}

bool sys_is_forbidden(const char *path)
{
    return call6(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0, 0, 0) == -EACCES;
}

int sys_effective_user(void)
{
    return (int)call6(SYS_geteuid, 0, 0, 0, 0, 0, 0);
}

long sys_write(int fd, const void *bytes, size_t size)
{
    return call6(SYS_write, fd, (long)bytes, (long)size, 0, 0, 0);
}

long sys_readlink(const char *path, char *buffer, size_t size)
{
    return call6(SYS_readlinkat, AT_FDCWD, (long)path, (long)buffer, (long)size, 0, 0);
}

long sys_current_directory(char *buffer, size_t size)
{
    return call6(SYS_getcwd, (long)buffer, (long)size, 0, 0, 0, 0);
}

long sys_exec_at(
    int directory, const char *path, char *const argv[], char *const variables[], int flags)
{
    return call6(SYS_execveat, directory, (long)path, (long)argv, (long)variables, flags, 0);
}

long sys_close(int fd)
{
    return call6(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* Beyond the limit on the size of files the kernel would not only refuse but send SIGXFSZ. */
static bool exceeds_file_limit(size_t size)
{
    struct rlimit limit = {0};
    return call6(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit, 0, 0) == 0
        && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur;
}

bool sys_has_few_addresses(void)
{
    struct rlimit limit = {0};
    return call6(SYS_prlimit64, 0, RLIMIT_AS, 0, (long)&limit, 0, 0) == 0 &&
           limit.rlim_cur != RLIM_INFINITY;
}

long sys_allocate_file(int fd, size_t size)
{
    if (exceeds_file_limit(size)) {
        return -EFBIG;
    }
    return call6(SYS_fallocate, fd, 0, 0, (long)size, 0, 0);
}

uint64_t sys_free_space(int fd)
{
    struct statfs status = {0};
    if (call6(SYS_fstatfs, fd, (long)&status, 0, 0, 0, 0) != 0 || !status.f_blocks) {
        return UINT64_MAX; /* a file system without a size */
    }
    return (uint64_t)status.f_bavail * (uint64_t)status.f_bsize;
}

bool sys_file_is_ours(int fd, size_t size)
{
    struct stat status = {0};
    return call6(SYS_fstat, fd, (long)&status, 0, 0, 0, 0) == 0 && S_ISREG(status.st_mode)
        && status.st_uid == (uid_t)sys_effective_user()
        && (size_t)status.st_size >= size;
}

static void *map(void *address, size_t size, int protection, int flags, int fd, size_t offset)
{
    long result =
        call6(SYS_mmap, (long)address, (long)size, protection, flags, fd, (long)offset);
    return result < 0 && result > -4096 ? NULL : (void *)result;
}

void *sys_map(void *address, size_t size, int flags, int fd, size_t offset)
{
    return map(address, size, PROT_READ | PROT_WRITE, flags, fd, offset);
}

void *sys_map_private(size_t size)
{
    return sys_map(NULL, size, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void *sys_reserve(size_t size)
{
    return map(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

void *sys_grow_private(void *memory, size_t old_size, size_t new_size)
{
    long result = call6(
        SYS_mremap, (long)memory, (long)old_size, (long)new_size, MREMAP_MAYMOVE, 0, 0);
    return result < 0 && result > -4096 ? NULL : (void *)result;
}

/* To move nothing of what is shared is to have it twice. */
bool sys_map_again(void *address, void *shared, size_t size)
{
    long result = call6(
        SYS_mremap, (long)shared, 0, (long)size, MREMAP_MAYMOVE | MREMAP_FIXED, (long)address, 0);
    return result == (long)address;
}

void sys_unmap(void *memory, size_t size)
{
    call6(SYS_munmap, (long)memory, (long)size, 0, 0, 0, 0);
}

bool sys_protect(void *memory, size_t size, int protection)
{
    return call6(SYS_mprotect, (long)memory, (long)size, protection, 0, 0, 0) == 0;
}

bool sys_wipe_on_fork(void *memory, size_t size)
{
    return call6(SYS_madvise, (long)memory, (long)size, MADV_WIPEONFORK, 0, 0, 0) == 0;
}

/* A mask of signals is read before the kernel looks at what shall be done with it, which is
   nothing that it knows. */
bool sys_is_readable(uintptr_t page)
{
    return call6(SYS_rt_sigprocmask, ~0l, (long)page, 0, sizeof(uint64_t), 0, 0) != -EFAULT;
}

uint64_t sys_clock_ms(void)
{
    struct timespec now = {0};
    call6(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0, 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool sys_random(void *out, size_t size)
{
    const long at_once = 1; /* GRND_NONBLOCK */
    return call6(SYS_getrandom, (long)out, (long)size, at_once, 0, 0, 0) == (long)size;
}

int sys_pid(void)
{
    return (int)call6(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

uint64_t sys_block_signals(void)
{
    uint64_t all = ~0ull, before = 0;
    call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, sizeof(all), 0, 0);
    return before;
}

void sys_restore_signals(uint64_t blocked)
{
    call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&blocked, 0, sizeof(blocked), 0, 0);
}

int sys_parent_pid(void)
{
    return (int)call6(SYS_getppid, 0, 0, 0, 0, 0, 0);
}

int sys_tid(void)
{
    return (int)call6(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

void sys_thread_name(char name[16])
{
    call6(SYS_prctl, PR_GET_NAME, (long)name, 0, 0, 0, 0);
}

void sys_wait(_Atomic uint32_t *word, uint32_t value, unsigned timeout_ms)
{
    struct timespec limit = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    call6(SYS_futex, (long)word, FUTEX_WAIT, value, (long)&limit, 0, 0);
}

size_t sys_decimal(char *out, uint64_t value)
{
    char digits[20];
    size_t n = 0, length;
    do {
        digits[n++] = (char)('0' + value % 10);
    } while ((value /= 10));
    for (length = 0; n; length++) {
        out[length] = digits[--n];
    }
    out[length] = 0;
    return length;
}

/* Where there is no /proc, or not the whole of it: also a zombie. */
static bool may_be_signalled(int pid)
{
    return call6(SYS_kill, pid, 0, 0, 0, 0, 0) != -ESRCH;
}

/* The state letter of /proc/PID/stat: after the last ')' of the first line. */
bool sys_process_lives(int pid)
{
    char path[40] = "/proc/", text[512];
    size_t end = 6 + sys_decimal(path + 6, (uint64_t)pid);
    const char stat[] = "/stat";
    for (size_t i = 0; i < sizeof(stat); i++) {
        path[end + i] = stat[i];
    }
    long fd = sys_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return may_be_signalled(pid);
    }
    long size = sys_read((int)fd, text, sizeof(text));
    sys_close((int)fd);
    while (size > 0 && text[size - 1] != ')') {
        size--;
    }
    return size <= 0 || (text[size + 1] != 'Z' && text[size + 1] != 'X');
}

void sys_complain(const char *part, ...)
{
    char line[512] = "memtrace: ";
    size_t length = 10;
    va_list parts;
    va_start(parts, part);
    for (const char *p = part; p; p = va_arg(parts, const char *)) {
        while (*p && length < sizeof(line) - 1) {
            line[length++] = *p++;
        }
    }
    va_end(parts);
    line[length++] = '\n';
    sys_write(2, line, length);
}
