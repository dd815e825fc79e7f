/* What every message goes through between a socket and a connection: twin of twoway.asyncio.SocketPath. */
#ifndef TWOWAY_SOCKET_PATH_H
#define TWOWAY_SOCKET_PATH_H

#include "state.h"

typedef struct {
    PyObject_HEAD
    State *module;
    /* Attributes that the Python code of subclasses sets and reads; NULL for those that are not set. */
    PyObject *loop, *protocol, *socket, *unsent;
    int fd;
    char closing, lost;
    /* Our own. */
    bool direct; /* whether the protocol is ours, with the methods that are compiled */
} SocketPath;

/* Whether bytes wait for room. */
static inline bool socket_is_filled(const SocketPath *self)
{
    PyObject *unsent = self->unsent;
    return unsent != NULL && unsent != Py_None && (!PyByteArray_Check(unsent) || PyByteArray_GET_SIZE(unsent) > 0);
}

/* Write bytes, now or when there is room; -1 with an exception set. */
int socket_write(SocketPath *self, PyObject *data);

/* Take the result of a system call that writes, -1 with errno set: gives the number of bytes; -1 with an exception set. */
Py_ssize_t socket_settle(SocketPath *self, Py_ssize_t sent);

extern PyType_Spec socket_path_spec;

#endif
