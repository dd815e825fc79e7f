#include "call.h"

#include <stddef.h>

#include "object.h"
#include "waiter.h"

typedef enum { RECV, ANEXT, SEND } What;
/* WAITING: for a message, in `waiter`; INNER: the coroutine of the reference is at work. */
typedef enum { FRESH, WAITING, INNER, ENDED } Stage;

typedef struct {
    PyObject_HEAD
    AsyncioPath *connection;
    PyObject *argument; /* message to send, or `decode` of recv(); may be NULL */
    PyObject *text, *compress;
    PyObject *inner;
    PyObject *waiter;
    What kind;
    Stage stage;
} Call;

static PyObject *call_new(What kind, AsyncioPath *connection, PyObject *argument, PyObject *text, PyObject *compress)
{
    PyTypeObject *type = connection->module->types.call;
    Call *self = (Call *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->connection = (AsyncioPath *)Py_NewRef((PyObject *)connection);
        self->argument = Py_XNewRef(argument);
        self->text = Py_XNewRef(text);
        self->compress = Py_XNewRef(compress);
        self->kind = kind;
    }
    return (PyObject *)self;
}

PyObject *call_recv(AsyncioPath *connection, PyObject *decode) { return call_new(RECV, connection, decode, NULL, NULL); }

PyObject *call_anext(AsyncioPath *connection) { return call_new(ANEXT, connection, NULL, NULL, NULL); }

PyObject *call_send(AsyncioPath *connection, PyObject *message, PyObject *text, PyObject *compress)
{
    return call_new(SEND, connection, message, text, compress);
}

/* Have no part in anything any more. */
static void end(Call *self)
{
    self->stage = ENDED;
    Py_CLEAR(self->inner);
    Py_CLEAR(self->argument);
}

/* Go on in a coroutine; takes the reference, NULL if an exception is set. */
static PySendResult delegate(Call *self, PyObject *coroutine, PyObject **result)
{
    *result = NULL;
    if (coroutine == NULL) {
        end(self);
        return PYGEN_ERROR;
    }
    Py_XSETREF(self->inner, coroutine);
    self->stage = INNER;
    PySendResult outcome = PyIter_Send(self->inner, Py_None, result);
    if (outcome != PYGEN_NEXT) {
        end(self);
    }
    return outcome;
}

/* What the reference would do from here on. */
static PyObject *refer(Call *self)
{
    const State *module = self->connection->module;
    PyObject *connection = (PyObject *)self->connection;
    if (self->kind == ANEXT) {
        return PyObject_CallOneArg(module->asyncio.__anext__, connection);
    }
    if (self->kind == RECV) {
        PyObject *arguments[] = {connection, self->argument == NULL ? Py_None : self->argument};
        return PyObject_Vectorcall(module->asyncio.recv, arguments, 2, NULL);
    }
    PyObject *arguments = PyTuple_Pack(2, connection, self->argument), *keywords = PyDict_New(), *result = NULL;
    if (arguments != NULL && keywords != NULL
        && (self->text == NULL || PyDict_SetItemString(keywords, "text", self->text) == 0)
        && (self->compress == NULL || PyDict_SetItemString(keywords, "compress", self->compress) == 0)) {
        result = PyObject_Call(module->asyncio.send, arguments, keywords);
    }
    Py_XDECREF(arguments);
    Py_XDECREF(keywords);
    return result;
}

/* Receiving */

static PySendResult finish_receiving(Call *self, PyObject *message, PyObject **result)
{
    if (self->argument != NULL && self->argument != Py_None) {
        PyObject *arguments[] = {message, self->argument};
        Py_SETREF(message, PyObject_Vectorcall(self->connection->module->convert, arguments, 2, NULL));
    }
    end(self);
    *result = message;
    return message == NULL ? PYGEN_ERROR : PYGEN_RETURN;
}

/* Wait for a message; in the way of asyncio, the task gets a future. */
static PySendResult wait(Call *self, Inbox *inbox, PyObject **result)
{
    AsyncioPath *connection = self->connection;
    PyObject *waiter = waiter_new(connection->module, connection->loop);
    if (waiter == NULL) {
        end(self);
        return PYGEN_ERROR;
    }
    Py_XSETREF(self->waiter, Py_NewRef(waiter));
    Py_XSETREF(connection->receiver, Py_NewRef(waiter));
    inbox->wanted = 1;
    self->stage = WAITING;
    ((Waiter *)waiter)->blocking = 1;
    *result = waiter;
    return PYGEN_NEXT;
}

static PySendResult receive(Call *self, PyObject **result)
{
    AsyncioPath *connection = self->connection;
    Inbox *inbox = asyncio_inbox(connection);
    if (inbox != NULL && connection->reading && is_unset(connection->receiver) && is_unset(connection->parts)) {
        PyObject *message = inbox_get(inbox);
        if (message != NULL) {
            return finish_receiving(self, message, result);
        }
        if (PyErr_Occurred()) {
            end(self);
            return PYGEN_ERROR;
        }
        ProtocolPath *protocol = asyncio_protocol(connection);
        if (protocol != NULL && protocol->failure == Py_None) {
            return wait(self, inbox, result);
        }
    }
    return delegate(self, refer(self), result);
}

/* The call does not wait any more. */
static void leave(Call *self)
{
    AsyncioPath *connection = self->connection;
    if (self->waiter != NULL && connection->receiver == self->waiter) {
        Inbox *inbox = asyncio_inbox(connection);
        Py_SETREF(connection->receiver, Py_NewRef(Py_None));
        if (inbox != NULL) {
            inbox->wanted = 0;
        }
    }
    Py_CLEAR(self->waiter);
}

/* Sending */

static PySendResult send(Call *self, PyObject **result)
{
    AsyncioPath *connection = self->connection;
    PyObject *message = self->argument;
    ProtocolPath *protocol = asyncio_protocol(connection);
    int sent = 0, large = 0;
    Py_XINCREF(protocol);
    if (protocol != NULL && connection->writable && is_unset(connection->fragmented) && is_unset(self->text)) {
        large = sent = asyncio_send_large(connection, protocol, message);
        if (!large) {
            sent = protocol_send(protocol, message, self->compress == NULL ? Py_None : self->compress);
        }
    }
    if (sent == 0) {
        Py_XDECREF(protocol);
        return delegate(self, refer(self), result);
    }
    Py_ssize_t size = sent < 0 ? -1 : PyObject_Length(message);
    int status = size < 0 ? -1 : large ? 0 : asyncio_transmit(connection, protocol, size);
    Py_DECREF(protocol);
    if (status < 0) {
        end(self);
        return PYGEN_ERROR;
    }
    if (!connection->writable) {
        PyObject *coroutine = PyObject_CallMethodNoArgs((PyObject *)connection, connection->module->names._sent);
        return delegate(self, coroutine, result);
    }
    end(self);
    *result = Py_NewRef(Py_True);
    return PYGEN_RETURN;
}

/* The protocol of coroutines */

static PySendResult am_send(PyObject *object, PyObject *value, PyObject **result)
{
    Call *self = (Call *)object;
    *result = NULL;
    switch (self->stage) {
    case FRESH:
        if (value != Py_None) {
            PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started coroutine");
            return PYGEN_ERROR;
        }
        return self->kind == SEND ? send(self, result) : receive(self, result);
    case WAITING:
        leave(self);
        return receive(self, result);
    case INNER: {
        PyObject *inner = Py_NewRef(self->inner);
        PySendResult outcome = PyIter_Send(inner, value, result);
        Py_DECREF(inner);
        if (outcome != PYGEN_NEXT) {
            end(self);
        }
        return outcome;
    }
    case ENDED:
        break;
    }
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
    return PYGEN_ERROR;
}

/* Give what __next__, send() and throw() of a coroutine give. */
static PyObject *outcome_as_iterator(PySendResult outcome, PyObject *result)
{
    if (outcome != PYGEN_RETURN) {
        return result;
    }
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result); /* not by PyErr_SetObject: it unpacks tuples */
    Py_DECREF(result);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    return NULL;
}

static PyObject *send_value(PyObject *self, PyObject *value)
{
    PyObject *result;
    PySendResult outcome = am_send(self, value, &result);
    return outcome_as_iterator(outcome, result);
}

static PyObject *next(PyObject *self) { return send_value(self, Py_None); }

/* Raise what throw() was given, in any of its forms. */
static void raise_given(PyObject *const *given, Py_ssize_t count)
{
    PyObject *type = given[0], *value = count > 1 && given[1] != Py_None ? given[1] : NULL;
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (!PyExceptionClass_Check(type)) {
        PyErr_Format(PyExc_TypeError, "exceptions must derive from BaseException, not %s", Py_TYPE(type)->tp_name);
    } else if (value != NULL && PyExceptionInstance_Check(value)) {
        PyErr_SetObject((PyObject *)Py_TYPE(value), value);
    } else {
        PyErr_SetObject(type, value);
    }
}

static PyObject *throw(PyObject *object, PyObject *const *given, Py_ssize_t count)
{
    Call *self = (Call *)object;
    if (count < 1 || count > 3) {
        return PyErr_Format(PyExc_TypeError, "throw() takes 1 to 3 arguments, not %zd", count);
    }
    if (self->stage == INNER) {
        PyObject *inner = Py_NewRef(self->inner), *arguments[4] = {inner};
        memcpy(arguments + 1, given, (size_t)count * sizeof(PyObject *));
        PyObject *result = PyObject_VectorcallMethod(
            self->connection->module->names.throw, arguments, (size_t)count + 1, NULL
        );
        Py_DECREF(inner);
        if (result == NULL) {
            end(self);
        }
        return result;
    }
    leave(self);
    end(self);
    raise_given(given, count);
    return NULL;
}

static PyObject *close_call(PyObject *object, PyObject *Py_UNUSED(unused))
{
    Call *self = (Call *)object;
    PyObject *result = Py_NewRef(Py_None);
    if (self->stage == INNER) {
        PyObject *inner = Py_NewRef(self->inner);
        Py_SETREF(result, PyObject_CallMethodNoArgs(inner, self->connection->module->names.close));
        Py_DECREF(inner);
    }
    leave(self);
    end(self);
    return result;
}

static PyObject *get_name(PyObject *object, void *Py_UNUSED(closure))
{
    static const char *const names[] = {"Connection.recv", "Connection.__anext__", "Connection.send"};
    return PyUnicode_FromString(names[((Call *)object)->kind]);
}

/* The class */

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    Call *self = (Call *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->connection);
    Py_VISIT(self->argument);
    Py_VISIT(self->text);
    Py_VISIT(self->compress);
    Py_VISIT(self->inner);
    Py_VISIT(self->waiter);
    return 0;
}

static int clear(PyObject *object)
{
    Call *self = (Call *)object;
    if (self->connection != NULL) {
        leave(self);
    }
    end(self);
    Py_CLEAR(self->connection);
    Py_CLEAR(self->text);
    Py_CLEAR(self->compress);
    return 0;
}

static void dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"send", send_value, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))throw, METH_FASTCALL, NULL},
    {"close", close_call, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"__name__", get_name, NULL, NULL, NULL},
    {"__qualname__", get_name, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Be the coroutine of a call that receives or sends."},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, next},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, am_send},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, NULL},
};

PyType_Spec call_spec = {
    .name = "twoway.asyncio.Call",
    .basicsize = sizeof(Call),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
