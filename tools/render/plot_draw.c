/*
 * Scripts, gnuplot and files of plots (plot_draw.h).  Runs in reports.
 */
#include "render/plot_draw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "render/glyphs.h"
#include "render/gnuplot.h"
#include "render/output.h"
#include "render/save.h"

const char *const plot_kind_names[PLOT_KINDS] = {[KIND_PNG] = "png",
    [KIND_SVG] = "svg",
    [KIND_PDF] = "pdf",
    [KIND_TEXT] = "text",
    [KIND_CSV] = "csv",
    [KIND_JSON] = "json",
    [KIND_GNUPLOT] = "gnuplot"};

static int positive(const char *name)
{
    const char *value = getenv(name);
    int number = value ? atoi(value) : 0;
    return number > 0 ? number : 0;
}

static struct plot_terminal find_terminal(const struct plot_drawing *drawing)
{
    struct winsize window = {0};
    bool tty = !drawing->output && isatty(STDOUT_FILENO);
    const char *no_color = getenv("NO_COLOR");
    struct plot_terminal terminal = {100, 30, output_utf8(), tty && !(no_color && *no_color)};
    if (tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col) {
        terminal.columns = window.ws_col;
        terminal.rows = window.ws_row > 2 ? window.ws_row - 2 : terminal.rows;
        if (terminal.rows > 40)
            terminal.rows = 40;
    } else if (positive("COLUMNS"))
        terminal.columns = positive("COLUMNS");
    if (drawing->width) {
        terminal.columns = drawing->width;
        terminal.rows = drawing->height;
    }
    terminal.columns = terminal.columns < 40 ? 40 : terminal.columns > 500 ? 500 : terminal.columns;
    terminal.rows = terminal.rows < 12 ? 12 : terminal.rows > 200 ? 200 : terminal.rows;
    return terminal;
}

static bool write_image(FILE *script, const struct plot_drawing *drawing, const char **looked)
{
    static const enum plot_format formats[PLOT_KINDS] = {
        [KIND_SVG] = PLOT_SVG, [KIND_PDF] = PLOT_PDF, [KIND_GNUPLOT] = PLOT_PNG};
    enum plot_format format = formats[drawing->kind];
    int width = drawing->width ? drawing->width : 1200;
    int height = drawing->width ? drawing->height : 700;
    if (drawing->n > 1)
        plot_overlay_script(
            script, drawing->plots, drawing->n, drawing->title, format, width, height);
    else
        plot_image_script(script, drawing->plots, format, width, height);
    return gnuplot_template(script, "style.gp", looked) &&
           gnuplot_template(script, drawing->n > 1 ? "overlay.gp" : "timeline.gp", looked);
}

/* The whole script in memory, NULL after a message. */
static char *make_script(const struct plot_drawing *drawing, size_t *size)
{
    char *text = NULL;
    const char *looked = "";
    FILE *script = open_memstream(&text, size);
    bool good = script != NULL;
    if (good && drawing->kind == KIND_TEXT) {
        struct plot_terminal terminal = find_terminal(drawing);
        plot_terminal_script(script, drawing->plots, &terminal);
        good = gnuplot_template(script, "terminal.gp", &looked);
    } else if (good)
        good = write_image(script, drawing, &looked);
    if (!good)
        message("%s: cannot be read: %s", looked, strerror(errno));
    if (script)
        fclose(script);
    if (good && (drawing->kind == KIND_PNG || drawing->kind == KIND_PDF))
        *size = glyphs_replace(text, *size);
    if (!good)
        free(text);
    return good ? text : NULL;
}

static bool run_gnuplot(const char *script, size_t size, struct gnuplot_result *result)
{
    switch (gnuplot_run(script, size, result)) {
    case GNUPLOT_OK:
        return true;
    case GNUPLOT_MISSING:
        message("gnuplot is not installed: apt-get install gnuplot-nox (or use --format csv)");
        return false;
    case GNUPLOT_FAILED:
        message("gnuplot failed:\n%s", result->errors ? result->errors : "");
        return false;
    default:
        message("gnuplot cannot be started: %s", strerror(errno));
        return false;
    }
}

/* Writes lines without the form feed and the blanks that gnuplot puts around them. */
static void write_text(FILE *out, const char *text)
{
    for (text += *text == '\f'; *text;) {
        size_t line = strcspn(text, "\n"), end = line;
        while (end && text[end - 1] == ' ')
            end--;
        fprintf(out, "%.*s\n", (int)end, text);
        text += line + (text[line] != 0);
    }
}

/* memtrace-app.4242.mtrace makes memtrace-app.4242.png, here. */
static char *default_output(const char *trace, enum plot_kind kind)
{
    const char *slash = strrchr(trace, '/'), *name = slash ? slash + 1 : trace;
    const char *dot = strrchr(name, '.');
    int length = dot && strcmp(dot, ".mtrace") == 0 ? (int)(dot - name) : (int)strlen(name);
    char *path;
    return asprintf(&path, "%.*s.%s", length, name, plot_kind_names[kind]) < 0 ? NULL : path;
}

static bool write_picture(const struct gnuplot_result *result, const struct plot_drawing *drawing)
{
    const char *trace = drawing->plots[0].trace->path;
    if (output_is_stdout(drawing->output)) {
        fwrite(result->output, 1, result->size, output_open(drawing->output));
        return true;
    }
    char *path = drawing->output ? strdup(drawing->output) : default_output(trace, drawing->kind);
    bool good = path != NULL && save_file(path, result->output, result->size);
    if (!good)
        message("%s: cannot be written: %s", path ? path : "", strerror(errno));
    else
        output_tell(path);
    free(path);
    return good;
}

bool plot_draw(const struct plot_drawing *drawing)
{
    struct gnuplot_result result = {0};
    size_t size;
    char *script = make_script(drawing, &size);
    FILE *out = NULL;
    bool good = script != NULL;
    if (good && drawing->kind != KIND_GNUPLOT)
        good = run_gnuplot(script, size, &result);
    if (good && drawing->kind <= KIND_PDF)
        good = write_picture(&result, drawing);
    else if (good && (out = output_open(drawing->output)) == NULL)
        good = false;
    else if (good && drawing->kind == KIND_TEXT)
        write_text(out, result.output);
    else if (good)
        fwrite(script, 1, size, out);
    free(script);
    gnuplot_free(&result);
    return good;
}
