/*
 * `memtrace info`: what is in a trace, and whether anything was lost.
 */
#include "commands.h"

#include <argp.h>

#include "render/info.h"
#include "render/output.h"
#include "render/report.h"

enum { OPTION_UNITS = 1000 };

static const struct argp_option options[] = {
    {"units", OPTION_UNITS, "UNIT", 0, "Sizes in KiB or B, or auto (default)", 0},
    {"format", 'f', "FORMAT", 0, "text (default), json or csv", 0},
    {"output", 'o', "FILE", 0, "Write to FILE", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const formats[] = {"text", "json", "csv"};
    struct report_options *chosen = state->input;
    switch (key) {
    case 'f':
        chosen->format = (enum report_format)report_choose(state, "format", text, formats, 3);
        return 0;
    case OPTION_UNITS:
        chosen->units = report_choose_units(state, text);
        return 0;
    case 'o':
        chosen->output = text;
        return 0;
    case ARGP_KEY_ARG:
        if (chosen->trace)
            argp_error(state, "one trace at a time, not '%s' as well", text);
        chosen->trace = text;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {.options = options,
    .parser = parse,
    .args_doc = "[TRACE]",
    .doc = "What is in a trace, and whether anything was lost."};

int cmd_info(int argc, char **argv)
{
    struct report report;
    report_defaults(&report.options);
    if (argp_parse(&argp, argc, argv, 0, NULL, &report.options))
        return 2;
    if (!report_open(&report))
        return 1;
    FILE *file = output_open(report.options.output);
    if (file && report.options.format == FORMAT_JSON)
        info_json(file, &report);
    else if (file && report.options.format == FORMAT_CSV)
        info_csv(file, &report);
    else if (file)
        info_text(file, &report);
    report_close(&report);
    return file ? 0 : 1;
}
