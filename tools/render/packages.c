/*
 * Names of packages (packages.h).  Runs in the tools.
 */
#include "render/packages.h"

#include <string.h>

#include "render/escape.h"
#include "render/output.h"
#include "trace/callers.h"

/* The first part of the name below a library's directory, else the file itself. */
static size_t package_of(const char *name, const char **package)
{
    *package = callers_library_part(name);
    if (*package != name)
        return strcspn(*package, "/");
    const char *slash = strrchr(name, '/');
    *package = slash ? slash + 1 : name;
    return strlen(*package);
}

void packages_add(struct packages *packages, const char *file)
{
    const char *package;
    size_t size = package_of(file, &package), i = 0;
    packages->frames++;
    while (i < packages->named &&
           (packages->sizes[i] != size || memcmp(packages->names[i], package, size) != 0))
        i++;
    if (i < packages->named)
        return;
    if (i == PACKAGES_NAMED) {
        packages->more = true;
        return;
    }
    packages->names[i] = package;
    packages->sizes[i] = size;
    packages->named++;
}

void packages_print(FILE *file, const struct packages *packages)
{
    fprintf(file, "%s %zu frame%s in ", output_utf8() ? "\xe2\x80\xa6" : "...", packages->frames,
        packages->frames == 1 ? "" : "s");
    for (size_t i = 0; i < packages->named; i++) {
        fputs(i ? ", " : "", file);
        print_escaped(file, packages->names[i], packages->sizes[i]);
    }
    if (packages->more)
        fputs(", and more", file);
}
