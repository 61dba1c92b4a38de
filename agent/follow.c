/*
 * Adding the session's variables and hiding them (follow.h).  In the host:
 * before each exec, and as the first thing in a program.
 *
 * What an environment has of ours stays as it is, and so does one that names another session, or
 * none (an empty MEMTRACE_SESSION).  Only what is missing is added, and a variable that says which
 * that was: what the program's parent did not give it, the program does not see.
 */
#include "follow.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loaded.h"
#include "session.h"
#include "sys.h"

#define PRELOAD "LD_PRELOAD"
#define ROOM_MAX (256u << 10) /* of a stack that may be small */
#define ADDED_MAX sizeof(MT_ADDED_ENV "=xxx")

/* "NAME=value", as they are added; empty: nothing is. */
static char session_entry[sizeof(MT_SESSION_ENV) + SESSION_PATH_MAX];
static char agent_entry[sizeof(PRELOAD) + SESSION_PATH_MAX];

static const char *agent_path(void)
{
    return agent_entry + sizeof(PRELOAD);
}

static bool is_named(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static char *append(char *out, const char *text)
{
    size_t length = strlen(text);
    memcpy(out, text, length + 1);
    return out + length;
}

/* ---- in the program that was started ---- */

static void take_out(const char *name)
{
    char **kept = environ;
    for (char **entry = environ; entry && *entry; entry++) {
        if (!is_named(*entry, name)) {
            *kept++ = *entry;
        }
    }
    if (kept) {
        *kept = NULL;
    }
}

/* The agent was put before what else is preloaded: its name moves up, over the agent's. */
static void take_agent_out(void)
{
    struct loaded self;
    for (char **entry = environ; entry && *entry; entry++) {
        if (is_named(*entry, PRELOAD) && loaded_find((uintptr_t)agent_path, &self)) {
            char *list = *entry + sizeof(PRELOAD);
            size_t length = strlen(self.name);
            if (strncmp(list, self.name, length) == 0 && list[length] == ':') {
                *entry += length + 1;
                memcpy(*entry, PRELOAD "=", sizeof(PRELOAD));
            }
        }
    }
}

void follow_hide(void)
{
    const char *added = session_variable(MT_ADDED_ENV);
    for (; added && *added; added++) {
        switch (*added) {
        case MT_ADDED_SESSION:
            take_out(MT_SESSION_ENV);
            break;
        case MT_ADDED_PRELOAD:
            take_out(PRELOAD);
            break;
        case MT_ADDED_AGENT:
            take_agent_out();
            break;
        }
    }
    if (added) {
        take_out(MT_ADDED_ENV);
    }
}

void follow_no_more(void)
{
    take_out(MT_SESSION_ENV);
}

/* ---- in the program that starts another ---- */

void follow_start(const char *directory)
{
    struct loaded self;
    if (!loaded_find((uintptr_t)agent_path, &self) || self.name[0] != '/' ||
        strlen(self.name) >= SESSION_PATH_MAX) {
        return;
    }
    append(append(agent_entry, PRELOAD "="), self.name);
    append(append(session_entry, MT_SESSION_ENV "="), directory);
}

/* Names are separated by colons and spaces. */
static size_t name_size(const char *item)
{
    size_t size = 0;
    while (item[size] && item[size] != ':' && item[size] != ' ') {
        size++;
    }
    return size;
}

static bool has_agent(const char *list)
{
    size_t length = strlen(agent_path());
    for (const char *item = list;; item++) {
        size_t size = name_size(item);
        if (size == length && memcmp(item, agent_path(), length) == 0) {
            return true;
        }
        item += size;
        if (!*item) {
            return false;
        }
    }
}

static bool is_running(bool is_exec)
{
    const struct mt_control *control = session.control;
    return session_entry[0] && atomic_load(&control->state) == MT_STATE_RUNNING &&
           (!control->only_pid || (is_exec && control->only_pid == sys_pid()));
}

enum leaving { STAYS, AS_ANOTHER_USER, ELSEWHERE };

static enum leaving leaving(const char *control)
{
    struct stat status;
    uid_t user = (uid_t)sys_effective_user();
    if (!sys_status(control, &status)) {
        return sys_is_forbidden(control) ? AS_ANOTHER_USER : ELSEWHERE;
    }
    /* What this process may do beside that, by its capabilities, the program will not. */
    if (user != 0 && user != status.st_uid) {
        return AS_ANOTHER_USER;
    }
    return follow_may_load() ? STAYS : ELSEWHERE;
}

bool follow_leaves(bool is_exec)
{
    char path[SESSION_PATH_MAX];
    return is_running(is_exec) && session_path(path, MT_CONTROL_NAME) && leaving(path) != STAYS;
}

bool follow_may_load(void)
{
    return sys_may(agent_path(), R_OK);
}

void follow_note_leaving(const char *name)
{
    char path[SESSION_PATH_MAX];
    if (atomic_fetch_add(&session.control->programs_left, 1) == 0) {
        bool is_user = session_path(path, MT_CONTROL_NAME) && leaving(path) == AS_ANOTHER_USER;
        sys_complain(*name ? name : "a program",
            is_user
                ? " is started as another user, and is not traced "
                  "(`memtrace run` does it there, as that user)"
                : " is started in another root or another mount namespace, where memtrace is not "
                  "seen, and is not traced (`memtrace run` does it there)",
            NULL);
    }
}

/* False if whoever made it has said what session it is to be, another one or none. */
static bool look_at(struct follow *follow)
{
    char *const *variables = follow->variables;
    size_t i;
    for (i = 0; variables && variables[i]; i++) {
        if (is_named(variables[i], MT_SESSION_ENV)) {
            if (strcmp(variables[i], session_entry) != 0) {
                return false;
            }
            follow->add_session = false;
        } else if (is_named(variables[i], PRELOAD)) {
            follow->preload = i;
        } else if (is_named(variables[i], MT_ADDED_ENV)) {
            return false; /* somebody who could not hide them passes them on */
        }
    }
    follow->count = i;
    return true;
}

bool follow_wants(struct follow *follow, char *const *variables, bool is_exec)
{
    if (!is_running(is_exec)) {
        return false;
    }
    *follow = (struct follow){.variables = variables, .preload = SIZE_MAX, .add_session = true};
    if (!look_at(follow)) {
        return false;
    }
    const char *preload =
        follow->preload < follow->count ? variables[follow->preload] + sizeof(PRELOAD) : NULL;
    follow->add_agent = !preload || !has_agent(preload);
    follow->room = (follow->count + 4) * sizeof(char *) + ADDED_MAX + sizeof(agent_entry) +
                   (preload ? strlen(preload) : 0);
    return (follow->add_session || follow->add_agent) && follow->room <= ROOM_MAX &&
           follow_may_load();
}

char **follow_put(const struct follow *follow, void *room)
{
    char **out = room, *text = (char *)(out + follow->count + 4);
    char *letter = append(text, MT_ADDED_ENV "=");
    size_t n = follow->count;
    if (n) {
        memcpy(out, follow->variables, n * sizeof(*out));
    }
    if (follow->add_agent && follow->preload < follow->count) {
        const char *rest = out[follow->preload] + sizeof(PRELOAD);
        *letter++ = MT_ADDED_AGENT;
        out[follow->preload] = text + ADDED_MAX;
        append(append(append(text + ADDED_MAX, agent_entry), ":"), rest);
    } else if (follow->add_agent) {
        *letter++ = MT_ADDED_PRELOAD;
        out[n++] = agent_entry;
    }
    if (follow->add_session) {
        *letter++ = MT_ADDED_SESSION;
        out[n++] = session_entry;
    }
    *letter = 0;
    out[n++] = text;
    out[n] = NULL;
    return out;
}

/* ---- for a program that would not run with the agent in it ---- */

bool follow_is_in(struct follow *follow, char *const *variables)
{
    size_t i;
    *follow = (struct follow){.variables = variables, .preload = SIZE_MAX};
    for (i = 0; agent_entry[0] && variables && variables[i]; i++) {
        if (is_named(variables[i], PRELOAD)) {
            follow->preload = i;
        }
    }
    follow->count = i;
    if (follow->preload == SIZE_MAX || !has_agent(variables[follow->preload] + sizeof(PRELOAD))) {
        return false;
    }
    follow->room = (i + 1) * sizeof(char *) + strlen(variables[follow->preload]) + 1;
    return follow->room <= ROOM_MAX;
}

/* The list but for the agent; its length. */
static size_t copy_others(char *out, const char *list)
{
    size_t length = strlen(agent_path()), used = 0;
    while (*list) {
        size_t size = name_size(list);
        if (size && (size != length || memcmp(list, agent_path(), length) != 0)) {
            if (used) {
                out[used++] = ':';
            }
            memcpy(out + used, list, size);
            used += size;
        }
        list += size + (list[size] != 0);
    }
    out[used] = 0;
    return used;
}

char **follow_without(const struct follow *follow, void *room)
{
    char **out = room, *text = (char *)(out + follow->count + 1);
    size_t n = 0;
    char *list = append(text, PRELOAD "=");
    bool has_others = copy_others(list, follow->variables[follow->preload] + sizeof(PRELOAD)) != 0;
    for (size_t i = 0; i < follow->count; i++) {
        if (i != follow->preload) {
            out[n++] = follow->variables[i];
        } else if (has_others) {
            out[n++] = text;
        }
    }
    out[n] = NULL;
    return out;
}
