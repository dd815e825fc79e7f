/* What every message goes through in a connection without I/O: twin of twoway.protocol.ProtocolPath. */
#ifndef TWOWAY_PROTOCOL_PATH_H
#define TWOWAY_PROTOCOL_PATH_H

#include "reader.h"

typedef struct {
    PyObject_HEAD
    State *module;
    /* Attributes that the Python code of subclasses sets and reads; NULL for those that are not set. */
    PyObject *state, *decoder, *encoder, *events, *failure, *logger, *output, *sole;
    char active, masked, plain;
    double received_at;
} ProtocolPath;

/* Whether messages can be received and sent here, without the reference. */
static inline bool protocol_is_open(const ProtocolPath *self)
{
    return self->state == self->module->OPEN && self->logger == Py_None;
}

static inline bool protocol_can_receive(const ProtocolPath *self)
{
    return protocol_is_open(self) && self->decoder != NULL && Py_TYPE(self->decoder) == self->module->types.message_decoder;
}

/*
 * Receive bytes; protocol_can_receive() must be true.
 *
 * Gives a list of what is complete. `whole` says that these are messages or fragments, and that no rule was broken;
 * else protocol_take() is to be called with them.
 */
PyObject *protocol_feed(ProtocolPath *self, const uint8_t *data, Py_ssize_t size, double now, bool *whole);
int protocol_take(ProtocolPath *self, PyObject *items, double now);

/*
 * Send a whole message, which is str for a text and bytes for a binary one.
 *
 * `compress` is for the extensions; with NULL, the message is sent only if there are none.
 * 1: done; 0: the reference has to do it; -1: an exception is set.
 */
int protocol_send(ProtocolPath *self, PyObject *message, PyObject *compress);

/* Take what is to be written; an empty list when there is nothing. */
PyObject *protocol_take_output(ProtocolPath *self);

extern PyType_Spec protocol_path_spec;

#endif
