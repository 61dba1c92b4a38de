// Functions that are inlined, by a compiler that is told to: a test knows the lines that say who
// calls whom.  Built with -O2 -g.
#include <cstdlib>
#include <new>

#define INLINED inline __attribute__((always_inline))
#define CALLED __attribute__((noinline))

static void *volatile kept;

namespace shop {

template <typename T> struct Shelf {
    INLINED void *reserve(std::size_t count)
    {
        return kept = std::malloc(count * sizeof(T)); // reserve
    }
};

INLINED static void *fill(Shelf<double> &shelf, std::size_t count)
{
    return shelf.reserve(count); // fill
}

CALLED void open(std::size_t count)
{
    Shelf<double> shelf;
    fill(shelf, count); // open
    kept = nullptr;
}

CALLED void *plain(std::size_t size)
{
    void *block = std::malloc(size); // plain
    kept = block;
    return block;
}

} // namespace shop

INLINED static void *between(std::size_t size)
{
    void *block = shop::plain(size); // between
    kept = block;
    return block;
}

CALLED void *outermost(std::size_t size)
{
    void *block = between(size); // outermost
    kept = block;
    return block;
}

int main()
{
    shop::open(12500);  // main1
    outermost(200000); // main2
    kept = nullptr;
    return 0;
}
