/* Messages that wait for the application: twin of twoway.protocol.Inbox. */
#ifndef TWOWAY_INBOX_H
#define TWOWAY_INBOX_H

#include "state.h"

typedef struct {
    PyObject_HEAD
    State *module;
    PyObject **items;     /* a ring; NULL while nothing was ever put */
    Py_ssize_t room;      /* of the ring; a power of 2 */
    Py_ssize_t first;     /* index of the oldest item */
    Py_ssize_t count;
    Py_ssize_t complete;  /* whole messages, and last fragments */
    Py_ssize_t high, low; /* items; PY_SSIZE_T_MAX for no limit */
    Py_ssize_t max_size, low_size;
    Py_ssize_t size;      /* of all items, where that is limited */
    char wanted;
} Inbox;

/* Add an item; -1 with MemoryError set. */
int inbox_put(Inbox *self, PyObject *item);

/* Take the next whole message: a new reference; NULL with no exception when there is none. */
PyObject *inbox_get(Inbox *self);

bool inbox_is_full(const Inbox *self);

extern PyType_Spec inbox_spec;

#endif
