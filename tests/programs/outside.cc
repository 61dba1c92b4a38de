/*
 * Allocations before main and after it, and at the ends of threads, each from a function of its
 * own, and what that asks for, on stdout: "function bytes blocks".
 */
#include <cstdio>
#include <cstdlib>
#include <new>
#include <pthread.h>

#define CALLED __attribute__((noinline)) static

static void *volatile kept[32];
static int n_kept;

CALLED void by_constructor()
{
    kept[n_kept++] = malloc(20001);
}
CALLED void by_static()
{
    kept[n_kept++] = new char[20002];
}
CALLED void by_thread_local()
{
    kept[n_kept++] = operator new(20032, std::align_val_t(64));
}
CALLED void by_key()
{
    kept[n_kept++] = calloc(4, 5001);
}
CALLED void by_exit()
{
    kept[n_kept++] = realloc(malloc(5), 20005);
}
CALLED void by_destructor()
{
    void *block;
    kept[n_kept++] = posix_memalign(&block, 256, 20006) ? nullptr : block;
}
CALLED void by_static_end()
{
    kept[n_kept++] = new (std::nothrow) char[20007];
}

__attribute__((constructor)) static void construct()
{
    by_constructor();
    n_kept++; /* no call is the last thing that a function does */
}
__attribute__((destructor)) static void destroy()
{
    by_destructor();
    n_kept++;
}
struct Static {
    Static()
    {
        by_static();
        n_kept++;
    }
    ~Static()
    {
        by_static_end();
        n_kept++;
    }
};
struct Local {
    int used = 0;
    ~Local()
    {
        by_thread_local();
        n_kept++;
    }
};
static Static object;
static thread_local Local local;
static pthread_key_t key;

static void on_end(void *)
{
    by_key();
    n_kept++;
}
static void on_exit()
{
    by_exit();
    n_kept++;
}
static void *run(void *)
{
    local.used++;
    pthread_setspecific(key, &key);
    return nullptr;
}

int main()
{
    pthread_t thread;
    setvbuf(stdout, nullptr, _IONBF, 0);
    local.used++;
    atexit(on_exit);
    if (pthread_key_create(&key, on_end) || pthread_create(&thread, nullptr, run, nullptr)) {
        return 1;
    }
    pthread_join(thread, nullptr);
    puts("by_constructor 20001 1\nby_static 20002 1\nby_thread_local 40064 2\nby_key 20004 1\n"
         "by_exit 20010 2\nby_destructor 20006 1\nby_static_end 20007 1");
    return 0;
}
