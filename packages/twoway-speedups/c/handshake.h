/* The opening handshake of a server: the twin of a function of twoway.http. RFC 6455 section 4.2.1. */
#ifndef TWOWAY_HANDSHAKE_H
#define TWOWAY_HANDSHAKE_H

#include "state.h"

#define CHECK_REQUEST_DOC                                                                                              \
    "check_request($module, /, request)\n--\n\n"                                                                       \
    "Check the client's handshake, as a server."
PyObject *check_request(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords);

#endif
