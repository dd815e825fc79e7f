/* What every message goes through on an asyncio transport: twin of twoway.asyncio.ConnectionPath. */
#ifndef TWOWAY_ASYNCIO_PATH_H
#define TWOWAY_ASYNCIO_PATH_H

#include "inbox.h"
#include "protocol_path.h"

typedef struct {
    PyObject_HEAD
    State *module;
    /* Attributes that the Python code of subclasses sets and reads; NULL for those that are not set. */
    PyObject *buffer, *closed, *fragmented, *inbox, *loop, *parts, *protocol, *receiver, *receiving, *slow_consumer;
    PyObject *transport;
    char dropping, flushing, reading, shut, writable;
    Py_ssize_t unsent;
    double wrote_at;
    /* Our own. */
    bool stepping; /* whether the task that received is at work, called from here */
    bool wrote;    /* whether it has written something */
    bool fresh;    /* whether the transport has just delivered bytes, and nothing was written since: it is not closing */
} AsyncioPath;

/* The protocol if it has what is compiled, is open and nothing unusual is going on; else NULL. */
ProtocolPath *asyncio_protocol(const AsyncioPath *self);

static inline Inbox *asyncio_inbox(const AsyncioPath *self)
{
    bool compiled = self->inbox != NULL && PyObject_TypeCheck(self->inbox, self->module->types.inbox);
    return compiled ? (Inbox *)self->inbox : NULL;
}

/* Send what the protocol holds, now or joined with what follows; `size` was added. -1 with an exception set. */
int asyncio_transmit(AsyncioPath *self, ProtocolPath *protocol, Py_ssize_t size);

/* Send a large message without a copy, if nothing is in the way; 1, or 0 and -1 as protocol_send(). */
int asyncio_send_large(AsyncioPath *self, ProtocolPath *protocol, PyObject *message);

/* Take bytes; `original` holds them, NULL for what is in the buffer. None, or NULL with an exception set. */
PyObject *asyncio_take(AsyncioPath *self, const uint8_t *data, Py_ssize_t size, PyObject *original);

extern PyType_Spec asyncio_path_spec;

#endif
