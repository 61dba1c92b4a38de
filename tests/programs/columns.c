/*
 * A C extension with a leak: columns.total(text) adds up the numbers of a line
 * between semicolons.  Where it finds something that is no number it raises, and
 * forgets the table that it has read so far.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

struct table {
    double *values;
    size_t n, capacity;
};

static int grow(struct table *table)
{
    size_t capacity = table->capacity ? table->capacity * 2 : 512;
    double *values = realloc(table->values, capacity * sizeof(*values));
    if (!values) {
        return -1;
    }
    table->values = values;
    table->capacity = capacity;
    return 0;
}

static int append(struct table *table, double value)
{
    if (table->n == table->capacity && grow(table) < 0) {
        return -1;
    }
    table->values[table->n++] = value;
    return 0;
}

static int read_table(struct table *table, const char *text)
{
    while (*text) {
        char *end;
        double value = strtod(text, &end);
        if (end == text || append(table, value) < 0) {
            return -1;
        }
        text = end + (*end == ';');
    }
    return 0;
}

static PyObject *total(PyObject *module, PyObject *argument)
{
    const char *text = PyUnicode_AsUTF8(argument);
    struct table table = {0};
    double sum = 0;
    if (!text) {
        return NULL;
    }
    if (read_table(&table, text) < 0) {
        PyErr_SetString(PyExc_ValueError, "not a number"); /* and table.values? */
        return NULL;
    }
    for (size_t i = 0; i < table.n; i++) {
        sum += table.values[i];
    }
    free(table.values);
    return PyFloat_FromDouble(sum);
}

static PyMethodDef methods[] = {{"total", total, METH_O, "The sum of a line of numbers."}, {0}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "columns", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_columns(void)
{
    return PyModule_Create(&definition);
}
