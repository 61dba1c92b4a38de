/*
 * Assembles a trace out of text:  assemble TEXT TRACE.  Runs in tests.
 *
 * A line is a record of words; "..." is one word, with \n \0 \t \r \\ \" \xNN in it.
 * Names stand for ids, `-` for none, `all` for the sum of all processes.  Times
 * are seconds, sizes take K, M or G.  Strings and functions define themselves.
 *
 *   meta JSON                                        end JSON
 *   process NAME PID PARENT START exec|fork PYTHON PATH ARGUMENT...
 *   thread NAME PROCESS TID START NAME
 *   rename THREAD NAME               python PROCESS VERSION traced|unknown
 *   stack NAME PARENT FILE LINE FUNCTION
 *   module NAME PATH BUILD_ID         native NAME PARENT MODULE ADDRESS
 *   symbol NATIVE FUNCTION OFFSET FILE LINE    anchor NATIVE PARENT NODE
 *   inlined NATIVE FUNCTION FILE LINE
 *   look PROCESS TIME known|unknown [SITE UNTOUCHED]...
 *   allocator MODULE NAME
 *   site NAME PROCESS THREAD DOMAIN STACK [NATIVE]
 *   timeline PROCESS           then: sample TIME RSS PYTHON NATIVE MAPPED ARENAS HIGH
 *   shares PROCESS             then: share TIME RSS PSS USS
 *   boundary KIND PROCESS TIME NAME    then: row SITE BYTES BLOCKS ALLOCATED ALLOCATIONS [BIRTH]
 *   peak PROCESS TIME PYTHON NATIVE BLOCKS    then: row SITE BYTES BLOCKS [BIRTH]
 *   sampling BYTES   rows that follow have SPREAD [ALLOCATED_SPREAD] before BIRTH
 *   log PROCESS      then: event KIND TIME THREAD ADDRESS SITE SIZE [BIRTH], KIND a number
 *   thin ORDINAL
 *   sizes PROCESS DOMAINS      then for each: TEMPORARY BUCKETS COUNT...
 *   source FILE LINE TEXT
 *   region PROCESS THREAD NAME START DURATION BEFORE AFTER PEAK
 *   ended PROCESS TIME STATUS UNKNOWN DUPLICATE INHERITED GAPS GAP_BYTES EVENTS MAX_RSS [PAUSED]
 *   chunk KIND HEX   any chunk       flush   begins new chunks       # comment
 */
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memtrace/format.h"
#include "memtrace/ring.h"
#include "trace/log.h"
#include "trace/rows.h"
#include "trace/writer.h"

enum { WORDS = 128 };

struct word {
    char *text;
    size_t size;
};

struct name { /* of an id */
    int kind; /* enum mt_chunk */
    char *text;
    size_t size;
    uint64_t id;
    struct name *next;
};

static struct writer writer;
static struct name *names;
static uint64_t counts[MT_CHUNK_KINDS];      /* ids given, by kind */
static struct buffer bodies[MT_CHUNK_KINDS]; /* records to be written, by kind */
static uint64_t records[MT_CHUNK_KINDS];
static bool sampled;
static int open_kind; /* of the chunk that rows or samples go to, 0 for none */
static struct buffer open_head;
enum { MAX_ROWS = 100000 };
static struct row open_rows[MAX_ROWS];
static struct log_event open_events[LOG_EVENTS];
static size_t n_open_events;
static uint32_t open_process;
static uint64_t last_site, last_file, last_sample[7];
static const char *input;
static int line_number;

static _Noreturn void fail(const char *what, const char *word)
{
    fprintf(stderr, "%s:%d: %s: %s\n", input, line_number, what, word);
    exit(1);
}

static uint64_t find(int kind, const char *text, size_t size)
{
    for (struct name *name = names; name; name = name->next)
        if (name->kind == kind && name->size == size && memcmp(name->text, text, size) == 0)
            return name->id;
    return 0;
}

static uint64_t define(int kind, const char *text, size_t size)
{
    struct name *name = calloc(1, sizeof *name);
    *name = (struct name){.kind = kind, .size = size, .id = ++counts[kind], .next = names};
    name->text = malloc(size + 1);
    memcpy(name->text, text, size);
    names = name;
    records[kind]++;
    return name->id;
}

/* The id of a name, 0 for `-` and `all`. */
static uint64_t id_of(int kind, struct word word)
{
    if (strcmp(word.text, "-") == 0 || strcmp(word.text, "all") == 0)
        return 0;
    uint64_t id = find(kind, word.text, word.size);
    if (!id)
        fail("not defined", word.text);
    return id;
}

static void put(int kind, uint64_t value)
{
    buffer_varint(&bodies[kind], value);
}

static uint64_t string_id(const char *text, size_t size)
{
    uint64_t id = size ? find(MT_CHUNK_STRINGS, text, size) : 0;
    if (id || !size)
        return id;
    put(MT_CHUNK_STRINGS, size);
    buffer_append(&bodies[MT_CHUNK_STRINGS], text, size);
    return define(MT_CHUNK_STRINGS, text, size);
}

static uint64_t string_of(struct word word)
{
    return strcmp(word.text, "-") == 0 ? 0 : string_id(word.text, word.size);
}

static uint64_t function_of(struct word file, struct word function)
{
    uint64_t ids[2] = {string_of(file), string_of(function)};
    uint64_t id = find(MT_CHUNK_FUNCTIONS, (char *)ids, sizeof ids);
    if (id)
        return id;
    put(MT_CHUNK_FUNCTIONS, ids[0]);
    put(MT_CHUNK_FUNCTIONS, ids[1]);
    put(MT_CHUNK_FUNCTIONS, 1);
    return define(MT_CHUNK_FUNCTIONS, (char *)ids, sizeof ids);
}

static int64_t number_of(struct word word)
{
    char *end;
    int64_t number = strtoll(word.text, &end, 10);
    const char *units = "KMG", *unit = *end ? strchr(units, *end) : NULL;
    if (end == word.text || (*end && (!unit || end[1])))
        fail("no number", word.text);
    return unit ? number * ((int64_t)1 << (10 * (unit - units + 1))) : number;
}

static uint64_t time_of(struct word word)
{
    return (uint64_t)(strtod(word.text, NULL) * 1e6 + 0.5);
}

static int choice(struct word word, const char *const *choices)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(word.text, choices[i]) == 0)
            return i;
    fail("unknown", word.text);
}

static void write_counted(int kind, const struct buffer *head)
{
    struct buffer body = {0};
    if (head)
        buffer_append(&body, head->data, head->size);
    buffer_varint(&body, records[kind]);
    buffer_append(&body, bodies[kind].data, bodies[kind].size);
    writer_chunk(&writer, kind, &body);
    buffer_free(&body);
    bodies[kind].size = 0;
    records[kind] = 0;
}

static int values_of_row(void)
{
    if (open_kind == MT_CHUNK_PEAK)
        return sampled ? ROWS_OF_SAMPLED_PEAK : ROWS_OF_PEAK;
    return sampled ? ROWS_OF_SAMPLED_BOUNDARY : ROWS_OF_BOUNDARY;
}

/* Definitions before what uses them, other chunks in the order of their numbers. */
static void flush(void)
{
    for (int kind = MT_CHUNK_STRINGS; kind < MT_CHUNK_SITES; kind++)
        if (records[kind])
            write_counted(kind, NULL);
    for (int kind = MT_CHUNK_MODULES; kind <= MT_CHUNK_NATIVES; kind++)
        if (records[kind])
            write_counted(kind, NULL);
    for (int kind = MT_CHUNK_SYMBOLS; kind < MT_CHUNK_FILES; kind++)
        if (records[kind] && kind != open_kind)
            write_counted(kind, NULL);
    for (int kind = MT_CHUNK_STRINGS; kind <= MT_CHUNK_LINES; kind++)
        if (records[kind] && kind != open_kind)
            write_counted(kind, NULL);
    if (records[MT_CHUNK_FILES])
        write_counted(MT_CHUNK_FILES, NULL);
    last_file = 0;
    if (open_kind == MT_CHUNK_TIMELINE || open_kind == MT_CHUNK_SHARES) {
        write_counted(open_kind, &open_head);
    } else if (open_kind == MT_CHUNK_LOG) {
        log_put(&open_head, open_process, open_events, n_open_events);
        writer_chunk(&writer, MT_CHUNK_LOG, &open_head);
        n_open_events = 0;
    } else if (open_kind) {
        rows_put(&open_head, open_rows, records[open_kind], values_of_row());
        writer_chunk(&writer,
            !sampled                     ? open_kind
            : open_kind == MT_CHUNK_PEAK ? MT_CHUNK_SAMPLED_PEAK
                                         : MT_CHUNK_SAMPLED_BOUNDARY,
            &open_head);
        records[open_kind] = 0;
    }
    open_kind = 0;
    open_head.size = 0;
}

static void write_text(int kind, const char *text)
{
    struct buffer body = {0};
    flush();
    buffer_append(&body, text, strlen(text));
    writer_chunk(&writer, kind, &body);
    buffer_free(&body);
}

static void do_process(struct word *words, int n)
{
    static const char *const origins[] = {"exec", "fork", NULL};
    struct buffer command = {0};
    for (int i = 8; i < n; i++) {
        buffer_append(&command, i > 8 ? "\0" : "", i > 8);
        buffer_append(&command, words[i].text, words[i].size);
    }
    put(MT_CHUNK_PROCESSES, (uint64_t)number_of(words[2]));
    put(MT_CHUNK_PROCESSES, id_of(MT_CHUNK_PROCESSES, words[3]));
    put(MT_CHUNK_PROCESSES, time_of(words[4]));
    put(MT_CHUNK_PROCESSES, (uint64_t)choice(words[5], origins));
    put(MT_CHUNK_PROCESSES, string_of(words[7]));
    put(MT_CHUNK_PROCESSES, string_id((char *)command.data, command.size));
    put(MT_CHUNK_PROCESSES, string_of(words[6]));
    bool python = strcmp(words[6].text, "-") != 0;
    put(MT_CHUNK_PROCESSES, python ? MT_PYTHON_TRACED : MT_PYTHON_NONE);
    define(MT_CHUNK_PROCESSES, words[1].text, words[1].size);
    buffer_free(&command);
}

static void do_thread(struct word *words, int n)
{
    put(MT_CHUNK_THREADS, id_of(MT_CHUNK_PROCESSES, words[2]));
    put(MT_CHUNK_THREADS, (uint64_t)number_of(words[3]));
    put(MT_CHUNK_THREADS, string_of(words[5]));
    put(MT_CHUNK_THREADS, time_of(words[4]));
    define(MT_CHUNK_THREADS, words[1].text, words[1].size);
}

static void do_rename(struct word *words, int n)
{
    put(MT_CHUNK_THREAD_NAMES, id_of(MT_CHUNK_THREADS, words[1]));
    put(MT_CHUNK_THREAD_NAMES, string_of(words[2]));
    records[MT_CHUNK_THREAD_NAMES]++;
}

static void do_python(struct word *words, int n)
{
    static const char *const kinds[] = {"none", "traced", "unknown", NULL};
    put(MT_CHUNK_PYTHONS, id_of(MT_CHUNK_PROCESSES, words[1]));
    put(MT_CHUNK_PYTHONS, string_of(words[2]));
    put(MT_CHUNK_PYTHONS, (uint64_t)choice(words[3], kinds));
    records[MT_CHUNK_PYTHONS]++;
}

static void do_stack(struct word *words, int n)
{
    uint64_t function = function_of(words[3], words[5]);
    put(MT_CHUNK_NODES, id_of(MT_CHUNK_NODES, words[2]));
    put(MT_CHUNK_NODES, function);
    put(MT_CHUNK_NODES, (uint64_t)number_of(words[4]));
    define(MT_CHUNK_NODES, words[1].text, words[1].size);
}

static void do_site(struct word *words, int n)
{
    static const char *const domains[] = {
        "raw", "mem", "obj", "malloc", "mmap", "arena", "inherited", "file", NULL};
    put(MT_CHUNK_SITES, id_of(MT_CHUNK_PROCESSES, words[2]));
    put(MT_CHUNK_SITES, id_of(MT_CHUNK_THREADS, words[3]));
    uint64_t domain = (uint64_t)choice(words[4], domains);
    put(MT_CHUNK_SITES, domain == MT_DOMAIN_FILE ? MT_DOMAIN_MMAP : domain);
    put(MT_CHUNK_SITES, id_of(MT_CHUNK_NODES, words[5]));
    put(MT_CHUNK_SITES, n > 6 ? id_of(MT_CHUNK_NATIVES, words[6]) : 0);
    define(MT_CHUNK_SITES, words[1].text, words[1].size);
    if (domain == MT_DOMAIN_FILE) {
        uint64_t site = id_of(MT_CHUNK_SITES, words[1]);
        buffer_svarint(&bodies[MT_CHUNK_FILES], (int64_t)(site - last_file));
        last_file = site;
        records[MT_CHUNK_FILES]++;
    }
}

static void do_module(struct word *words, int n)
{
    put(MT_CHUNK_MODULES, string_of(words[2]));
    put(MT_CHUNK_MODULES, string_of(words[3]));
    define(MT_CHUNK_MODULES, words[1].text, words[1].size);
}

static void do_allocator(struct word *words, int n)
{
    put(MT_CHUNK_ALLOCATORS, id_of(MT_CHUNK_MODULES, words[1]));
    put(MT_CHUNK_ALLOCATORS, string_of(words[2]));
    records[MT_CHUNK_ALLOCATORS]++;
}

static void do_native(struct word *words, int n)
{
    put(MT_CHUNK_NATIVES, id_of(MT_CHUNK_NATIVES, words[2]));
    put(MT_CHUNK_NATIVES, id_of(MT_CHUNK_MODULES, words[3]));
    put(MT_CHUNK_NATIVES, (uint64_t)number_of(words[4]));
    define(MT_CHUNK_NATIVES, words[1].text, words[1].size);
}

/* A native that is no frame. */
static void do_anchor(struct word *words, int n)
{
    put(MT_CHUNK_NATIVES, id_of(MT_CHUNK_NATIVES, words[2]));
    put(MT_CHUNK_NATIVES, 0);
    put(MT_CHUNK_NATIVES, 0);
    define(MT_CHUNK_NATIVES, words[1].text, words[1].size);
    put(MT_CHUNK_ANCHORS, id_of(MT_CHUNK_NATIVES, words[1]));
    put(MT_CHUNK_ANCHORS, id_of(MT_CHUNK_NODES, words[3]));
    records[MT_CHUNK_ANCHORS]++;
}

static void do_symbol(struct word *words, int n)
{
    put(MT_CHUNK_SYMBOLS, id_of(MT_CHUNK_NATIVES, words[1]));
    put(MT_CHUNK_SYMBOLS, string_of(words[2]));
    put(MT_CHUNK_SYMBOLS, (uint64_t)number_of(words[3]));
    put(MT_CHUNK_SYMBOLS, string_of(words[4]));
    put(MT_CHUNK_SYMBOLS, (uint64_t)number_of(words[5]));
    records[MT_CHUNK_SYMBOLS]++;
}

static void do_inlined(struct word *words, int n)
{
    put(MT_CHUNK_INLINED, id_of(MT_CHUNK_NATIVES, words[1]));
    put(MT_CHUNK_INLINED, string_of(words[2]));
    put(MT_CHUNK_INLINED, string_of(words[3]));
    put(MT_CHUNK_INLINED, (uint64_t)number_of(words[4]));
    records[MT_CHUNK_INLINED]++;
}

static void do_look(struct word *words, int n)
{
    static const char *const choices[] = {"unknown", "known", NULL};
    struct buffer body = {0};
    uint64_t before = 0;
    flush();
    buffer_varint(&body, 1);
    buffer_varint(&body, id_of(MT_CHUNK_PROCESSES, words[1]));
    buffer_varint(&body, time_of(words[2]));
    buffer_varint(&body, (uint64_t)choice(words[3], choices));
    buffer_varint(&body, (uint64_t)(n - 4) / 2);
    for (int i = 4; i + 1 < n; i += 2) {
        uint64_t site = id_of(MT_CHUNK_SITES, words[i]);
        buffer_varint(&body, site - before);
        buffer_varint(&body, (uint64_t)number_of(words[i + 1]));
        before = site;
    }
    writer_chunk(&writer, MT_CHUNK_UNTOUCHED, &body);
    buffer_free(&body);
}

static void do_timeline(struct word *words, int n)
{
    flush();
    memset(last_sample, 0, sizeof last_sample);
    buffer_varint(&open_head, id_of(MT_CHUNK_PROCESSES, words[1]));
    open_kind = MT_CHUNK_TIMELINE;
}

static void do_sample(struct word *words, int n)
{
    for (int i = 0; i < 7; i++) {
        uint64_t value = i ? (uint64_t)number_of(words[i + 1]) : time_of(words[1]);
        buffer_svarint(&bodies[MT_CHUNK_TIMELINE], (int64_t)(value - last_sample[i]));
        last_sample[i] = value;
    }
    records[MT_CHUNK_TIMELINE]++;
}

static void do_shares(struct word *words, int n)
{
    flush();
    memset(last_sample, 0, sizeof last_sample);
    buffer_varint(&open_head, id_of(MT_CHUNK_PROCESSES, words[1]));
    open_kind = MT_CHUNK_SHARES;
}

static void do_share(struct word *words, int n)
{
    for (int i = 0; i < 4; i++) {
        uint64_t value = i ? (uint64_t)number_of(words[i + 1]) : time_of(words[1]);
        buffer_svarint(&bodies[MT_CHUNK_SHARES], (int64_t)(value - last_sample[i]));
        last_sample[i] = value;
    }
    records[MT_CHUNK_SHARES]++;
}

static void do_boundary(struct word *words, int n)
{
    static const char *const kinds[] = {"start", "tick", "end", "mark", "last", "dropped", NULL};
    uint64_t name = string_of(words[4]);
    flush();
    buffer_varint(&open_head, (uint64_t)choice(words[1], kinds));
    buffer_varint(&open_head, id_of(MT_CHUNK_PROCESSES, words[2]));
    buffer_varint(&open_head, time_of(words[3]));
    buffer_varint(&open_head, name);
    open_kind = MT_CHUNK_BOUNDARY;
    last_site = 0;
}

static void do_peak(struct word *words, int n)
{
    flush();
    buffer_varint(&open_head, id_of(MT_CHUNK_PROCESSES, words[1]));
    buffer_varint(&open_head, time_of(words[2]));
    for (int i = 3; i < 6; i++)
        buffer_varint(&open_head, (uint64_t)number_of(words[i]));
    open_kind = MT_CHUNK_PEAK;
    last_site = 0;
}

static void do_sampling(struct word *words, int n)
{
    struct buffer body = {0};
    buffer_varint(&body, (uint64_t)number_of(words[1]));
    writer_chunk(&writer, MT_CHUNK_SAMPLING, &body);
    buffer_free(&body);
    sampled = true;
}

static void do_log(struct word *words, int n)
{
    flush();
    open_process = (uint32_t)id_of(MT_CHUNK_PROCESSES, words[1]);
    open_kind = MT_CHUNK_LOG;
}

static void do_event(struct word *words, int n)
{
    if (n_open_events == LOG_EVENTS)
        fail("more events than there is room for", words[1].text);
    open_events[n_open_events++] = (struct log_event){.kind = (enum log_kind)number_of(words[1]),
        .time_us = time_of(words[2]),
        .thread = (uint32_t)id_of(MT_CHUNK_THREADS, words[3]),
        .address = (uint64_t)number_of(words[4]),
        .site = (uint32_t)id_of(MT_CHUNK_SITES, words[5]),
        .size = (uint64_t)number_of(words[6]),
        .birth = n > 7 ? (uint32_t)number_of(words[7]) : 0};
}

static void do_row(struct word *words, int n)
{
    uint64_t site = id_of(MT_CHUNK_SITES, words[1]);
    int numbers = values_of_row();
    if (site < last_site || n < numbers + 2 || n > numbers + 3)
        fail("not in order, or not all there", words[1].text);
    if (records[open_kind] == MAX_ROWS)
        fail("more rows than there is room for", words[1].text);
    struct row *row = &open_rows[records[open_kind]++];
    *row = (struct row){.site = (uint32_t)site};
    if (n > numbers + 2)
        row->birth = (uint32_t)number_of(words[numbers + 2]);
    for (int i = 0; i < numbers; i++)
        row->values[i] = number_of(words[i + 2]);
    last_site = site;
}

static void do_thin(struct word *words, int n)
{
    flush();
    struct buffer body = {0};
    buffer_varint(&body, 1);
    buffer_svarint(&body, number_of(words[1]));
    writer_chunk(&writer, MT_CHUNK_THIN, &body);
    buffer_free(&body);
}

static void do_sizes(struct word *words, int n)
{
    struct buffer body = {0};
    flush();
    buffer_varint(&body, id_of(MT_CHUNK_PROCESSES, words[1]));
    for (int i = 2; i < n; i++)
        buffer_varint(&body, (uint64_t)number_of(words[i]));
    writer_chunk(&writer, MT_CHUNK_SIZES, &body);
    buffer_free(&body);
}

static void do_source(struct word *words, int n)
{
    uint64_t text = string_of(words[3]);
    put(MT_CHUNK_LINES, string_of(words[1]));
    put(MT_CHUNK_LINES, (uint64_t)number_of(words[2]));
    put(MT_CHUNK_LINES, text);
    records[MT_CHUNK_LINES]++;
}

static void do_region(struct word *words, int n)
{
    struct buffer body = {0};
    uint64_t name = string_of(words[3]);
    flush();
    buffer_varint(&body, 1);
    buffer_varint(&body, id_of(MT_CHUNK_PROCESSES, words[1]));
    buffer_varint(&body, id_of(MT_CHUNK_THREADS, words[2]));
    buffer_varint(&body, name);
    buffer_varint(&body, time_of(words[4]));
    buffer_varint(&body, time_of(words[5]));
    for (int i = 6; i < 9; i++)
        buffer_varint(&body, (uint64_t)number_of(words[i]));
    writer_chunk(&writer, MT_CHUNK_REGIONS, &body);
    buffer_free(&body);
}

static void do_ended(struct word *words, int n)
{
    struct buffer body = {0};
    flush();
    buffer_varint(&body, id_of(MT_CHUNK_PROCESSES, words[1]));
    buffer_varint(&body, time_of(words[2]));
    buffer_svarint(&body, number_of(words[3]));
    for (int i = 4; i < n; i++)
        buffer_varint(&body, (uint64_t)number_of(words[i]));
    writer_chunk(&writer, MT_CHUNK_PROCESS_END, &body);
    buffer_free(&body);
}

static void do_chunk(struct word *words, int n)
{
    struct buffer body = {0};
    flush();
    for (const char *hex = words[2].text; hex[0] && hex[1]; hex += 2) {
        char digits[3] = {hex[0], hex[1], 0};
        uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);
        buffer_append(&body, &byte, 1);
    }
    writer_chunk(&writer, (int)number_of(words[1]), &body);
    buffer_free(&body);
}

static void do_flush(struct word *words, int n)
{
    flush();
}

static const struct {
    const char *name;
    int words; /* at least */
    void (*run)(struct word *words, int n);
} records_of[] = {{"process", 9, do_process}, {"thread", 6, do_thread}, {"rename", 3, do_rename},
    {"python", 4, do_python}, {"stack", 6, do_stack}, {"site", 6, do_site},
    {"module", 4, do_module}, {"native", 5, do_native}, {"symbol", 6, do_symbol},
    {"anchor", 4, do_anchor}, {"inlined", 5, do_inlined}, {"look", 4, do_look},
    {"timeline", 2, do_timeline}, {"shares", 2, do_shares}, {"share", 5, do_share},
    {"sample", 8, do_sample}, {"boundary", 5, do_boundary}, {"peak", 6, do_peak},
    {"row", 4, do_row}, {"thin", 2, do_thin}, {"sampling", 2, do_sampling}, {"log", 2, do_log},
    {"allocator", 3, do_allocator}, {"event", 7, do_event}, {"sizes", 3, do_sizes},
    {"source", 4, do_source}, {"ended", 11, do_ended}, {"chunk", 3, do_chunk},
    {"region", 9, do_region}, {"flush", 1, do_flush}};

/* Decodes the escape behind a backslash; returns what follows it. */
static char *unescape(char *at, char *byte)
{
    static const char from[] = "n0tr", to[] = "\n\0\t\r";
    if (*at == 'x') {
        char digits[3] = {at[1], at[2], 0};
        *byte = (char)strtoul(digits, NULL, 16);
        return at + 3;
    }
    const char *found = strchr(from, *at);
    *byte = found ? to[found - from] : *at;
    return at + 1;
}

/* Takes one word off the line, in place. */
static char *take(char *at, struct word *word)
{
    bool quoted = *at == '"';
    char *out = at;
    at += quoted;
    word->text = out;
    while (*at && (quoted ? *at != '"' : !isspace((unsigned char)*at))) {
        if (quoted && *at == '\\')
            at = unescape(at + 1, out++);
        else
            *out++ = *at++;
    }
    at += *at != '\0';
    *out = '\0';
    word->size = (size_t)(out - word->text);
    return at;
}

static void do_line(char *line)
{
    struct word words[WORDS] = {{0}};
    int n = 0;
    line += strspn(line, " \t");
    if (!*line || *line == '#')
        return;
    if (strncmp(line, "meta ", 5) == 0 || strncmp(line, "end ", 4) == 0) {
        bool meta = *line == 'm';
        write_text(meta ? MT_CHUNK_META : MT_CHUNK_END, line + (meta ? 5 : 4));
        return;
    }
    while (*line && n < WORDS) {
        line = take(line, &words[n++]);
        line += strspn(line, " \t");
    }
    for (size_t i = 0; i < sizeof records_of / sizeof *records_of; i++) {
        if (strcmp(words[0].text, records_of[i].name) != 0)
            continue;
        if (n < records_of[i].words)
            fail("words are missing", words[0].text);
        records_of[i].run(words, n);
        return;
    }
    fail("unknown record", words[0].text);
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *text = argc == 3 ? fopen(argv[1], "r") : NULL;
    int fd = text ? open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    if (fd < 0) {
        fputs("usage: assemble TEXT TRACE\n", stderr);
        return 2;
    }
    input = argv[1];
    writer_open(&writer, fd);
    for (ssize_t size; (size = getline(&line, &capacity, text)) >= 0;) {
        line_number++;
        if (size && line[size - 1] == '\n')
            line[size - 1] = '\0';
        do_line(line);
    }
    flush();
    fclose(text);
    free(line);
    return writer_close(&writer) ? 1 : 0;
}
