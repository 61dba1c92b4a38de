/* Prints its environment. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    for (char **entry = environ; *entry; entry++) {
        puts(*entry);
    }
    return 0;
}
