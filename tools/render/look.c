/*
 * Looks at terminals (look.h).  Runs in the tools.
 */
#include "render/look.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "render/output.h"

struct look look_of(FILE *file)
{
    struct look look = {.utf8 = output_utf8()};
    struct winsize window;
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (!isatty(fileno(file)))
        return look;
    look.colours = !(no_colour && *no_colour) && !(terminal && strcmp(terminal, "dumb") == 0);
    if (ioctl(fileno(file), TIOCGWINSZ, &window) == 0)
        look.width = window.ws_col;
    return look;
}

const char *look_paint(const struct look *look, enum paint paint)
{
    static const char *const escapes[] = {
        "", "\x1b[2m", "\x1b[1m", "\x1b[33m", "\x1b[31m", "\x1b[32m"};
    return look->colours ? escapes[paint] : "";
}

const char *look_end(const struct look *look, enum paint paint)
{
    return look->colours && paint != PAINT_NONE ? "\x1b[0m" : "";
}

enum paint look_heat(double share)
{
    return share >= 0.25 ? PAINT_HOT : share >= 0.05 ? PAINT_WARM : PAINT_NONE;
}
