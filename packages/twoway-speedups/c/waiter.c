#include "waiter.h"

#include <stddef.h>
#include <structmember.h>

#include "arguments.h"
#include "object.h"

PyObject *waiter_new(State *module, PyObject *loop)
{
    PyTypeObject *type = module->types.waiter;
    Waiter *self = (Waiter *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->module = module;
        self->loop = Py_NewRef(loop);
    }
    return (PyObject *)self;
}

/* Have the loop call back in its next round; takes the references. */
static int call_soon(Waiter *self, PyObject *callback, PyObject *context)
{
    State *module = self->module;
    PyObject *names = NULL, *result = NULL;
    PyObject *arguments[] = {self->loop, callback, (PyObject *)self, context};
    if (context == NULL) {
        result = PyObject_VectorcallMethod(module->names.call_soon, arguments, 3, NULL);
    } else if ((names = PyTuple_Pack(1, module->names.context)) != NULL) {
        result = PyObject_VectorcallMethod(module->names.call_soon, arguments, 3, names);
    }
    Py_XDECREF(names);
    Py_DECREF(callback);
    Py_XDECREF(context);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Have the loop call back soon, if there is a callback. */
static int schedule(Waiter *self)
{
    PyObject *callback = self->callback, *context = self->context;
    self->callback = self->context = NULL;
    return callback == NULL ? 0 : call_soon(self, callback, context);
}

/* Whether a callback is that of a task of asyncio: all it does with a future is to ask for the result, and how that is
 * done with any but asyncio's own takes longer than all else here. */
static bool is_of_task(const State *module, PyObject *callback)
{
    return PyCFunction_CheckExact(callback) && (PyObject *)Py_TYPE(PyCFunction_GET_SELF(callback)) == module->Task;
}

int waiter_wake(Waiter *self)
{
    if (self->done) {
        return 0;
    }
    self->done = true;
    if (self->callback == NULL) {
        return 0;
    }
    PyObject *task = PyObject_CallOneArg(self->module->current_task, self->loop);
    if (task == NULL) {
        return -1;
    }
    Py_DECREF(task);
    if (task != Py_None) { /* that one would have to be interrupted */
        return schedule(self);
    }
    PyObject *callback = self->callback, *context = self->context;
    self->callback = self->context = NULL;
    if (context != NULL && PyContext_Enter(context) < 0) { /* it is in use */
        PyErr_Clear();
        return call_soon(self, callback, context);
    }
    PyObject *future = is_of_task(self->module, callback) ? self->module->done : (PyObject *)self;
    PyObject *result = PyObject_CallOneArg(callback, future);
    if (context != NULL && PyContext_Exit(context) < 0) {
        Py_CLEAR(result);
    }
    Py_DECREF(callback);
    Py_XDECREF(context);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* What tasks call */

static PyObject *add_done_callback(PyObject *object, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"callback", "context"};
    static const Signature signature = {"add_done_callback", 1, 1, 2, names};
    Waiter *self = (Waiter *)object;
    PyObject *arguments[2];
    if (arguments_take(&signature, given, count, keywords, arguments) < 0) {
        return NULL;
    }
    if (self->callback != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "one task at a time can wait for a message");
        return NULL;
    }
    self->callback = Py_NewRef(arguments[0]);
    self->context = arguments[1] == NULL || arguments[1] == Py_None ? NULL : Py_NewRef(arguments[1]);
    if (self->done && schedule(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *remove_done_callback(PyObject *object, PyObject *callback)
{
    Waiter *self = (Waiter *)object;
    int same = self->callback == NULL ? 0 : PyObject_RichCompareBool(self->callback, callback, Py_EQ);
    if (same > 0) {
        Py_CLEAR(self->callback);
        Py_CLEAR(self->context);
    }
    return same < 0 ? NULL : PyLong_FromLong(same);
}

static PyObject *cancel(PyObject *object, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"msg"};
    static const Signature signature = {"cancel", 0, 1, 1, names};
    Waiter *self = (Waiter *)object;
    PyObject *message;
    if (arguments_take(&signature, given, count, keywords, &message) < 0) {
        return NULL;
    }
    if (self->done) {
        Py_RETURN_FALSE;
    }
    self->done = self->cancelled = true;
    Py_XSETREF(self->message, message == NULL || message == Py_None ? NULL : Py_NewRef(message));
    return schedule(self) < 0 ? NULL : Py_NewRef(Py_True);
}

static PyObject *set_result(PyObject *object, PyObject *Py_UNUSED(result))
{
    Waiter *self = (Waiter *)object;
    self->done = true;
    return schedule(self) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *get_result(PyObject *object, PyObject *Py_UNUSED(unused))
{
    Waiter *self = (Waiter *)object;
    if (!self->cancelled) {
        Py_RETURN_NONE;
    }
    if (self->message == NULL) {
        PyErr_SetNone(self->module->CancelledError);
    } else {
        PyErr_SetObject(self->module->CancelledError, self->message);
    }
    return NULL;
}

static PyObject *is_done(PyObject *self, PyObject *Py_UNUSED(unused)) { return PyBool_FromLong(((Waiter *)self)->done); }

static PyObject *is_cancelled(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return PyBool_FromLong(((Waiter *)self)->cancelled);
}

/* The class */

#define FOR_EACH_OBJECT(X) X(loop) X(callback) X(context) X(message)

DEFINE_LIFE(Waiter, FOR_EACH_OBJECT)

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef methods[] = {
    {"add_done_callback", FAST(add_done_callback), NULL},
    {"remove_done_callback", remove_done_callback, METH_O, NULL},
    {"cancel", FAST(cancel), NULL},
    {"set_result", set_result, METH_O, NULL},
    {"result", get_result, METH_NOARGS, NULL},
    {"done", is_done, METH_NOARGS, NULL},
    {"cancelled", is_cancelled, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"_asyncio_future_blocking", T_BOOL, offsetof(Waiter, blocking), 0, NULL},
    {"_loop", T_OBJECT_EX, offsetof(Waiter, loop), READONLY, NULL}, /* asked for where there is no get_loop() */
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Be what a task waits for until the next message."},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec waiter_spec = {
    .name = "twoway.asyncio.Waiter",
    .basicsize = sizeof(Waiter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
