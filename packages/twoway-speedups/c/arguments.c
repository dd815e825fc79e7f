#include "arguments.h"

static int take_keyword(const Signature *signature, PyObject *name, PyObject *value, PyObject **out)
{
    for (Py_ssize_t i = 0; i < signature->total; i++) {
        if (PyUnicode_CompareWithASCIIString(name, signature->names[i]) != 0) {
            continue;
        }
        if (out[i] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", signature->function, name);
            return -1;
        }
        out[i] = value;
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", signature->function, name);
    return -1;
}

int arguments_take(
    const Signature *signature, PyObject *const *given, Py_ssize_t count, PyObject *keywords, PyObject **out
)
{
    if (UNLIKELY(count > signature->positional)) {
        PyErr_Format(
            PyExc_TypeError, "%s() takes %zd positional arguments but %zd were given", signature->function,
            signature->positional, count
        );
        return -1;
    }
    for (Py_ssize_t i = 0; i < signature->total; i++) {
        out[i] = i < count ? given[i] : NULL;
    }
    Py_ssize_t named = keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords);
    for (Py_ssize_t i = 0; i < named; i++) {
        if (take_keyword(signature, PyTuple_GET_ITEM(keywords, i), given[count + i], out) < 0) {
            return -1;
        }
    }
    for (Py_ssize_t i = 0; i < signature->required; i++) {
        if (UNLIKELY(out[i] == NULL)) {
            PyErr_Format(PyExc_TypeError, "%s() missing argument '%s'", signature->function, signature->names[i]);
            return -1;
        }
    }
    return 0;
}
