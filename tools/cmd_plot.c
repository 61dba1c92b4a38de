/*
 * `memtrace plot`: memory over time, as a picture, on the terminal or as data.
 * Runs on its own, outside any traced program.
 *
 * `--format gnuplot`, which no help text lists, prints the script of the
 * picture as it goes to gnuplot: for tests, and for who wants to change it.
 */
#include "commands.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "render/gnuplot.h"
#include "render/input.h"
#include "render/output.h"
#include "render/plot.h"
#include "render/save.h"

enum format { NONE = -1, PNG, SVG, PDF, TEXT, CSV, JSON, GNUPLOT, FORMATS };
static const char *const format_names[FORMATS] = {[PNG] = "png",
    [SVG] = "svg",
    [PDF] = "pdf",
    [TEXT] = "text",
    [CSV] = "csv",
    [JSON] = "json",
    [GNUPLOT] = "gnuplot"};
#define FORMATS_KNOWN "png, svg, pdf, text, csv and json"
#define SUFFIXES_KNOWN ".png, .svg, .pdf, .txt, .csv and .json"

struct arguments {
    struct plot_options plot;
    const char *trace, *output;
    enum format format;
    int width, height; /* pixels, or characters of a terminal; 0: the default */
};

enum { OPTION_FORMAT = 1000, OPTION_TITLE, OPTION_SIZE, OPTION_WINDOW };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write to FILE; its suffix says what: " SUFFIXES_KNOWN, 0},
    {"terminal", 't', NULL, 0, "Draw with characters on standard output", 0},
    {"format", OPTION_FORMAT, "FORMAT", 0, "One of " FORMATS_KNOWN, 0},
    {"title", OPTION_TITLE, "TEXT", 0, "Title of the plot instead of the command", 0},
    {"size", OPTION_SIZE, "WxH", 0,
        "Size in pixels (1200x700), of a terminal in characters (what it has)", 0},
    {"window", OPTION_WINDOW, "A,B", 0, "From A to B seconds only", 0}, {0}};

static enum format format_of(const char *name)
{
    for (int format = 0; format < FORMATS; format++)
        if (strcasecmp(name, format_names[format]) == 0)
            return format;
    return strcasecmp(name, "txt") == 0 ? TEXT : NONE;
}

static void parse_size(struct arguments *arguments, const char *text, struct argp_state *state)
{
    int end = 0;
    if (sscanf(text, "%dx%d%n", &arguments->width, &arguments->height, &end) != 2 || text[end])
        argp_error(state, "--size %s: two numbers are wanted, such as 1200x700", text);
    if (arguments->width < 1 || arguments->width > 10000 || arguments->height < 1 ||
        arguments->height > 10000)
        argp_error(state, "--size %s: from 1 to 10000", text);
}

static void parse_window(struct plot_options *plot, const char *text, struct argp_state *state)
{
    char *comma, *end;
    plot->from_s = strtod(text, &comma);
    plot->to_s = *comma == ',' ? strtod(comma + 1, &end) : 0;
    if (comma == text || *comma != ',' || end == comma + 1 || *end)
        argp_error(state, "--window %s: two times in seconds are wanted, such as 5,10", text);
    if (!(plot->from_s >= 0 && plot->from_s < plot->to_s))
        argp_error(state, "--window %s: the second time must be the later one", text);
    plot->windowed = true;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'o':
        arguments->output = value;
        return 0;
    case 't':
        arguments->format = TEXT;
        return 0;
    case OPTION_FORMAT:
        arguments->format = format_of(value);
        if (arguments->format == NONE)
            argp_error(state, "--format %s is not known; there are " FORMATS_KNOWN, value);
        return 0;
    case OPTION_TITLE:
        arguments->plot.title = value;
        return 0;
    case OPTION_SIZE:
        parse_size(arguments, value, state);
        return 0;
    case OPTION_WINDOW:
        parse_window(&arguments->plot, value, state);
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->trace)
            argp_error(state, "one trace at a time: %s is one too many", value);
        arguments->trace = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Without --format: by the suffix of -o, else a drawing on a terminal, else a picture. */
static bool choose_format(struct arguments *arguments)
{
    if (arguments->format != NONE)
        return true;
    if (!arguments->output) {
        arguments->format = isatty(STDOUT_FILENO) ? TEXT : PNG;
        return true;
    }
    const char *dot = strrchr(arguments->output, '.');
    arguments->format = dot && !strchr(dot, '/') ? format_of(dot + 1) : NONE;
    if (arguments->format == NONE || arguments->format == GNUPLOT)
        message("%s: the suffix says what to write, and there are " SUFFIXES_KNOWN
                " (or use --format)",
            arguments->output);
    return arguments->format != NONE && arguments->format != GNUPLOT;
}

static int positive(const char *name)
{
    const char *value = getenv(name);
    int number = value ? atoi(value) : 0;
    return number > 0 ? number : 0;
}

static struct plot_terminal find_terminal(const struct arguments *arguments)
{
    struct winsize window = {0};
    bool tty = !arguments->output && isatty(STDOUT_FILENO);
    const char *no_color = getenv("NO_COLOR");
    struct plot_terminal terminal = {100, 30, output_utf8(), tty && !(no_color && *no_color)};
    if (tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col) {
        terminal.columns = window.ws_col;
        terminal.rows = window.ws_row > 2 ? window.ws_row - 2 : terminal.rows;
        if (terminal.rows > 40)
            terminal.rows = 40;
    } else if (positive("COLUMNS"))
        terminal.columns = positive("COLUMNS");
    if (arguments->width) {
        terminal.columns = arguments->width;
        terminal.rows = arguments->height;
    }
    terminal.columns = terminal.columns < 40 ? 40 : terminal.columns > 500 ? 500 : terminal.columns;
    terminal.rows = terminal.rows < 12 ? 12 : terminal.rows > 200 ? 200 : terminal.rows;
    return terminal;
}

/* The whole script in memory, NULL after a message. */
static char *make_script(const struct plot *plot, const struct arguments *arguments, size_t *size)
{
    char *text = NULL;
    const char *looked = "";
    FILE *script = open_memstream(&text, size);
    bool good = script != NULL;
    if (good && arguments->format == TEXT) {
        struct plot_terminal terminal = find_terminal(arguments);
        plot_terminal_script(script, plot, &terminal);
        good = gnuplot_template(script, "terminal.gp", &looked);
    } else if (good) {
        static const enum plot_format formats[FORMATS] = {
            [SVG] = PLOT_SVG, [PDF] = PLOT_PDF, [GNUPLOT] = PLOT_PNG};
        plot_image_script(script, plot, formats[arguments->format],
            arguments->width ? arguments->width : 1200, arguments->width ? arguments->height : 700);
        good = gnuplot_template(script, "timeline.gp", &looked);
    }
    if (!good)
        message("%s: cannot be read: %s", looked, strerror(errno));
    if (script)
        fclose(script);
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
static char *default_output(const char *trace, enum format format)
{
    const char *slash = strrchr(trace, '/'), *name = slash ? slash + 1 : trace;
    const char *dot = strrchr(name, '.');
    int length = dot && strcmp(dot, ".mtrace") == 0 ? (int)(dot - name) : (int)strlen(name);
    char *path;
    return asprintf(&path, "%.*s.%s", length, name, format_names[format]) < 0 ? NULL : path;
}

static bool write_picture(const struct gnuplot_result *result, const struct arguments *arguments,
    const struct trace *trace)
{
    char *path = arguments->output ? strdup(arguments->output)
                                   : default_output(trace->path, arguments->format);
    bool good = path != NULL && save_file(path, result->output, result->size);
    if (!good)
        message("%s: cannot be written: %s", path ? path : "", strerror(errno));
    else
        printf("%s\n", path);
    free(path);
    return good;
}

static bool draw(const struct plot *plot, const struct arguments *arguments)
{
    struct gnuplot_result result = {0};
    size_t size;
    char *script = make_script(plot, arguments, &size);
    FILE *out = NULL;
    bool good = script != NULL;
    if (good && arguments->format != GNUPLOT)
        good = run_gnuplot(script, size, &result);
    if (good && arguments->format <= PDF)
        good = write_picture(&result, arguments, plot->trace);
    else if (good && (out = output_open(arguments->output)) == NULL)
        good = false;
    else if (good && arguments->format == TEXT)
        write_text(out, result.output);
    else if (good)
        fwrite(script, 1, size, out);
    free(script);
    gnuplot_free(&result);
    return good;
}

static bool write_data(const struct trace *trace, const struct arguments *arguments)
{
    FILE *out = output_open(arguments->output);
    if (!out)
        return false;
    if (arguments->format == CSV)
        plot_csv(out, trace, &arguments->plot);
    else
        plot_json(out, trace, &arguments->plot);
    return true;
}

static bool plot_trace(const struct trace *trace, const struct arguments *arguments)
{
    struct plot plot;
    enum plot_error error = plot_make(&plot, trace, &arguments->plot);
    bool good = error == PLOT_OK && draw(&plot, arguments);
    if (error == PLOT_ERROR_MEMORY)
        message("%s: not enough memory", trace->path);
    else if (error == PLOT_ERROR_EMPTY)
        message("%s: nothing to draw: the program ended before its memory was first sampled; "
                "`memtrace top` has its peak",
            trace->path);
    else if (error == PLOT_ERROR_WINDOW)
        message("%s: no sample from %g to %g s", trace->path, arguments->plot.from_s,
            arguments->plot.to_s);
    plot_free(&plot);
    return good;
}

int cmd_plot(int argc, char **argv)
{
    static const struct argp parser = {options, parse_option, "[TRACE]",
        "Resident set size and live memory over time.\v"
        "On a terminal it draws there.  Otherwise it writes a picture, to TRACE's name with .png "
        "in the current directory unless -o says where, and prints the name.",
        NULL, NULL, NULL};
    struct arguments arguments = {.plot = {.points = 4000}, .format = NONE};
    struct trace trace;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (!choose_format(&arguments))
        return 2;
    if (!input_read(&trace, arguments.trace))
        return 1;
    bool data = arguments.format == CSV || arguments.format == JSON;
    bool good = data ? write_data(&trace, &arguments) : plot_trace(&trace, &arguments);
    trace_free(&trace);
    return good ? 0 : 1;
}
