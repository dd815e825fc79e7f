#include "inbox.h"

#include <stddef.h>
#include <structmember.h>

#include "arguments.h"

/* Fragments */

static bool is_fragment(const Inbox *self, PyObject *item)
{
    return (PyObject *)Py_TYPE(item) == self->module->Fragment;
}

/* Read a flag of a fragment; -1 with an exception set. */
static int read_flag(PyObject *fragment, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(fragment, name);
    int flag = value == NULL ? -1 : PyObject_IsTrue(value);
    Py_XDECREF(value);
    return flag;
}

static Py_ssize_t size_of(const Inbox *self, PyObject *item)
{
    if (!is_fragment(self, item)) {
        return PyObject_Length(item);
    }
    PyObject *data = PyObject_GetAttr(item, self->module->names.data);
    Py_ssize_t size = data == NULL ? -1 : PyObject_Length(data);
    Py_XDECREF(data);
    return size;
}

/* The ring */

static int grow(Inbox *self)
{
    Py_ssize_t room = self->room ? self->room * 2 : 8;
    PyObject **items = room > PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(PyObject *) ? NULL : PyMem_New(PyObject *, (size_t)room);
    if (items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < self->count; i++) {
        items[i] = self->items[(self->first + i) & (self->room - 1)];
    }
    PyMem_Free(self->items);
    self->items = items;
    self->room = room;
    self->first = 0;
    return 0;
}

int inbox_put(Inbox *self, PyObject *item)
{
    int ends = is_fragment(self, item) ? read_flag(item, self->module->names.final) : 1;
    Py_ssize_t size = self->max_size == PY_SSIZE_T_MAX ? 0 : size_of(self, item);
    if (ends < 0 || size < 0 || (self->count == self->room && grow(self) < 0)) {
        return -1;
    }
    self->items[(self->first + self->count) & (self->room - 1)] = Py_NewRef(item);
    self->count++;
    self->complete += ends;
    self->size += size;
    return 0;
}

/* Take the oldest item, which must be there; a new reference. */
static PyObject *pop(Inbox *self)
{
    PyObject *item = self->items[self->first];
    self->first = (self->first + 1) & (self->room - 1);
    self->count--;
    if (self->max_size != PY_SSIZE_T_MAX) {
        Py_ssize_t size = size_of(self, item);
        if (size < 0) { /* it had a size when it was put */
            PyErr_Clear();
        } else {
            self->size -= size;
        }
    }
    if (self->count == 0 && self->room > 64) { /* a burst is over */
        PyMem_Free(self->items);
        self->items = NULL;
        self->room = self->first = 0;
    }
    return item;
}

/* Give the data of a message whose first part is `fragment`; takes the reference. */
static PyObject *join(Inbox *self, PyObject *fragment)
{
    PyObject *parts = PyList_New(0), *result = NULL;
    int ends = parts == NULL ? -1 : 0;
    while (ends == 0) {
        PyObject *data = PyObject_GetAttr(fragment, self->module->names.data);
        ends = data == NULL || PyList_Append(parts, data) < 0 ? -1 : read_flag(fragment, self->module->names.final);
        Py_XDECREF(data);
        if (ends == 0) {
            Py_SETREF(fragment, pop(self));
        }
    }
    Py_DECREF(fragment);
    if (ends > 0) {
        bool text = PyUnicode_Check(PyList_GET_ITEM(parts, 0));
        PyObject *empty = text ? PyUnicode_New(0, 0) : PyBytes_FromStringAndSize(NULL, 0);
        if (empty != NULL) {
            result = text ? PyUnicode_Join(empty, parts) : PyObject_CallMethod(empty, "join", "O", parts);
            Py_DECREF(empty);
        }
    }
    Py_XDECREF(parts);
    return result;
}

PyObject *inbox_get(Inbox *self)
{
    while (self->complete) {
        self->complete--;
        PyObject *item = pop(self);
        if (LIKELY(!is_fragment(self, item))) {
            return item;
        }
        int first = read_flag(item, self->module->names.first);
        PyObject *message = first < 0 ? NULL : join(self, Py_NewRef(item));
        Py_DECREF(item);
        if (first != 0 || message == NULL) {
            return message;
        }
        Py_DECREF(message); /* what is left of a message that was read in part */
    }
    return NULL;
}

static PyObject *get(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *message = inbox_get((Inbox *)self);
    return message == NULL && !PyErr_Occurred() ? Py_NewRef(Py_None) : message;
}

static PyObject *put(PyObject *self, PyObject *item)
{
    return inbox_put((Inbox *)self, item) < 0 ? NULL : Py_NewRef(Py_None);
}

/* Make a whole message its only part; takes the reference. */
static PyObject *as_fragment(Inbox *self, PyObject *item)
{
    if (is_fragment(self, item)) {
        return item;
    }
    PyObject *arguments[] = {item, Py_True, Py_True};
    PyObject *fragment = PyObject_Vectorcall(self->module->Fragment, arguments, 3, NULL);
    Py_DECREF(item);
    return fragment;
}

static PyObject *get_fragment(PyObject *object, PyObject *argument)
{
    Inbox *self = (Inbox *)object;
    int wants_first = PyObject_IsTrue(argument);
    while (wants_first >= 0 && self->count) {
        PyObject *part = as_fragment(self, pop(self));
        int ends = part == NULL ? -1 : read_flag(part, self->module->names.final);
        int first = ends < 0 ? -1 : read_flag(part, self->module->names.first);
        if (first < 0) {
            Py_XDECREF(part);
            return NULL;
        }
        self->complete -= ends;
        if (first || !wants_first) {
            return part;
        }
        Py_DECREF(part);
    }
    return wants_first < 0 ? NULL : Py_NewRef(Py_None);
}

static int drop(PyObject *object)
{
    Inbox *self = (Inbox *)object;
    PyObject **items = self->items;
    Py_ssize_t first = self->first, count = self->count, mask = self->room - 1;
    self->items = NULL;
    self->room = self->first = self->count = self->complete = self->size = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_DECREF(items[(first + i) & mask]);
    }
    PyMem_Free(items);
    return 0;
}

static PyObject *clear_items(PyObject *self, PyObject *Py_UNUSED(unused))
{
    drop(self);
    Py_RETURN_NONE;
}

/* Marks */

bool inbox_is_full(const Inbox *self)
{
    return (self->count >= self->high || self->size >= self->max_size) && (!self->wanted || self->complete > 0);
}

static PyObject *get_full(PyObject *self, void *Py_UNUSED(closure)) { return PyBool_FromLong(inbox_is_full((Inbox *)self)); }

static PyObject *get_low(PyObject *object, void *Py_UNUSED(closure))
{
    Inbox *self = (Inbox *)object;
    return PyBool_FromLong(
        (self->count <= self->low && self->size <= self->low_size) || (self->wanted && !self->complete)
    );
}

static Py_ssize_t length(PyObject *self) { return ((Inbox *)self)->count; }

/* Read what check_marks() gave. */
static int read_mark(PyObject *value, Py_ssize_t *mark)
{
    *mark = PY_SSIZE_T_MAX;
    if (value == Py_None) {
        return 0;
    }
    Py_ssize_t number = PyLong_AsSsize_t(value);
    if (number == -1 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return -1;
        }
        PyErr_Clear(); /* so much fits nowhere */
        return 0;
    }
    *mark = number;
    return 0;
}

/* Read what is right without doubt, as check_marks() would: a small number, or None. */
static bool read_plain_mark(PyObject *value, Py_ssize_t *high, Py_ssize_t *low)
{
    if (value == Py_None) {
        *high = *low = PY_SSIZE_T_MAX;
        return true;
    }
    int overflow;
    long number = PyLong_CheckExact(value) ? PyLong_AsLongAndOverflow(value, &overflow) : -1;
    if (number < 0) {
        return false;
    }
    *high = number;
    *low = number / 4;
    return true;
}

static int read_marks(const Inbox *self, const char *name, PyObject *value, Py_ssize_t *high, Py_ssize_t *low)
{
    if (read_plain_mark(value, high, low)) {
        return 0;
    }
    PyObject *marks = PyObject_CallFunction(self->module->check_marks, "sO", name, value);
    if (marks == NULL) {
        return -1;
    }
    PyObject *given_high, *given_low;
    int status = PyArg_ParseTuple(marks, "OO", &given_high, &given_low) && read_mark(given_high, high) == 0
            && read_mark(given_low, low) == 0 ? 0 : -1;
    Py_DECREF(marks);
    return status;
}

static int init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"max_queue", "max_bytes", NULL};
    Inbox *self = (Inbox *)object;
    PyObject *queue = NULL, *bytes = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:Inbox", names, &queue, &bytes)) {
        return -1;
    }
    PyObject *number = queue == NULL ? PyLong_FromLong(16) : Py_NewRef(queue);
    int status = number == NULL || read_marks(self, "max_queue", number, &self->high, &self->low) < 0
            || read_marks(self, "max_bytes", bytes, &self->max_size, &self->low_size) < 0 ? -1 : 0;
    Py_XDECREF(number);
    return status;
}

static PyObject *new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Inbox *self = (Inbox *)make_instance(type);
    PyObject *module = self == NULL ? NULL : PyType_GetModuleByDef(type, &module_definition);
    if (module == NULL || !is_bound(state_of(module)->check_marks)) {
        Py_XDECREF(self);
        return NULL;
    }
    self->module = state_of(module);
    self->high = self->low = self->max_size = self->low_size = PY_SSIZE_T_MAX;
    return (PyObject *)self;
}

/* The class */

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    Inbox *self = (Inbox *)object;
    Py_VISIT(Py_TYPE(object));
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_VISIT(self->items[(self->first + i) & (self->room - 1)]);
    }
    return 0;
}

static void dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    drop(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"put", put, METH_O, "put($self, item, /)\n--\n\nAdd what has arrived."},
    {"get", get, METH_NOARGS, "get($self, /)\n--\n\nTake the next whole message."},
    {"get_fragment", get_fragment, METH_O, "get_fragment($self, first, /)\n--\n\nTake the next part of a message."},
    {"clear", clear_items, METH_NOARGS, "clear($self, /)\n--\n\nDiscard everything."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"wanted", T_BOOL, offsetof(Inbox, wanted), 0, "Whether somebody waits for the next message."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"full", get_full, NULL, "Whether reading should stop.", NULL},
    {"low", get_low, NULL, "Whether reading should go on.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Inbox(max_queue=16, max_bytes=None)\n--\n\nQueue messages between the network and the application."},
    {Py_tp_new, new},
    {Py_tp_init, init},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, drop},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, attributes},
    {Py_mp_length, length},
    {Py_sq_length, length},
    {0, NULL},
};

PyType_Spec inbox_spec = {
    .name = "twoway.protocol.Inbox",
    .basicsize = sizeof(Inbox),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
