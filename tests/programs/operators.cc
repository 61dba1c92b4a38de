/*
 * Blocks through every operator new and delete, and jemalloc's own functions where
 * there are any; also from a library that is loaded late.  Prints how many bytes
 * and blocks it kept between the marks "before" and "after", and how often what it
 * was given was not what it had asked for.
 *
 *     doors LIBRARY LETTERS
 *
 * f: fails too, with a handler; r: the C++ library rounds aligned blocks up.
 *
 * -DLATE: that library.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <new>
#include <string>
#include <unistd.h>
#include <vector>

#ifdef LATE
extern "C" void *late_new(std::size_t size)
{
    return operator new(size);
}
extern "C" void late_delete(void *block)
{
    operator delete(block);
}
#else
#include "memtrace/memtrace.h"

extern "C" {
void *mallocx(std::size_t, int) __attribute__((weak));
void *rallocx(void *, std::size_t, int) __attribute__((weak));
std::size_t xallocx(void *, std::size_t, std::size_t, int) __attribute__((weak));
void dallocx(void *, int) __attribute__((weak));
void sdallocx(void *, std::size_t, int) __attribute__((weak));
}

static std::size_t kept_bytes;
static unsigned kept_blocks, wrong;
static bool rounds;

static void keep(void *block, std::size_t size, std::size_t alignment = 8)
{
    if (!block || reinterpret_cast<std::uintptr_t>(block) % alignment) {
        wrong++;
        return;
    }
    std::memset(block, 1, size);
    kept_bytes += alignment == 128 && rounds ? (size + 127) / 128 * 128 : size;
    kept_blocks++;
}

static const std::align_val_t wide{128};

static void plain(std::size_t n)
{
    keep(operator new(n * 3), n * 3);
    keep(operator new[](n * 5), n * 5);
    keep(operator new(n * 7, std::nothrow), n * 7);
    keep(operator new[](n * 11, std::nothrow), n * 11);
    operator delete(operator new(n * 1000));
    operator delete[](operator new[](n * 1000));
    operator delete(operator new(n), n);
    operator delete[](operator new[](n), n);
    operator delete(operator new(n, std::nothrow), std::nothrow);
    operator delete[](operator new[](n, std::nothrow), std::nothrow);
    operator delete(nullptr);
    std::free(operator new(n));
}

static void aligned(std::size_t n)
{
    keep(operator new(n * 13, wide), n * 13, 128);
    keep(operator new[](n * 17, wide), n * 17, 128);
    keep(operator new(n * 19, wide, std::nothrow), n * 19, 128);
    keep(operator new[](n * 23, wide, std::nothrow), n * 23, 128);
    operator delete(operator new(n, wide), wide);
    operator delete[](operator new[](n, wide), wide);
    operator delete(operator new(n, wide), n, wide);
    operator delete[](operator new[](n, wide), n, wide);
    operator delete(operator new(n, wide, std::nothrow), wide, std::nothrow);
    operator delete[](operator new[](n, wide, std::nothrow), wide, std::nothrow);
}

static void of_jemalloc(std::size_t n)
{
    if (!mallocx) {
        return;
    }
    keep(mallocx(n * 29, 0), n * 29);
    keep(rallocx(mallocx(n, 0), n * 31, 0), n * 31);
    dallocx(mallocx(n, 0), 0);
    sdallocx(mallocx(n, 0), n, 0);
    void *block = mallocx(n * 40, 0);
    if (xallocx(block, n * 37, 0, 0) >= n * 37) { /* smaller, in the same place */
        keep(block, n * 37);
    }
}

static unsigned handled;

static void give_up()
{
    if (++handled % 3 == 0) {
        throw std::bad_alloc();
    }
}

/* Too large: the handler runs, and gives up at last. */
static void failing()
{
    volatile std::size_t huge = SIZE_MAX / 4;
    unsigned failed = 0;
    std::set_new_handler(give_up);
    for (int i = 0; i < 10; i++) {
        try {
            wrong += operator new(huge) != nullptr;
        } catch (const std::bad_alloc &) {
            failed++;
        }
    }
    wrong += handled != 30 || failed != 10;
    std::set_new_handler(nullptr);
    wrong += operator new(huge, std::nothrow) != nullptr;
    try {
        wrong += operator new[](huge, wide) != nullptr;
    } catch (const std::bad_alloc &) {
        handled = 0;
    }
    wrong += handled != 0;
}

static void of_the_library(std::size_t n)
{
    std::vector<std::string> names(n, std::string(100, 'x'));
    names.clear();
    auto *text = new std::string(n + 100, 'y'); /* the string, and what it holds */
    kept_bytes += sizeof(*text) + text->capacity() + 1;
    kept_blocks += 2;
}

static void late(const char *path, std::size_t n)
{
    static void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    auto make = reinterpret_cast<void *(*)(std::size_t)>(dlsym(library, "late_new"));
    auto drop = reinterpret_cast<void (*)(void *)>(dlsym(library, "late_delete"));
    keep(make(n * 41), n * 41);
    drop(make(n));
    drop(operator new(n));
}

int main(int argc, char **argv)
{
    char line[100];
    late(argv[1], 1); /* the loader's own blocks are not between the marks */
    kept_bytes = kept_blocks = 0;
    memtrace_mark("before");
    if (std::strchr(argv[2], 'f')) {
        failing();
    }
    rounds = std::strchr(argv[2], 'r') != nullptr;
    for (std::size_t n = 1; n <= 100; n++) {
        plain(n);
        aligned(n);
        of_jemalloc(n);
        of_the_library(n);
        late(argv[1], n);
    }
    memtrace_mark("after");
    int length = std::snprintf(line, sizeof(line), "%zu %u %u\n", kept_bytes, kept_blocks, wrong);
    return write(1, line, static_cast<std::size_t>(length)) == length ? 5 : 6;
}
#endif
