// Allocates through the C++ runtime.  Every block is kept; the sizes are not used elsewhere.
#include <cstdio>
#include <new>
#include <string>

struct alignas(128) Aligned {
    char bytes[256];
};

#define CALLED extern "C" __attribute__((noinline))

CALLED void *by_new()
{
    return ::operator new(70001);
}
CALLED void *by_new_array()
{
    return new char[70002];
}
CALLED void *by_nothrow()
{
    return new (std::nothrow) char[70003];
}
CALLED void *by_aligned_new()
{
    return new Aligned[300];
}
CALLED void *by_string()
{
    auto text = new std::string;
    text->reserve(70004);
    return text;
}

int main()
{
    void *blocks[] = {by_new(), by_new_array(), by_nothrow(), by_aligned_new(), by_string()};
    for (void *block : blocks)
        std::printf("%d", block != nullptr);
    return 0;
}
