/* Heads of HTTP messages that are as they should be: twins of functions of twoway.http. RFC 9112 sections 3 and 5. */
#ifndef TWOWAY_HTTP_HEAD_H
#define TWOWAY_HTTP_HEAD_H

#include "state.h"

/* Take note of the names that twoway.http has handed over. */
void remember_known(State *state);

#define SPLIT_FIELDS_DOC                                                                                               \
    "split_fields($module, /, lines, max_headers)\n--\n\n"                                                             \
    "Take apart the lines of a header section that have nothing wrong with them."
PyObject *split_fields(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords);

#define SPLIT_REQUEST_DOC                                                                                              \
    "split_request($module, /, data, max_line, max_headers, max_header_bytes)\n--\n\n"                                 \
    "Take apart a request that is whole, has nothing wrong with it, and declares no body."
PyObject *split_request(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords);

#endif
