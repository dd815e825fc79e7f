/* Arguments of functions that are called too often for PyArg_ParseTupleAndKeywords. */
#ifndef TWOWAY_ARGUMENTS_H
#define TWOWAY_ARGUMENTS_H

#include "compat.h"

typedef struct {
    const char *function;
    Py_ssize_t required;   /* so many from the left must be given */
    Py_ssize_t positional; /* so many from the left may be given without their name */
    Py_ssize_t total;
    const char *const *names;
} Signature;

/* Sort vectorcall arguments into `out`, which has `total` entries; NULL for what is not given. Borrowed. */
int arguments_take(
    const Signature *signature, PyObject *const *given, Py_ssize_t count, PyObject *keywords, PyObject **out
);

#endif
