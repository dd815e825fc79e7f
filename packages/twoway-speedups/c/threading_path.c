#include "threading_path.h"

#include <stddef.h>
#include <structmember.h>

#include "arguments.h"
#include "object.h"

/*
 * Where a call can be told not to wait. Without a GIL the reference is used: its attributes are read without the lock
 * here and there, which asks for more care than what is below takes.
 */
#if defined(__linux__) && !defined(Py_GIL_DISABLED)
#define QUICK
#define NOT_INLINED __attribute__((noinline))
#include <errno.h>
#include <sys/socket.h>
#endif

/* `_lock` guards the attributes and the protocol; nobody holds it across a system call. */

#ifdef QUICK

/* Call a method of the lock; -1 with an exception set, of a signal handler for example. */
static int call_lock(ThreadingPath *self, PyObject *name)
{
    PyObject *result = PyObject_CallMethodNoArgs(self->lock, name);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int acquire(ThreadingPath *self) { return call_lock(self, self->module->names.acquire); }

/* What was done cannot be undone, so that a signal has to wait; gives the exception of its handler, NULL for none. */
static PyObject *acquire_anyway(ThreadingPath *self)
{
    PyObject *exception = NULL;
    while (acquire(self) < 0) {
        Py_XSETREF(exception, take_exception());
    }
    return exception;
}

static int release(ThreadingPath *self) { return call_lock(self, self->module->names.release); }

/* Release the lock while an exception may be set, which stays. */
static void release_quietly(ThreadingPath *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (release(self) < 0) {
        PyErr_Clear();
    }
    PyErr_Restore(type, value, traceback);
}

static Inbox *get_inbox(const ThreadingPath *self)
{
    bool compiled = self->inbox != NULL && PyObject_TypeCheck(self->inbox, self->module->types.inbox);
    return compiled ? (Inbox *)self->inbox : NULL;
}

static ProtocolPath *get_protocol(const ThreadingPath *self)
{
    bool compiled = self->protocol != NULL && PyObject_TypeCheck(self->protocol, self->module->types.protocol_path);
    ProtocolPath *protocol = compiled ? (ProtocolPath *)self->protocol : NULL;
    return compiled && protocol_is_open(protocol) && protocol->output != NULL && PyList_CheckExact(protocol->output)
            && protocol->events != NULL && PyList_CheckExact(protocol->events) ? protocol : NULL;
}

/* Receiving */

/* A thread that waits holds the place for what comes on its stack, whose pages it keeps: more only where more comes. */
#define SMALL_READ 2048
#define BURST_READ 16384
#define LARGE_READ 262144

typedef struct {
    uint8_t *place;
    size_t size;
    uint8_t *large; /* what is to be freed; NULL where `place` is on the stack */
    ssize_t count;
    int error;
} Reading;

/* Wait for bytes in a system call, without lock and GIL. */
static void read_socket(int fd, Reading *reading)
{
    Py_BEGIN_ALLOW_THREADS
    reading->count = recv(fd, reading->place, reading->size, 0);
    reading->error = reading->count < 0 ? errno : 0;
    Py_END_ALLOW_THREADS
}

/* Prepare a read; the decoder knows how much of a frame is to come. */
static void plan_reading(const ProtocolPath *protocol, Reading *reading)
{
    const Reader *decoder = (Reader *)protocol->decoder;
    if (decoder->in_frame && decoder->left > BURST_READ) {
        size_t size = decoder->left < LARGE_READ ? (size_t)decoder->left : LARGE_READ;
        reading->large = PyMem_RawMalloc(size);
        if (reading->large != NULL) {
            reading->place = reading->large;
            reading->size = size;
        }
    }
}

typedef enum { MESSAGE, AGAIN, REFER, FAILED } Outcome;

/* Take a message that waits, or the role of who reads; with the lock. AGAIN means that the role was taken. */
static Outcome begin_reading(ThreadingPath *self, PyObject **message, Reading *reading)
{
    Inbox *inbox = get_inbox(self);
    if (inbox == NULL || !is_unset(self->reader) || !is_unset(self->receiver) || !is_unset(self->parts)
        || !self->reading) {
        return REFER;
    }
    *message = inbox_get(inbox);
    if (*message != NULL) {
        return MESSAGE;
    }
    ProtocolPath *protocol = get_protocol(self);
    if (PyErr_Occurred() || self->watched || self->fd < 0 || protocol == NULL || !protocol_can_receive(protocol)
        || protocol->failure != Py_None) {
        return PyErr_Occurred() ? FAILED : REFER;
    }
    PyObject *me = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
    if (me == NULL) {
        return FAILED;
    }
    Py_XSETREF(self->reader, Py_NewRef(me));
    Py_XSETREF(self->receiver, me);
    self->turn++;
    plan_reading(protocol, reading);
    return AGAIN;
}

/* Put messages into the inbox; 1 if that is all that there is to do, 0 if the reference has to look, -1 on error. */
static int keep(ThreadingPath *self, Inbox *inbox, PyObject *items)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        if (inbox_put(inbox, PyList_GET_ITEM(items, i)) < 0) {
            return -1;
        }
    }
    return !(self->watched && inbox_is_full(inbox)) && !self->waiters;
}

/* Give bytes to the protocol, with the lock; 1, 0 and -1 as above. */
static int take_in(ThreadingPath *self, const uint8_t *data, Py_ssize_t size)
{
    ProtocolPath *protocol = get_protocol(self);
    Inbox *inbox = get_inbox(self);
    double time = read_clock(self->module->clock);
    bool whole;
    if (time == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (protocol == NULL || inbox == NULL || !protocol_can_receive(protocol) || protocol->failure != Py_None
        || PyList_GET_SIZE(protocol->events)) {
        PyObject *result = PyObject_CallMethod(self->protocol, "receive_data", "y#d", (const char *)data, size, time);
        Py_XDECREF(result);
        return result == NULL ? -1 : 0;
    }
    PyObject *items = protocol_feed(protocol, data, size, time, &whole);
    int status = items == NULL ? -1 : whole ? keep(self, inbox, items) : protocol_take(protocol, items, time);
    Py_XDECREF(items);
    return status;
}

/* Have the reference do what follows from a read. */
static int read_out(ThreadingPath *self, PyObject *data, PyObject *error)
{
    PyObject *arguments[] = {(PyObject *)self, data, error};
    PyObject *result = PyObject_VectorcallMethod(self->module->names._read_out, arguments, 3, NULL);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int read_out_end(ThreadingPath *self, const Reading *reading)
{
    PyObject *data = Py_NewRef(Py_None), *error = Py_NewRef(Py_None);
    int status = -1;
    if (reading->count == 0) {
        Py_SETREF(data, PyBytes_FromStringAndSize(NULL, 0));
    } else {
        errno = reading->error;
        PyErr_SetFromErrno(PyExc_OSError);
        Py_SETREF(error, take_exception());
    }
    if (data != NULL) {
        status = read_out(self, data, error);
    }
    Py_XDECREF(data);
    Py_DECREF(error);
    return status;
}

/* End the call that receives: the roles are given back. Called with the lock. */
static void unclaim(ThreadingPath *self, bool reader_too)
{
    Inbox *inbox = get_inbox(self);
    if (reader_too) {
        Py_XSETREF(self->reader, Py_NewRef(Py_None));
    }
    Py_XSETREF(self->receiver, Py_NewRef(Py_None));
    if (inbox != NULL) {
        inbox->wanted = 0;
    }
}

/* As the reference does when something has happened while the call waited. */
static int leave(ThreadingPath *self)
{
    PyObject *result = PyObject_CallMethodNoArgs((PyObject *)self, self->module->names._leave);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Leave although an exception is set, which stays. */
static Outcome leave_failed(ThreadingPath *self)
{
    PyObject *exception = take_exception();
    if (leave(self) < 0) {
        PyErr_Clear();
    }
    raise_exception(exception);
    return FAILED;
}

/* Take what a read gave; the call holds the roles of reader and receiver, and gives them back. */
static Outcome end_reading(ThreadingPath *self, const Reading *reading, PyObject **message)
{
    if (reading->count <= 0) {
        return read_out_end(self, reading) < 0 ? leave_failed(self) : leave(self) < 0 ? FAILED : REFER;
    }
    PyObject *exception = acquire_anyway(self);
    self->burst = (size_t)reading->count >= SMALL_READ;
    int status = take_in(self, reading->place, reading->count);
    if (status > 0 && exception == NULL && !self->tell) { /* the usual case */
        Inbox *inbox = get_inbox(self);
        *message = inbox == NULL ? NULL : inbox_get(inbox);
        unclaim(self, true);
        if (*message == NULL && PyErr_Occurred()) {
            release_quietly(self);
            return FAILED;
        }
        return release(self) < 0 ? FAILED : *message != NULL ? MESSAGE : AGAIN;
    }
    release_quietly(self);
    if (status < 0) { /* nobody knows what became of the bytes */
        Py_XSETREF(exception, take_exception());
        PyObject *result = PyObject_CallMethodOneArg((PyObject *)self, self->module->names.break_off, exception);
        Py_XDECREF(result);
        PyErr_Clear();
        raise_exception(exception);
        return leave_failed(self);
    }
    if (read_out(self, Py_None, Py_None) < 0) { /* gives back the role, and looks at what else there is */
        Py_XDECREF(exception);
        return leave_failed(self);
    }
    if (exception != NULL) {
        raise_exception(exception);
        return leave_failed(self);
    }
    return leave(self) < 0 ? FAILED : AGAIN;
}

static Outcome receive_into(ThreadingPath *self, uint8_t *place, size_t size, PyObject **message)
{
    Reading reading = {.place = place, .size = size, .large = NULL};
    if (acquire(self) < 0) {
        return FAILED;
    }
    Outcome outcome = begin_reading(self, message, &reading);
    release_quietly(self);
    if (outcome != AGAIN) {
        return outcome;
    }
    for (;;) {
        read_socket(self->fd, &reading);
        if (reading.count >= 0 || reading.error != EINTR) {
            break;
        }
        if (PyErr_CheckSignals() < 0) { /* nothing was read */
            PyMem_RawFree(reading.large);
            return leave_failed(self);
        }
    }
    outcome = end_reading(self, &reading, message);
    PyMem_RawFree(reading.large);
    return outcome;
}

NOT_INLINED static Outcome receive_little(ThreadingPath *self, PyObject **message)
{
    uint8_t place[SMALL_READ];
    return receive_into(self, place, sizeof place, message);
}

NOT_INLINED static Outcome receive_burst(ThreadingPath *self, PyObject **message)
{
    uint8_t place[BURST_READ];
    return receive_into(self, place, sizeof place, message);
}

/* Give a message, or NULL: with an exception, or for the reference to do it. */
static PyObject *receive_quickly(ThreadingPath *self)
{
    PyObject *message = NULL;
    Outcome outcome = AGAIN;
    while (outcome == AGAIN) {
        outcome = self->burst ? receive_burst(self, &message) : receive_little(self, &message);
    }
    return outcome == MESSAGE ? message : NULL;
}

/* Sending */

/* Have the reference go on after a write; the call holds the role of who writes. */
static int wrote(ThreadingPath *self, PyObject *data, Py_ssize_t sent, int code)
{
    PyObject *number = PyLong_FromSsize_t(sent < 0 ? 0 : sent), *error = Py_NewRef(Py_None), *result = NULL;
    if (sent < 0 && code != EAGAIN && code != EWOULDBLOCK && code != EINTR) {
        errno = code;
        PyErr_SetFromErrno(PyExc_OSError);
        Py_SETREF(error, take_exception());
    }
    if (number != NULL) {
        PyObject *arguments[] = {(PyObject *)self, data, number, error};
        result = PyObject_VectorcallMethod(self->module->names._wrote, arguments, 4, NULL);
    }
    Py_XDECREF(number);
    Py_DECREF(error);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static bool may_send(const ThreadingPath *self)
{
    return self->fd >= 0 && self->writable && !self->writing && !self->stuck && !self->shut
        && is_unset(self->fragmenting) && self->rest != NULL && PyBytes_CheckExact(self->rest)
        && PyBytes_GET_SIZE(self->rest) == 0;
}

/* Whether nothing waits to be written; -1 with an exception set. */
static int is_outbox_empty(ThreadingPath *self)
{
    PyObject *size = PyObject_GetAttr(self->outbox, self->module->names.size);
    int is_empty = size == NULL ? -1 : PyObject_Not(size);
    Py_XDECREF(size);
    return is_empty;
}

/* Make the frame and take the role of who writes, with the lock; 1, or 0 and -1 as in protocol_send(). */
static int begin_sending(ThreadingPath *self, PyObject *message, PyObject **frame)
{
    ProtocolPath *protocol = get_protocol(self);
    if (protocol == NULL || !may_send(self) || PyList_GET_SIZE(protocol->output)) {
        return 0;
    }
    int status = is_outbox_empty(self);
    if (status > 0) {
        status = protocol_send(protocol, message, NULL); /* a signal in an extension's work would go unnoticed */
    }
    if (status > 0) {
        *frame = Py_NewRef(PyList_GET_ITEM(protocol->output, 0));
        status = PyList_SetSlice(protocol->output, 0, 1, NULL) < 0 ? -1 : 1;
        Py_SETREF(self->rest, Py_NewRef(*frame));
        self->writing = 1;
    }
    return status;
}

/* Take note of a whole frame that was written; 1 if that is all there is to do, with the lock. */
static int end_sending(ThreadingPath *self)
{
    const ProtocolPath *protocol = get_protocol(self);
    int is_empty = is_outbox_empty(self);
    if (is_empty <= 0 || protocol == NULL || !self->writable || PyList_GET_SIZE(protocol->output)) {
        return is_empty < 0 ? -1 : 0;
    }
    PyObject *empty = PyBytes_FromStringAndSize(NULL, 0);
    if (empty == NULL) {
        return -1;
    }
    Py_SETREF(self->rest, empty);
    self->writing = 0;
    return 1;
}

/* Write a frame in one system call, which does not wait. */
static int write_frame(ThreadingPath *self, PyObject *frame)
{
    const char *data = PyBytes_AS_STRING(frame);
    size_t size = (size_t)PyBytes_GET_SIZE(frame);
    ssize_t sent;
    int code, fd = self->fd;
    Py_BEGIN_ALLOW_THREADS
    sent = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    code = errno;
    Py_END_ALLOW_THREADS
    if (sent != (ssize_t)size) {
        return wrote(self, frame, sent, code);
    }
    PyObject *exception = acquire_anyway(self);
    int status = end_sending(self);
    release_quietly(self);
    if (status == 0) {
        status = wrote(self, frame, sent, 0);
    }
    if (exception != NULL) {
        PyErr_Clear();
        raise_exception(exception);
        return -1;
    }
    return status < 0 ? -1 : 0;
}

/* 1: done; 0: the reference has to do it; -1: an exception is set. */
static int send_quickly(ThreadingPath *self, PyObject *message)
{
    PyObject *frame = NULL;
    if (acquire(self) < 0) {
        return -1;
    }
    int status = begin_sending(self, message, &frame);
    release_quietly(self);
    if (status > 0) {
        status = write_frame(self, frame) < 0 ? -1 : 1;
    }
    Py_XDECREF(frame);
    return status;
}

#else

static PyObject *receive_quickly(ThreadingPath *Py_UNUSED(self)) { return NULL; }
static int send_quickly(ThreadingPath *Py_UNUSED(self), PyObject *Py_UNUSED(message)) { return 0; }

#endif

/* Calls */

static PyObject *recv_method(PyObject *object, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"timeout", "decode"};
    static const Signature signature = {"recv", 0, 2, 2, names};
    ThreadingPath *self = (ThreadingPath *)object;
    PyObject *arguments[2], *message = NULL;
    if (arguments_take(&signature, given, count, keywords, arguments) < 0) {
        return NULL;
    }
    PyObject *timeout = arguments[0] == NULL ? Py_None : arguments[0];
    PyObject *decode = arguments[1] == NULL ? Py_None : arguments[1];
    if (timeout == Py_None) {
        message = receive_quickly(self);
    }
    if (message == NULL) {
        PyObject *all[] = {object, timeout, decode};
        return PyErr_Occurred() ? NULL : PyObject_Vectorcall(self->module->threading.recv, all, 3, NULL);
    }
    if (decode != Py_None) {
        PyObject *both[] = {message, decode};
        Py_SETREF(message, PyObject_Vectorcall(self->module->convert, both, 2, NULL));
    }
    return message;
}

static PyObject *send_method(PyObject *object, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    ThreadingPath *self = (ThreadingPath *)object;
    PyObject *arguments[6] = {object};
    if (count == 1 && keywords == NULL && (PyUnicode_CheckExact(given[0]) || PyBytes_CheckExact(given[0]))) {
        int status = send_quickly(self, given[0]);
        if (status != 0) {
            if (status > 0 && !self->writable) {
                return PyObject_CallMethodNoArgs(object, self->module->names._sent);
            }
            return status < 0 ? NULL : Py_NewRef(Py_True);
        }
    }
    Py_ssize_t all = count + (keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords));
    if (all > 5) {
        return PyErr_Format(PyExc_TypeError, "send() takes at most 4 arguments, not %zd", all);
    }
    memcpy(arguments + 1, given, (size_t)all * sizeof(PyObject *));
    return PyObject_Vectorcall(self->module->threading.send, arguments, (size_t)count + 1, keywords);
}

/* The class */

#define FOR_EACH_OBJECT(X)                                                                                             \
    X(fragmenting) X(inbox) X(lock) X(outbox) X(parts) X(protocol) X(reader) X(receiver) X(rest) X(slow_consumer) X(tls)

DEFINE_NEW(ThreadingPath, self->fd = -1)

DEFINE_LIFE(ThreadingPath, FOR_EACH_OBJECT)

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef methods[] = {
    {"recv", FAST(recv_method),
     "recv($self, timeout=None, decode=None)\n--\n\nReceive the next message. A timeout loses nothing."},
    {"send", FAST(send_method),
     "send($self, message, *, text=None, compress=None, timeout=None)\n--\n\nSend a message."},
    {NULL, NULL, 0, NULL},
};

#define OBJECT(name) {"_" #name, T_OBJECT_EX, offsetof(ThreadingPath, name), 0, NULL}
#define FLAG(name) {"_" #name, T_BOOL, offsetof(ThreadingPath, name), 0, NULL}

static PyMemberDef members[] = {
    OBJECT(fragmenting), OBJECT(inbox), OBJECT(lock), OBJECT(outbox), OBJECT(parts), OBJECT(reader), OBJECT(receiver),
    OBJECT(rest), OBJECT(slow_consumer), OBJECT(tls), FLAG(dropping), FLAG(eof), FLAG(reading), FLAG(shut), FLAG(stuck),
    FLAG(tell), FLAG(watched), FLAG(writable), FLAG(writing),
    {"protocol", T_OBJECT_EX, offsetof(ThreadingPath, protocol), 0, NULL},
    {"_fd", T_INT, offsetof(ThreadingPath, fd), 0, NULL},
    {"_turn", T_PYSSIZET, offsetof(ThreadingPath, turn), 0, NULL},
    {"_waiters", T_PYSSIZET, offsetof(ThreadingPath, waiters), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Be the part of `Connection` that receives and sends whole messages."},
    {Py_tp_new, new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec threading_path_spec = {
    .name = "twoway.threading.ThreadingPath",
    .basicsize = sizeof(ThreadingPath),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
