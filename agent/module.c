/*
 * Offering `memtrace` to the program's Python (module.h).  In the host, under
 * the GIL, called by the interpreter; never inside an allocator.
 *
 * Each interpreter imports the built-in modules _codecs and _abc while it starts,
 * after its import system stands.  Behind their own initialization stands ours: it
 * appends a finder to sys.meta_path, which answers for the name `memtrace` alone and
 * only if nobody after it does: a module of that name on the path comes first.
 * Nothing more is made, and no name is entered in sys.modules, before the program
 * imports it.  The functions used are of CPython's stable ABI, found by name.
 */
#include "module.h"

#include <stddef.h>
#include <string.h>

#include "elfsym.h"
#include "late.h"
#include "python.h"
#include "say.h"

typedef void object; /* PyObject */

/* clang-format off */
#define API(use)                                                                                   \
    use(object *, PyModule_New, (const char *))                                                    \
    use(int, PyModule_AddFunctions, (object *, void *))                                            \
    use(object *, PyModule_GetDict, (object *))                                                    \
    use(object *, PySys_GetObject, (const char *))                                                 \
    use(ptrdiff_t, PyList_Size, (object *))                                                        \
    use(object *, PyList_GetItem, (object *, ptrdiff_t))                                           \
    use(int, PyList_Append, (object *, object *))                                                  \
    use(object *, PyDict_GetItemString, (object *, const char *))                                  \
    use(int, PyDict_SetItemString, (object *, const char *, object *))                             \
    use(object *, PyObject_GetAttrString, (object *, const char *))                                \
    use(int, PyObject_SetAttrString, (object *, const char *, object *))                           \
    use(object *, PyObject_Call, (object *, object *, object *))                                   \
    use(object *, PyEval_GetBuiltins, (void))                                                      \
    use(object *, PyEval_EvalCode, (object *, object *, object *))                                 \
    use(object *, Py_CompileString, (const char *, const char *, int))                             \
    use(object *, PyImport_ImportModule, (const char *))                                           \
    use(int, PyArg_ParseTuple, (object *, const char *, ...))                                      \
    use(int, PyArg_ParseTupleAndKeywords,                                                          \
        (object *, object *, const char *, const char *const *, ...))                              \
    use(object *, Py_BuildValue, (const char *, ...))                                              \
    use(int, PyUnicode_CompareWithASCIIString, (object *, const char *))                           \
    use(object *, PyUnicode_AsEncodedString, (object *, const char *, const char *))               \
    use(int, PyBytes_AsStringAndSize, (object *, char **, ptrdiff_t *))                            \
    use(object *, PyBool_FromLong, (long))                                                         \
    use(void, PyErr_Clear, (void))                                                                 \
    use(void, Py_IncRef, (object *))                                                               \
    use(void, Py_DecRef, (object *))
/* clang-format on */

#define DECLARE(type, name, arguments) type(*name) arguments;
static struct {
    API(DECLARE)
    object *None, *definition_type;
} py;

#define FIND(type, name, arguments) (py.name = (type(*) arguments)elfsym_find(#name)) != NULL &&

static bool find_api(void)
{
    py.None = elfsym_find("_Py_NoneStruct");
    py.definition_type = elfsym_find("PyModuleDef_Type");
    return API(FIND) py.None && py.definition_type;
}

struct method { /* PyMethodDef */
    const char *name;
    object *(*call)(object *self, object *arguments, object *keywords);
    int flags;
    const char *doc;
};
#define ARGUMENTS 1 /* METH_VARARGS */
#define KEYWORDS 2  /* METH_KEYWORDS */
#define PY_FILE_INPUT 257

static object *none(void)
{
    py.Py_IncRef(py.None);
    return py.None;
}

/* A module object of its own, not in sys.modules; functions get it as self. */
static object *new_module(const char *name, struct method *methods)
{
    object *module = py.PyModule_New(name);
    if (module && methods && py.PyModule_AddFunctions(module, methods) != 0) {
        py.Py_DecRef(module);
        return NULL;
    }
    return module;
}

/* ---- what the module is made of: `_agent` in its text ---- */

struct name {
    object *bytes;
    char *text;
    ptrdiff_t size;
};

static bool encode_name(object *given, struct name *name)
{
    name->bytes = py.PyUnicode_AsEncodedString(given, "utf-8", "surrogatepass");
    return name->bytes && py.PyBytes_AsStringAndSize(name->bytes, &name->text, &name->size) == 0;
}

static object *call_mark(object *self, object *arguments, object *keywords)
{
    object *given;
    struct name name;
    if (!py.PyArg_ParseTuple(arguments, "O:mark", &given) || !encode_name(given, &name)) {
        return NULL;
    }
    say_mark(name.text, (size_t)name.size);
    py.Py_DecRef(name.bytes);
    return none();
}

static object *call_region_begin(object *self, object *arguments, object *keywords)
{
    object *given;
    struct name name;
    if (!py.PyArg_ParseTuple(arguments, "O:region", &given) || !encode_name(given, &name)) {
        return NULL;
    }
    uint32_t region = say_region_begin(name.text, (size_t)name.size);
    py.Py_DecRef(name.bytes);
    return py.Py_BuildValue("I", region);
}

static object *call_region_end(object *self, object *arguments, object *keywords)
{
    unsigned region;
    int wants_report;
    struct say_report report = {0};
    if (!py.PyArg_ParseTuple(arguments, "Ip:region", &region, &wants_report)) {
        return NULL;
    }
    if (!say_region_end(region, wants_report ? &report : NULL)) {
        return none();
    }
    return py.Py_BuildValue("KKKK", (unsigned long long)report.live_before,
        (unsigned long long)report.live_after, (unsigned long long)report.peak,
        (unsigned long long)report.duration_us);
}

static object *call_start(object *self, object *arguments, object *keywords)
{
    say_resume();
    return none();
}

static object *call_stop(object *self, object *arguments, object *keywords)
{
    say_pause();
    return none();
}

static object *call_is_tracing(object *self, object *arguments, object *keywords)
{
    return py.PyBool_FromLong(say_is_tracing());
}

static object *call_get_traced_memory(object *self, object *arguments, object *keywords)
{
    uint64_t current, peak;
    say_traced_memory(&current, &peak);
    return py.Py_BuildValue("KK", (unsigned long long)current, (unsigned long long)peak);
}

/* ---- the module ---- */

static const char source[] =
#include "module_source.inc"
    ;

static bool run_source(object *dictionary, object *agent)
{
    object *code = NULL, *result = NULL, *builtins = py.PyEval_GetBuiltins();
    if (builtins && py.PyDict_SetItemString(dictionary, "__builtins__", builtins) == 0 &&
        py.PyDict_SetItemString(dictionary, "_agent", agent) == 0) {
        code = py.Py_CompileString(source, "<memtrace>", PY_FILE_INPUT);
    }
    if (code) {
        result = py.PyEval_EvalCode(code, dictionary, dictionary);
        py.Py_DecRef(code);
    }
    if (result) {
        py.Py_DecRef(result);
    }
    return result != NULL;
}

static object *create_module(object *self, object *arguments, object *keywords)
{
    return none(); /* an ordinary one */
}

static object *exec_module(object *self, object *arguments, object *keywords)
{
    object *module, *dictionary;
    if (!py.PyArg_ParseTuple(arguments, "O:exec_module", &module)) {
        return NULL;
    }
    say_own(true);
    dictionary = py.PyModule_GetDict(module);
    bool done = dictionary && run_source(dictionary, self);
    say_own(false);
    return done ? none() : NULL;
}

/* The loader of the module and what its text calls `_agent` are one object. */
static struct method agent_methods[] = {
    {"create_module", create_module, ARGUMENTS, NULL},
    {"exec_module", exec_module, ARGUMENTS, NULL},
    {"mark", call_mark, ARGUMENTS, NULL},
    {"region_begin", call_region_begin, ARGUMENTS, NULL},
    {"region_end", call_region_end, ARGUMENTS, NULL},
    {"start", call_start, ARGUMENTS, NULL},
    {"stop", call_stop, ARGUMENTS, NULL},
    {"is_tracing", call_is_tracing, ARGUMENTS, NULL},
    {"get_traced_memory", call_get_traced_memory, ARGUMENTS, NULL},
    {NULL, NULL, 0, NULL},
};

/* ---- the finder ---- */

static object *get_and_call(object *owner, const char *name, object *arguments, object *keywords)
{
    object *function = py.PyObject_GetAttrString(owner, name);
    object *result = function ? py.PyObject_Call(function, arguments, keywords) : NULL;
    if (function) {
        py.Py_DecRef(function);
    }
    return result;
}

static ptrdiff_t place_of(object *finders, object *finder)
{
    ptrdiff_t size = finders ? py.PyList_Size(finders) : -1;
    for (ptrdiff_t i = 0; i < size; i++) {
        if (py.PyList_GetItem(finders, i) == finder) {
            return i;
        }
    }
    if (size < 0) {
        py.PyErr_Clear(); /* the program has made something else of it */
    }
    return -1;
}

/* Asks those that were appended after us: editable installations are found that way. */
static object *ask_later_ones(object *self, object *arguments, object *keywords)
{
    object *finders = py.PySys_GetObject("meta_path");
    ptrdiff_t place = place_of(finders, self);
    for (ptrdiff_t i = place + 1; place >= 0 && i < py.PyList_Size(finders); i++) {
        object *find = py.PyObject_GetAttrString(py.PyList_GetItem(finders, i), "find_spec");
        if (!find) {
            py.PyErr_Clear(); /* one of the old kind */
            continue;
        }
        object *found = py.PyObject_Call(find, arguments, keywords);
        py.Py_DecRef(find);
        if (found != py.None) {
            return found;
        }
        py.Py_DecRef(found);
    }
    return none();
}

static object *make_spec(void)
{
    object *bootstrap = py.PyImport_ImportModule("_frozen_importlib");
    object *loader = bootstrap ? new_module("_memtrace", agent_methods) : NULL;
    object *arguments = loader ? py.Py_BuildValue("sO", "memtrace", loader) : NULL;
    object *keywords = arguments ? py.Py_BuildValue("{ss}", "origin", "built-in") : NULL;
    object *spec = keywords ? get_and_call(bootstrap, "ModuleSpec", arguments, keywords) : NULL;
    object *const parts[] = {bootstrap, loader, arguments, keywords};
    for (int i = 0; i < 4; i++) {
        if (parts[i]) {
            py.Py_DecRef(parts[i]);
        }
    }
    return spec;
}

/* find_spec(name, path, target=None) */
static object *find_spec(object *self, object *arguments, object *keywords)
{
    static const char *const words[] = {"name", "path", "target", NULL};
    object *name, *path = py.None, *target;
    if (!py.PyArg_ParseTupleAndKeywords(
            arguments, keywords, "O|OO:find_spec", words, &name, &path, &target)) {
        return NULL;
    }
    if (path != py.None || py.PyUnicode_CompareWithASCIIString(name, "memtrace") != 0) {
        return none();
    }
    object *found = ask_later_ones(self, arguments, keywords);
    if (found != py.None) {
        return found;
    }
    py.Py_DecRef(found);
    say_own(true);
    found = make_spec();
    say_own(false);
    return found;
}

/* A module for the builtin `profile`, which needs no import; kept by the finder. */
static object *own_module(object *finder)
{
    object *kept = py.PyModule_GetDict(finder);
    object *module = kept ? py.PyDict_GetItemString(kept, "module") : NULL;
    if (module || !kept) {
        return module;
    }
    object *agent = new_module("_memtrace", agent_methods);
    module = agent ? new_module("memtrace", NULL) : NULL;
    bool done = module && run_source(py.PyModule_GetDict(module), agent) &&
                py.PyDict_SetItemString(kept, "module", module) == 0;
    if (agent) {
        py.Py_DecRef(agent);
    }
    if (module) {
        py.Py_DecRef(module);
    }
    return done ? module : NULL;
}

static object *call_profile(object *self, object *arguments, object *keywords)
{
    say_own(true);
    object *module = own_module(self);
    say_own(false);
    return module ? get_and_call(module, "profile", arguments, keywords) : NULL;
}

static struct method finder_methods[] = {
    {"find_spec", find_spec, ARGUMENTS | KEYWORDS, NULL},
    {NULL, NULL, 0, NULL},
};
/* The first line is what inspect.signature reads: every function of builtins has one. */
static struct method builtin_methods[] = {
    {"profile", call_profile, ARGUMENTS | KEYWORDS,
        "profile($module, /, function=None)\n--\n\n"
        "A decorator: each call of the function is a region in the trace (memtrace.profile)."},
    {NULL, NULL, 0, NULL},
};

/* Functions of builtins say so: pickle looks for them there. */
static bool name_home(object *function, object *builtins)
{
    object *name = py.PyDict_GetItemString(builtins, "__name__");
    return !name || py.PyObject_SetAttrString(function, "__module__", name) == 0;
}

/* The program may have a `profile` of its own there: another profiler's. */
static bool add_builtin(object *finder)
{
    object *builtins = py.PyEval_GetBuiltins(), *profile;
    if (!builtins || py.PyDict_GetItemString(builtins, "profile")) {
        return true;
    }
    if (py.PyModule_AddFunctions(finder, builtin_methods) != 0) {
        return false;
    }
    profile = py.PyObject_GetAttrString(finder, "profile");
    bool done = profile && name_home(profile, builtins) &&
                py.PyDict_SetItemString(builtins, "profile", profile) == 0;
    if (profile) {
        py.Py_DecRef(profile);
    }
    return done;
}

/* Ours among the finders: known by its function. */
static bool is_installed(object *finders)
{
    for (ptrdiff_t i = py.PyList_Size(finders); i-- > 0;) {
        object *name = py.PyObject_GetAttrString(py.PyList_GetItem(finders, i), "__name__");
        bool ours = name && py.PyUnicode_CompareWithASCIIString(name, "_memtrace") == 0;
        if (name) {
            py.Py_DecRef(name);
        } else {
            py.PyErr_Clear();
        }
        if (ours) {
            return true;
        }
    }
    return false;
}

/* Finders are classes or instances as a rule, and programs ask them where they are from. */
static bool name_origin(object *finder)
{
    object *name = py.PyObject_GetAttrString(finder, "__name__");
    bool done = name && py.PyObject_SetAttrString(finder, "__module__", name) == 0;
    if (name) {
        py.Py_DecRef(name);
    }
    return done;
}

/* In the interpreter that is starting: its list of finders ends with PathFinder by now. */
static void install(void)
{
    object *finders = py.PySys_GetObject("meta_path");
    if (!finders || is_installed(finders)) {
        return;
    }
    say_own(true);
    object *finder = new_module("_memtrace", finder_methods);
    if (!finder || !name_origin(finder) || py.PyList_Append(finders, finder) != 0 ||
        !add_builtin(finder)) {
        py.PyErr_Clear();
    }
    if (finder) {
        py.Py_DecRef(finder);
    }
    say_own(false);
}

/* ---- a place in the interpreter's start ---- */

struct slot { /* PyModuleDef_Slot */
    int number;
    void *value;
};
#define SLOT_EXEC 2 /* Py_mod_exec */
#define SLOTS_MAX 12

struct definition { /* PyModuleDef, from the type in the object's header on */
    object *type;
    void *base[3];
    const char *name, *doc;
    ptrdiff_t size;
    void *methods;
    struct slot *slots;
};

struct built_in { /* struct _inittab */
    const char *name;
    object *(*init)(void);
};

/* _io is for further interpreters of 3.8, whose _codecs is the first one's. */
enum { CODECS, ABC, IO, HOSTS };
static const char *const host_names[HOSTS] = {"_codecs", "_abc", "_io"};
static object *(*host_inits[HOSTS])(void);
static struct slot host_slots[HOSTS][SLOTS_MAX];
static bool first_is_done;

static int exec_slot(object *module)
{
    install();
    return 0;
}

static void add_slot(struct definition *definition, struct slot *copy)
{
    unsigned n = 0;
    if (!definition->slots || definition->slots == copy) {
        return;
    }
    while (definition->slots[n].number) {
        if (++n == SLOTS_MAX - 1) {
            return;
        }
    }
    memcpy(copy, definition->slots, n * sizeof(*copy));
    copy[n++] = (struct slot){SLOT_EXEC, (void *)exec_slot};
    copy[n] = (struct slot){0};
    definition->slots = copy;
}

/* A module is initialized in two phases, the second one in every interpreter, or, in 3.8, in one.
 */
static object *after_init(int host)
{
    late_pin();
    object *made = host_inits[host]();
    struct definition *definition =
        (struct definition *)((char *)made + python.offsets.object_type);
    if (made && definition->type == py.definition_type) {
        if (host != IO) {
            add_slot(definition, host_slots[host]);
        }
    } else if (made && (host != IO || first_is_done)) {
        first_is_done = true;
        install();
    }
    return made;
}

static object *init_codecs(void)
{
    return after_init(CODECS);
}

static object *init_abc(void)
{
    return after_init(ABC);
}

static object *init_io(void)
{
    return after_init(IO);
}

void module_offer(void)
{
    static object *(*const ours[HOSTS])(void) = {init_codecs, init_abc, init_io};
    struct built_in **table = elfsym_find("PyImport_Inittab");
    int (*is_initialized)(void) = (int (*)(void))elfsym_find("Py_IsInitialized");
    if (!python.known || !table || !*table || !is_initialized || is_initialized() || !find_api()) {
        return;
    }
    for (struct built_in *entry = *table; entry->name; entry++) {
        for (int host = 0; host < HOSTS; host++) {
            if (strcmp(entry->name, host_names[host]) == 0) {
                host_inits[host] = entry->init;
                entry->init = ours[host];
            }
        }
    }
}
