/* What a task waits for until the next message: the least that asyncio takes for a future. */
#ifndef TWOWAY_WAITER_H
#define TWOWAY_WAITER_H

#include "state.h"

typedef struct {
    PyObject_HEAD
    State *module;
    PyObject *loop;
    PyObject *callback; /* of the task; NULL before and after */
    PyObject *context;  /* in which to call it; NULL for that of the loop */
    PyObject *message;  /* of a cancellation; NULL for none */
    char blocking;      /* asyncio's sign of a future that was awaited properly */
    bool done, cancelled;
} Waiter;

/* Make one; NULL with an exception set. */
PyObject *waiter_new(State *module, PyObject *loop);

/* Have the task go on; at once where no other one is at work, else soon. -1 with an exception set. */
int waiter_wake(Waiter *self);

extern PyType_Spec waiter_spec;

#endif
