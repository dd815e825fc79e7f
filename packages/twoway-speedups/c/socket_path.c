#include "socket_path.h"

#ifdef _WIN32 /* sockets are no small integers there: the module has no such class, and the reference is used */

int socket_write(SocketPath *Py_UNUSED(self), PyObject *Py_UNUSED(data)) { return -1; }

Py_ssize_t socket_settle(SocketPath *Py_UNUSED(self), Py_ssize_t Py_UNUSED(sent)) { return -1; }

#else

#include <errno.h>
#include <stddef.h>
#include <structmember.h>
#include <sys/socket.h>

#include "asyncio_path.h"
#include "object.h"
#include "view.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* Python ignores SIGPIPE */
#endif

/* Call a method with one argument whose result does not matter; takes the argument. -1 with an exception set. */
static int tell(SocketPath *self, PyObject *name, PyObject *argument)
{
    PyObject *result = argument == NULL ? NULL : PyObject_CallMethodOneArg((PyObject *)self, name, argument);
    Py_XDECREF(argument);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Have the reference end what the system has ended. */
static int end_by(SocketPath *self, PyObject *name)
{
    PyErr_SetFromErrno(PyExc_OSError);
    return tell(self, name, take_exception());
}

/* Have the reference report what a protocol raised. */
static int blame(SocketPath *self)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception)) { /* somebody wants to end the program */
        return -1;
    }
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    PyErr_NormalizeException(&type, &exception, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(exception, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return tell(self, self->module->names._blame, exception);
}

static bool must_wait(void) { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

/* Writing */

Py_ssize_t socket_settle(SocketPath *self, Py_ssize_t sent)
{
    return sent >= 0 ? sent : must_wait() ? 0 : end_by(self, self->module->names._drop);
}

/* Give the socket what it takes, and say how much that was; -1 with an exception set. */
static Py_ssize_t send_some(SocketPath *self, const uint8_t *data, Py_ssize_t size)
{
    Py_ssize_t sent;
    Py_BEGIN_ALLOW_THREADS
    do {
        sent = send(self->fd, data, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    Py_END_ALLOW_THREADS
    return socket_settle(self, sent);
}

static int write_some(SocketPath *self, PyObject *data, const View *view)
{
    Py_ssize_t sent = socket_is_filled(self) ? 0 : send_some(self, view->data, view->size);
    if (sent < 0 || sent == view->size || self->lost) {
        return sent < 0 ? -1 : 0;
    }
    PyObject *number = PyLong_FromSsize_t(sent), *arguments[] = {(PyObject *)self, data, number}, *result;
    result = number == NULL ? NULL : PyObject_VectorcallMethod(self->module->names._write_rest, arguments, 3, NULL);
    Py_XDECREF(number);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

int socket_write(SocketPath *self, PyObject *data)
{
    if (self->lost) {
        return 0;
    }
    View view;
    if (view_open(&view, data) < 0) {
        return -1;
    }
    Py_INCREF(self);
    int status = write_some(self, data, &view);
    Py_DECREF(self);
    view_close(&view);
    return status;
}

static PyObject *write_method(PyObject *self, PyObject *data)
{
    return socket_write((SocketPath *)self, data) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *send_method(PyObject *self, PyObject *data)
{
    View view;
    if (view_open(&view, data) < 0) {
        return NULL;
    }
    Py_ssize_t sent = send_some((SocketPath *)self, view.data, view.size);
    view_close(&view);
    return sent < 0 ? NULL : PyLong_FromSsize_t(sent);
}

/* Reading */

/* Read into a buffer, and say how much that was: -2 when there is nothing now, -1 with an exception set. */
static Py_ssize_t receive(SocketPath *self, void *room, Py_ssize_t size)
{
    Py_ssize_t received;
    Py_BEGIN_ALLOW_THREADS
    received = recv(self->fd, room, (size_t)size, MSG_DONTWAIT);
    Py_END_ALLOW_THREADS
    if (received < 0) {
        received = must_wait() || end_by(self, self->module->names._lose) == 0 ? -2 : -1;
    }
    return received;
}

/* Take what the protocol did with bytes, or with the end of them. */
static int judge(SocketPath *self, PyObject *result)
{
    Py_XDECREF(result);
    return result == NULL ? blame(self) : 0;
}

/* Read for a connection that is ours. */
static int read_directly(SocketPath *self, AsyncioPath *connection)
{
    PyObject *buffer = Py_NewRef(connection->buffer);
    Py_buffer *room = PyMemoryView_GET_BUFFER(buffer);
    Py_ssize_t size = receive(self, room->buf, room->len);
    int status = size == -1 ? -1 : 0;
    if (size == 0) {
        status = judge(self, PyObject_CallMethodNoArgs((PyObject *)self, self->module->names._read_eof));
    } else if (size > 0) {
        status = judge(self, asyncio_take(connection, room->buf, size, NULL));
    }
    Py_DECREF(buffer);
    return status;
}

static PyObject *read_ready(PyObject *object, PyObject *Py_UNUSED(unused))
{
    SocketPath *self = (SocketPath *)object;
    if (self->closing || is_unset(self->protocol)) {
        Py_RETURN_NONE;
    }
    AsyncioPath *connection = self->direct ? (AsyncioPath *)self->protocol : NULL;
    if (connection == NULL || connection->buffer == NULL || !PyMemoryView_Check(connection->buffer)) {
        return PyObject_CallMethodOneArg(self->module->SocketPath, self->module->names._read_ready, object);
    }
    Py_INCREF(self);
    Py_INCREF(connection);
    int status = read_directly(self, connection);
    Py_DECREF(connection);
    Py_DECREF(self);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

/* Facts */

static PyObject *is_closing(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return PyBool_FromLong(((SocketPath *)self)->closing);
}

static PyObject *get_write_buffer_size(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *unsent = ((SocketPath *)self)->unsent;
    return PyLong_FromSsize_t(is_unset(unsent) ? 0 : PyObject_Length(unsent));
}

static PyObject *get_protocol(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *protocol = ((SocketPath *)object)->protocol;
    if (protocol == NULL) {
        PyErr_SetString(PyExc_AttributeError, "_protocol");
    }
    return Py_XNewRef(protocol);
}

/* Whether a class has a method as it is in a base, not in a way of its own; -1 with an exception set. */
static int inherits(PyTypeObject *type, PyTypeObject *base, PyObject *name)
{
    PyObject *own = PyObject_GetAttr((PyObject *)type, name);
    PyObject *inherited = own == NULL ? NULL : PyObject_GetAttr((PyObject *)base, name);
    int same = inherited == NULL ? -1 : own == inherited;
    Py_XDECREF(own);
    Py_XDECREF(inherited);
    return same;
}

static int is_direct(const State *module, PyObject *protocol)
{
    PyTypeObject *base = module->types.asyncio_path;
    PyObject *names[] = {module->names.buffer_updated, module->names.data_received, module->names.get_buffer};
    int direct = protocol != NULL && PyObject_TypeCheck(protocol, base);
    for (int i = 0; i < 3 && direct > 0; i++) {
        direct = inherits(Py_TYPE(protocol), base, names[i]);
    }
    return direct;
}

static int set_protocol(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    SocketPath *self = (SocketPath *)object;
    int direct = is_direct(self->module, value);
    if (direct < 0) {
        return -1;
    }
    self->direct = direct;
    Py_XSETREF(self->protocol, Py_XNewRef(value));
    return 0;
}

/* The class */

#define FOR_EACH_OBJECT(X) X(loop) X(protocol) X(socket) X(unsent)

DEFINE_NEW(SocketPath, self->fd = -1)

DEFINE_LIFE(SocketPath, FOR_EACH_OBJECT)

static PyMethodDef methods[] = {
    {"is_closing", is_closing, METH_NOARGS, "is_closing($self, /)\n--\n\nTell whether the connection ends."},
    {"get_write_buffer_size", get_write_buffer_size, METH_NOARGS,
     "get_write_buffer_size($self, /)\n--\n\nSay how much waits to be written; bytes."},
    {"write", write_method, METH_O, "write($self, data, /)\n--\n\nWrite, now or when there is room."},
    {"_send", send_method, METH_O, NULL},
    {"_read_ready", read_ready, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"_closing", T_BOOL, offsetof(SocketPath, closing), 0, NULL},
    {"_fd", T_INT, offsetof(SocketPath, fd), 0, NULL},
    {"_loop", T_OBJECT_EX, offsetof(SocketPath, loop), 0, NULL},
    {"_lost", T_BOOL, offsetof(SocketPath, lost), 0, NULL},
    {"_socket", T_OBJECT_EX, offsetof(SocketPath, socket), 0, NULL},
    {"_unsent", T_OBJECT_EX, offsetof(SocketPath, unsent), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"_protocol", get_protocol, set_protocol, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Be the part of `SocketTransport` that reads and writes."},
    {Py_tp_new, new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, attributes},
    {0, NULL},
};

PyType_Spec socket_path_spec = {
    .name = "twoway.asyncio.SocketPath",
    .basicsize = sizeof(SocketPath),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

#endif
