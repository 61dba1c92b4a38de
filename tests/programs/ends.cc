// A library whose threads leave memory behind when they end: a destructor of thread-local storage
// of each kind, and one function at the end of the program.
#include <cstdlib>
#include <pthread.h>
#include <string>

static pthread_key_t key;
static void *volatile kept[10000];
static int n_kept;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void keep(size_t size)
{
    void *block = malloc(size);
    free(malloc(size / 2));
    pthread_mutex_lock(&lock);
    kept[n_kept++] = block;
    pthread_mutex_unlock(&lock);
}

struct Last {
    std::string text;
    ~Last()
    {
        keep(10000);
        text += std::string(5000, 'x');
    }
};
static thread_local Last last;

static void on_end(void *round)
{
    keep(1000);
    if ((size_t)round < 3) // once more in each further round
        pthread_setspecific(key, (void *)((size_t)round + 1));
}

static void at_exit()
{
    for (int n = 0; n < 100; n++)
        keep(777);
}

extern "C" void set_up()
{
    pthread_key_create(&key, on_end);
    atexit(at_exit);
}

extern "C" void use()
{
    last.text = "used";
    pthread_setspecific(key, (void *)1);
}
