/* What every message goes through on a socket: twin of twoway.threading.ConnectionPath. */
#ifndef TWOWAY_THREADING_PATH_H
#define TWOWAY_THREADING_PATH_H

#include "inbox.h"
#include "protocol_path.h"

typedef struct {
    PyObject_HEAD
    State *module;
    /* Attributes that the Python code of subclasses sets and reads; NULL for those that are not set. */
    PyObject *fragmenting, *inbox, *lock, *outbox, *parts, *protocol, *reader, *receiver, *rest, *slow_consumer, *tls;
    bool burst; /* whether the last read gave more than little */
    char dropping, eof, reading, shut, stuck, tell, watched, writable, writing;
    int fd;
    Py_ssize_t turn, waiters;
} ThreadingPath;

extern PyType_Spec threading_path_spec;

#endif
