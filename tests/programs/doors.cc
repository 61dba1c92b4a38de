/*
 * Every way from C++ to the allocator, each from a function of its own, and what
 * that asks for, on stdout: "function bytes blocks".
 */
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <vector>

#define CALLED __attribute__((noinline)) static

static void *volatile kept;
struct alignas(256) wide {
    char bytes[512];
};

CALLED void by_new()
{
    kept = new char[30001];
}
CALLED void by_new_object()
{
    kept = new wide;
}
CALLED void by_aligned_array()
{
    kept = new wide[7];
}
CALLED void by_nothrow()
{
    kept = new (std::nothrow) char[30003];
}
CALLED void by_reserve()
{
    auto *numbers = new (kept) std::vector<char>;
    numbers->reserve(30004);
    kept = numbers->data();
}
CALLED void by_string()
{
    static std::string text;
    text.reserve(30004); /* and its terminator */
    kept = &text[0];
}
CALLED void by_shared()
{
    struct block {
        char bytes[30016 - 16]; /* beside its counts */
    };
    static std::shared_ptr<block> shared = std::make_shared<block>();
    kept = shared.get();
}
CALLED void by_resource()
{
    kept = std::pmr::new_delete_resource()->allocate(30032);
}
CALLED void by_aligned_resource()
{
    kept = std::pmr::new_delete_resource()->allocate(31 * 1024, 1024);
}
template <typename Type> CALLED void by_template(Type)
{
    kept = std::malloc(30008 + sizeof(Type));
}

int main()
{
    static char room[64];
    by_new();
    by_new_object();
    by_aligned_array();
    by_nothrow();
    kept = room;
    by_reserve();
    by_string();
    by_shared();
    by_resource();
    by_aligned_resource();
    by_template(1);
    by_template('x');
    std::printf("by_new 30001 1\nby_new_object 512 1\nby_aligned_array 3584 1\nby_nothrow 30003 1\n"
                "by_reserve 30004 1\nby_string 30005 1\nby_shared 30016 1\nby_resource 30032 1\n"
                "by_aligned_resource 31744 1\nby_template<int> 30012 1\nby_template<char> 30009 1\n");
}
