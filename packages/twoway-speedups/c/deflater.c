/* Messages to compressed payloads: RFC 7692 section 7.2.1. */
#include "deflate_path.h"

#include <stddef.h>
#include <structmember.h>

#include "object.h"

#define SYNC_FLUSH 2
#define TAIL_SIZE 4

/* Take the compressor that waits for the next message; NULL if there is none, or if a message is under way. */
static PyObject *take_idle(Deflater *self)
{
    PyObject *compressor = NULL;
    Py_BEGIN_CRITICAL_SECTION((PyObject *)self);
    if (!is_unset(self->idle) && self->active == Py_None) {
        compressor = self->idle;
        self->idle = Py_NewRef(Py_None);
    }
    Py_END_CRITICAL_SECTION();
    return compressor;
}

/* Have a compressor wait for the next message; takes the reference. */
static void keep_idle(Deflater *self, PyObject *compressor)
{
    PyObject *old;
    Py_BEGIN_CRITICAL_SECTION((PyObject *)self);
    old = self->idle;
    self->idle = compressor;
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(old);
}

/* What the compressor has swallowed will never be sent: nothing may refer to it. An exception must be set. */
static void forget(Deflater *self, const State *module)
{
    PyObject *exception = take_exception();
    PyObject *result = PyObject_CallMethodNoArgs((PyObject *)self, module->names.forget);
    if (result == NULL) {
        Py_DECREF(exception);
    } else {
        Py_DECREF(result);
        raise_exception(exception);
    }
}

static PyObject *flush(const State *module, PyObject *compressor)
{
    PyObject *mode = PyLong_FromLong(SYNC_FLUSH), *arguments[] = {compressor, mode}, *tail = NULL;
    if (mode != NULL) {
        tail = PyObject_VectorcallMethod(module->names.flush, arguments, 2, NULL);
        Py_DECREF(mode);
    }
    return check_bytes(tail);
}

/* Join what compressing and flushing gave, without the last four bytes; an empty tail is as in the reference. */
static PyObject *join(PyObject *head, PyObject *tail, Py_ssize_t *size)
{
    Py_ssize_t head_size = PyBytes_GET_SIZE(head), tail_size = PyBytes_GET_SIZE(tail);
    bool empty = tail_size == 0;
    Py_ssize_t rest = empty ? 1 : tail_size > TAIL_SIZE ? tail_size - TAIL_SIZE : 0;
    *size = head_size + rest;
    if (LIKELY(head_size == 0 && !empty)) {
        return Py_NewRef(tail);
    }
    PyObject *joined = PyBytes_FromStringAndSize(NULL, *size);
    if (joined != NULL) {
        memcpy(PyBytes_AS_STRING(joined), PyBytes_AS_STRING(head), (size_t)head_size);
        memcpy(PyBytes_AS_STRING(joined) + head_size, empty ? "" : PyBytes_AS_STRING(tail), (size_t)rest);
    }
    return joined;
}

static PyObject *compress(const State *module, PyObject *compressor, PyObject *data, Py_ssize_t *size)
{
    PyObject *arguments[] = {compressor, data}, *joined = NULL;
    PyObject *head = check_bytes(PyObject_VectorcallMethod(module->names.compress, arguments, 2, NULL));
    PyObject *tail = head == NULL ? NULL : flush(module, compressor);
    if (tail != NULL) {
        joined = join(head, tail, size);
    }
    Py_XDECREF(head);
    Py_XDECREF(tail);
    return joined;
}

/* Have the reference do it. */
static PyObject *refer(Deflater *self, const State *module, PyObject *data, Py_ssize_t *size)
{
    PyObject *arguments[] = {(PyObject *)self, data, Py_True};
    PyObject *payload = check_bytes(PyObject_VectorcallMethod(module->names.deflate, arguments, 3, NULL));
    if (payload != NULL) {
        *size = PyBytes_GET_SIZE(payload);
    }
    return payload;
}

PyObject *deflater_deflate(Deflater *self, const State *module, PyObject *data, Py_ssize_t *size)
{
    PyObject *compressor = take_idle(self);
    if (compressor == NULL) {
        return refer(self, module, data, size);
    }
    PyObject *payload = compress(module, compressor, data, size);
    if (payload == NULL) {
        Py_DECREF(compressor);
        forget(self, module);
    } else {
        keep_idle(self, compressor);
    }
    return payload;
}

/* The class: what it does not have, it gets from the reference. */

#define FOR_EACH_OBJECT(X) X(active) X(count) X(history) X(history_size) X(idle) X(keep) X(keep_after) X(make)

DEFINE_LIFE(Deflater, FOR_EACH_OBJECT)

#define MEMBER(name) {"_" #name, T_OBJECT_EX, offsetof(Deflater, name), 0, NULL},

static PyMemberDef members[] = {
    FOR_EACH_OBJECT(MEMBER)
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Compress the messages of one connection, one after the other."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec deflater_spec = {
    .name = "twoway.deflate.Deflater",
    .basicsize = sizeof(Deflater),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
