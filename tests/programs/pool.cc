/*
 * Threads of C++ that Python knows nothing of: each allocates a block of its own size, keeps it and
 * has another one for a moment.
 */
#include <cstdlib>
#include <thread>
#include <vector>

#define CALLED __attribute__((noinline))

static void *volatile kept;

CALLED static void work(std::size_t size)
{
    kept = std::malloc(size);
    std::vector<char> temporary(size + 100000);
    temporary[0] = 1;
    kept = temporary.data();
}

extern "C" void run_pool(std::size_t threads, std::size_t size)
{
    std::vector<std::thread> pool;
    for (std::size_t i = 0; i < threads; i++) {
        pool.emplace_back(work, size + i);
    }
    for (auto &thread : pool) {
        thread.join();
    }
}
