#include "asyncio_path.h"

#include <math.h>
#include <stddef.h>
#include <structmember.h>

#include "arguments.h"
#include "call.h"
#include "gather.h"
#include "object.h"
#include "socket_path.h"
#include "view.h"
#include "waiter.h"

/* Frames that wait for the end of the loop's iteration leave at once when they hold more than this; bytes. */
#define JOIN_LIMIT LARGE_MESSAGE
/* A write that comes so soon after another one is taken for a part of the same burst; seconds. */
#define BURST 0.001

ProtocolPath *asyncio_protocol(const AsyncioPath *self)
{
    if (self->protocol == NULL || !PyObject_TypeCheck(self->protocol, self->module->types.protocol_path)) {
        return NULL;
    }
    ProtocolPath *protocol = (ProtocolPath *)self->protocol;
    return protocol_is_open(protocol) ? protocol : NULL;
}

/* Call a method without arguments whose result does not matter; -1 with an exception set. */
static int call(AsyncioPath *self, PyObject *name)
{
    PyObject *result = PyObject_CallMethodNoArgs((PyObject *)self, name);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Writing */

/* Give what the protocol has to send as one object; NULL with no exception for nothing. */
static PyObject *join_output(ProtocolPath *protocol)
{
    PyObject *list = protocol->output;
    if (list == NULL || !PyList_CheckExact(list) || PyList_GET_SIZE(list) == 0) {
        return NULL;
    }
    PyObject *joined;
    if (PyList_GET_SIZE(list) == 1) {
        joined = Py_NewRef(PyList_GET_ITEM(list, 0));
    } else {
        PyObject *empty = PyBytes_FromStringAndSize(NULL, 0);
        joined = empty == NULL ? NULL : PyObject_CallMethod(empty, "join", "O", list);
        Py_XDECREF(empty);
    }
    if (joined != NULL && PyList_SetSlice(list, 0, PyList_GET_SIZE(list), NULL) < 0) {
        Py_CLEAR(joined);
    }
    return joined;
}

/* The transport if it is one of ours; else NULL. */
static SocketPath *own_transport(const AsyncioPath *self)
{
    PyTypeObject *type = self->module->types.socket_path; /* NULL where there is none */
    return type != NULL && PyObject_TypeCheck(self->transport, type) ? (SocketPath *)self->transport : NULL;
}

static int write_output(AsyncioPath *self, PyObject *output)
{
    SocketPath *own = own_transport(self);
    if (own != NULL) {
        self->fresh = false;
        self->writable &= !own->closing; /* see below */
        return own->closing ? 0 : socket_write(own, output);
    }
    PyObject *transport = Py_NewRef(self->transport), *closing = NULL, *result = NULL;
    int is_closing = 0;
    if (!self->fresh) {
        closing = PyObject_CallMethodNoArgs(transport, self->module->names.is_closing);
        is_closing = closing == NULL ? -1 : PyObject_IsTrue(closing);
    }
    self->fresh = false;
    if (is_closing > 0) {
        /* A write has failed, and `connection_lost` will say so: whoever sends must wait for that. */
        self->writable = 0;
        result = Py_NewRef(Py_None);
    } else if (is_closing == 0) {
        result = PyObject_CallMethodOneArg(transport, self->module->names.write, output);
    }
    Py_XDECREF(closing);
    Py_XDECREF(result);
    Py_DECREF(transport);
    return result == NULL ? -1 : 0;
}

static int flush(AsyncioPath *self, ProtocolPath *protocol)
{
    PyObject *output = join_output(protocol);
    self->unsent = 0;
    if (output == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    int status = 0;
    if (!self->shut && self->transport != NULL && self->transport != Py_None) {
        status = write_output(self, output);
    }
    Py_DECREF(output);
    return status;
}

/* Have the loop flush when its iteration ends. */
static int flush_soon(AsyncioPath *self)
{
    State *module = self->module;
    PyObject *method = PyObject_GetAttr((PyObject *)self, module->names._flush_joined), *handle = NULL;
    if (method != NULL) {
        handle = PyObject_CallMethodOneArg(self->loop, module->names.call_soon, method);
        Py_DECREF(method);
    }
    Py_XDECREF(handle);
    self->flushing = handle != NULL;
    return handle == NULL ? -1 : 0;
}

int asyncio_transmit(AsyncioPath *self, ProtocolPath *protocol, Py_ssize_t size)
{
    Inbox *inbox = asyncio_inbox(self);
    bool more = inbox != NULL && inbox->count > 0;
    self->unsent += size;
    if (self->unsent > JOIN_LIMIT) {
        return flush(self, protocol);
    }
    if (self->stepping) {
        if (more || self->wrote) {
            return 0; /* leaves when the task waits again */
        }
        self->wrote = true;
        return flush(self, protocol);
    }
    if (self->flushing) {
        return 0;
    }
    double time = read_clock(self->module->monotonic);
    if (time == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (more || time - self->wrote_at < BURST) {
        return flush_soon(self);
    }
    self->wrote_at = time;
    return flush(self, protocol);
}

/* Give the descriptor of a socket for which nothing waits to be written; -1 if the transport has to do it. */
static int free_descriptor(AsyncioPath *self)
{
    SocketPath *own = own_transport(self);
    if (own != NULL) {
        return own->closing || socket_is_filled(own) ? -1 : own->fd;
    }
    PyObject *arguments[] = {self->transport, self->loop};
    PyObject *number = PyObject_Vectorcall(self->module->free_descriptor, arguments, 2, NULL);
    int fd = number == NULL ? -1 : (int)PyLong_AsLong(number);
    Py_XDECREF(number);
    return fd;
}

int asyncio_send_large(AsyncioPath *self, ProtocolPath *protocol, PyObject *message)
{
    Gather gather;
    bool alone = protocol->plain && !protocol->masked && !self->flushing && !self->shut && self->transport != NULL
        && protocol->output != NULL && PyList_CheckExact(protocol->output) && PyList_GET_SIZE(protocol->output) == 0;
    if (!alone || !gather_open(&gather, message)) {
        return 0;
    }
    int fd = free_descriptor(self);
    if (fd < 0) {
        return PyErr_Occurred() ? -1 : 0;
    }
    protocol->active = 1;
    self->wrote = true;
    SocketPath *own = own_transport(self);
    Py_ssize_t size = (Py_ssize_t)(gather.used + gather.size), written = gather_write(&gather, fd);
    if (written < 0) { /* others meet the error again when they write the rest */
        written = own == NULL ? 0 : socket_settle(own, written);
    }
    if (written < 0 || written == size || (own != NULL && own->lost)) {
        return written < 0 ? -1 : 1;
    }
    PyObject *rest = gather_rest(&gather, (size_t)written);
    int status = rest == NULL ? -1 : write_output(self, rest);
    Py_XDECREF(rest);
    return status < 0 ? -1 : 1;
}

/* The protocol in whatever state; NULL with TypeError set if it is something else. */
static ProtocolPath *any_protocol(AsyncioPath *self)
{
    if (self->protocol != NULL && PyObject_TypeCheck(self->protocol, self->module->types.protocol_path)) {
        return (ProtocolPath *)self->protocol;
    }
    PyErr_SetString(PyExc_TypeError, "protocol must be a Protocol");
    return NULL;
}

static PyObject *transmit_method(PyObject *object, PyObject *argument)
{
    AsyncioPath *self = (AsyncioPath *)object;
    ProtocolPath *protocol = any_protocol(self);
    Py_ssize_t size = protocol == NULL ? -1 : PyLong_AsSsize_t(argument);
    if (protocol == NULL || (size == -1 && PyErr_Occurred())) {
        return NULL;
    }
    return asyncio_transmit(self, protocol, size) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *flush_method(PyObject *object, PyObject *Py_UNUSED(unused))
{
    AsyncioPath *self = (AsyncioPath *)object;
    ProtocolPath *protocol = any_protocol(self);
    return protocol == NULL || flush(self, protocol) < 0 ? NULL : Py_NewRef(Py_None);
}

/* Receiving */

/* Have the task that waits for a message go on, and send what it wrote. */
static int wake(AsyncioPath *self, ProtocolPath *protocol)
{
    PyObject *receiver = self->receiver;
    if (receiver == NULL || receiver == Py_None) {
        return 0;
    }
    if (Py_TYPE(receiver) != self->module->types.waiter) {
        return call(self, self->module->names._wake);
    }
    Py_INCREF(receiver);
    self->stepping = true;
    self->wrote = false;
    self->fresh = true;
    int status = waiter_wake((Waiter *)receiver);
    self->stepping = self->fresh = false;
    Py_DECREF(receiver);
    if (status == 0 && !self->flushing && protocol->output != NULL && PyList_CheckExact(protocol->output)
        && PyList_GET_SIZE(protocol->output) > 0) {
        status = flush(self, protocol);
    }
    return status;
}

/* Put all into the inbox; -1 with an exception set. */
static int put_all(Inbox *inbox, PyObject *items)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        if (inbox_put(inbox, PyList_GET_ITEM(items, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Do what the reference does, where that is more than to hand over messages. */
static int received(AsyncioPath *self, ProtocolPath *protocol, PyObject *items, double time, bool whole)
{
    int status;
    if (whole) {
        Py_ssize_t end = PyList_GET_SIZE(protocol->events);
        status = PyList_SetSlice(protocol->events, end, end, items);
    } else {
        status = protocol_take(protocol, items, time);
    }
    return status < 0 ? -1 : call(self, self->module->names._received);
}

static int receive(AsyncioPath *self, ProtocolPath *protocol, Inbox *inbox, const uint8_t *data, Py_ssize_t size)
{
    bool whole = false;
    double time = read_clock(self->module->monotonic);
    if (time == -1 && PyErr_Occurred()) {
        return -1;
    }
    PyObject *items = protocol_feed(protocol, data, size, time, &whole);
    if (items == NULL) {
        return -1;
    }
    int status;
    self->wrote_at = -INFINITY;
    if (!whole || self->dropping || protocol->failure != Py_None || PyList_GET_SIZE(protocol->events)) {
        status = received(self, protocol, items, time, whole);
    } else {
        status = put_all(inbox, items);
        if (status == 0 && inbox->count) {
            status = wake(self, protocol);
        }
        if (status == 0 && self->reading && inbox_is_full(inbox)) { /* what has waited could not take enough */
            status = call(self, self->module->names._pause_reading);
        }
    }
    Py_DECREF(items);
    return status;
}

/* Have the reference take bytes; `original` holds them, NULL for what is in the buffer. */
static PyObject *refer(AsyncioPath *self, Py_ssize_t size, PyObject *original)
{
    PyObject *data = original == NULL ? PySequence_GetSlice(self->buffer, 0, size) : Py_NewRef(original);
    if (data == NULL) {
        return NULL;
    }
    PyObject *arguments[] = {(PyObject *)self, data};
    PyObject *result = PyObject_Vectorcall(self->module->asyncio.data_received, arguments, 2, NULL);
    Py_DECREF(data);
    return result;
}

PyObject *asyncio_take(AsyncioPath *self, const uint8_t *data, Py_ssize_t size, PyObject *original)
{
    ProtocolPath *protocol = asyncio_protocol(self);
    Inbox *inbox = asyncio_inbox(self);
    if (protocol == NULL || inbox == NULL || size == 0 || !protocol_can_receive(protocol) || protocol->events == NULL
        || !PyList_CheckExact(protocol->events)) {
        return refer(self, size, original);
    }
    Py_INCREF(self);
    Py_INCREF(protocol);
    Py_INCREF(inbox);
    int status = receive(self, protocol, inbox, data, size);
    Py_DECREF(inbox);
    Py_DECREF(protocol);
    Py_DECREF(self);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *data_received(PyObject *self, PyObject *data)
{
    View view;
    if (view_open(&view, data) < 0) {
        return NULL;
    }
    PyObject *result = asyncio_take((AsyncioPath *)self, view.data, view.size, data);
    view_close(&view);
    return result;
}

static PyObject *buffer_updated(PyObject *object, PyObject *argument)
{
    AsyncioPath *self = (AsyncioPath *)object;
    Py_ssize_t size = PyLong_AsSsize_t(argument);
    if (size == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (self->buffer == NULL || !PyMemoryView_Check(self->buffer) || size < 0
        || size > PyMemoryView_GET_BUFFER(self->buffer)->len) {
        return PyErr_Format(PyExc_ValueError, "there is no room for %zd bytes", size);
    }
    PyObject *buffer = Py_NewRef(self->buffer);
    PyObject *result = asyncio_take(self, PyMemoryView_GET_BUFFER(buffer)->buf, size, NULL);
    Py_DECREF(buffer);
    return result;
}

static PyObject *get_buffer(PyObject *object, PyObject *Py_UNUSED(sizehint))
{
    PyObject *buffer = ((AsyncioPath *)object)->buffer;
    if (buffer == NULL) {
        PyErr_SetString(PyExc_AttributeError, "_buffer");
        return NULL;
    }
    return Py_NewRef(buffer);
}

/* Calls */

static PyObject *recv_method(PyObject *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"decode"};
    static const Signature signature = {"recv", 0, 1, 1, names};
    PyObject *decode;
    if (arguments_take(&signature, given, count, keywords, &decode) < 0) {
        return NULL;
    }
    return call_recv((AsyncioPath *)self, decode);
}

static PyObject *send_method(PyObject *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"message", "text", "compress"};
    static const Signature signature = {"send", 1, 1, 3, names};
    PyObject *arguments[3];
    if (arguments_take(&signature, given, count, keywords, arguments) < 0) {
        return NULL;
    }
    return call_send((AsyncioPath *)self, arguments[0], arguments[1], arguments[2]);
}

/* Send what another connection has serialized already; 1, or 0 and -1 as in protocol_send(). */
static int send_shared(AsyncioPath *self, PyObject *message)
{
    ProtocolPath *protocol = asyncio_protocol(self);
    if (protocol == NULL || !protocol->plain || protocol->masked || !self->writable || protocol->output == NULL
        || !PyList_CheckExact(protocol->output)) {
        return 0;
    }
    PyObject *frame = PyObject_GetAttr(message, self->module->names.frame);
    int status = frame == NULL ? -1 : PyBytes_CheckExact(frame);
    if (status > 0) {
        protocol->active = 1;
        Py_INCREF(protocol);
        status = PyList_Append(protocol->output, frame) < 0
            || asyncio_transmit(self, protocol, PyBytes_GET_SIZE(frame)) < 0 ? -1 : 1;
        Py_DECREF(protocol);
    }
    Py_XDECREF(frame);
    return status;
}

static PyObject *send_shared_method(PyObject *object, PyObject *message)
{
    AsyncioPath *self = (AsyncioPath *)object;
    int status = send_shared(self, message);
    if (status == 0) {
        PyObject *arguments[] = {object, message};
        return PyObject_Vectorcall(self->module->asyncio._send_shared, arguments, 2, NULL);
    }
    return status < 0 ? NULL : Py_NewRef(Py_True);
}

static PyObject *anext_method(PyObject *self) { return call_anext((AsyncioPath *)self); }

/* The class */

#define FOR_EACH_OBJECT(X)                                                                                             \
    X(buffer) X(closed) X(fragmented) X(inbox) X(loop) X(parts) X(protocol) X(receiver) X(receiving) X(slow_consumer)  \
    X(transport)

/* The task that waits for a message, None if there is none. */
static PyObject *get_receiving(PyObject *object, void *Py_UNUSED(closure))
{
    AsyncioPath *self = (AsyncioPath *)object;
    if (self->receiver != NULL && Py_TYPE(self->receiver) == self->module->types.waiter) {
        PyObject *callback = ((Waiter *)self->receiver)->callback;
        bool bound = callback != NULL && (PyCFunction_Check(callback) || PyMethod_Check(callback));
        return bound ? PyObject_GetAttrString(callback, "__self__") : Py_NewRef(Py_None);
    }
    return Py_NewRef(self->receiving == NULL ? Py_None : self->receiving);
}

static int set_receiving(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    Py_XSETREF(((AsyncioPath *)object)->receiving, Py_XNewRef(value));
    return 0;
}

DEFINE_NEW(AsyncioPath, )

DEFINE_LIFE(AsyncioPath, FOR_EACH_OBJECT)

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef methods[] = {
    {"get_buffer", get_buffer, METH_O, "get_buffer($self, sizehint, /)\n--\n\nGive room for bytes; asyncio calls this."},
    {"buffer_updated", buffer_updated, METH_O,
     "buffer_updated($self, nbytes, /)\n--\n\nTake the bytes that are there now; asyncio calls this."},
    {"data_received", data_received, METH_O, "data_received($self, data, /)\n--\n\nTake bytes."},
    {"recv", FAST(recv_method), "recv($self, decode=None)\n--\n\nReceive the next message. Cancelling loses nothing."},
    {"send", FAST(send_method), "send($self, message, *, text=None, compress=None)\n--\n\nSend a message."},
    {"_send_shared", send_shared_method, METH_O, NULL},
    {"_transmit", transmit_method, METH_O, NULL},
    {"_flush", flush_method, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

#define OBJECT(name) {"_" #name, T_OBJECT_EX, offsetof(AsyncioPath, name), 0, NULL}
#define FLAG(name) {"_" #name, T_BOOL, offsetof(AsyncioPath, name), 0, NULL}

static PyMemberDef members[] = {
    OBJECT(buffer), OBJECT(closed), OBJECT(fragmented), OBJECT(inbox), OBJECT(loop), OBJECT(parts), OBJECT(receiver),
    OBJECT(slow_consumer), FLAG(dropping), FLAG(flushing), FLAG(reading), FLAG(shut), FLAG(writable),
    {"protocol", T_OBJECT_EX, offsetof(AsyncioPath, protocol), 0, NULL},
    {"transport", T_OBJECT_EX, offsetof(AsyncioPath, transport), 0, NULL},
    {"_unsent", T_PYSSIZET, offsetof(AsyncioPath, unsent), 0, NULL},
    {"_wrote_at", T_DOUBLE, offsetof(AsyncioPath, wrote_at), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"_receiving", get_receiving, set_receiving, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Be the part of `Connection` that receives and sends whole messages."},
    {Py_tp_new, new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_am_aiter, PyObject_SelfIter},
    {Py_am_anext, anext_method},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, attributes},
    {0, NULL},
};

PyType_Spec asyncio_path_spec = {
    .name = "twoway.asyncio.AsyncioPath",
    .basicsize = sizeof(AsyncioPath),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
