/*
 * Progress by a timer (progress.h).  Runs in the tools; the handler only writes.
 */
#include "render/progress.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { BAR = 20, UNKNOWN = -1 };

static char line[256]; /* up to the seconds */
static volatile sig_atomic_t seconds, percent = UNKNOWN;

static size_t put_number(char *text, int number)
{
    char digits[12];
    size_t n = 0, size = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while (number /= 10);
    while (n)
        text[size++] = digits[--n];
    return size;
}

/* [########------------] 40 %  */
static size_t put_bar(char *text, int done)
{
    size_t size = 0;
    text[size++] = '[';
    for (int i = 0; i < BAR; i++)
        text[size++] = i * 100 < done * BAR ? '#' : '-';
    text[size++] = ']';
    text[size++] = ' ';
    size += put_number(text + size, done);
    memcpy(text + size, " %  ", 4);
    return size + 4;
}

static void tick(int number)
{
    int saved = errno, done = percent;
    char text[sizeof line + BAR + 32];
    size_t size = strlen(line);
    (void)number;
    memcpy(text, line, size);
    if (done != UNKNOWN)
        size += put_bar(text + size, done);
    size += put_number(text + size, ++seconds);
    memcpy(text + size, " s \x1b[K", 6);
    if (write(STDERR_FILENO, text, size + 6) < 0) { /* nobody is looking then */
    }
    errno = saved;
}

void progress_at(size_t done, size_t total)
{
    percent = total ? (int)((double)done / (double)total * 100) : UNKNOWN;
}

static void set_timer(int first_and_then)
{
    struct itimerval timer = {{first_and_then, 0}, {first_and_then, 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* What a terminal could take for more than text is not shown. */
static void make_harmless(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
            *text = '?';
}

void progress_begin(const char *what, const char *path)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    char words[200];
    if (!isatty(STDERR_FILENO))
        return;
    snprintf(words, sizeof words, "%s %s", what, path);
    make_harmless(words);
    snprintf(line, sizeof line, "\rmemtrace: %s: ", words);
    seconds = 0;
    percent = UNKNOWN;
    sigaction(SIGALRM, &action, NULL);
    set_timer(1);
}

void progress_end(void)
{
    if (!line[0])
        return;
    set_timer(0);
    if (seconds && write(STDERR_FILENO, "\r\x1b[K", 4) < 0) {
    }
    line[0] = 0;
}
