/* Compressed payloads to messages, within a limit: RFC 7692 section 7.2.2. */
#include "deflate_path.h"

#include <stddef.h>
#include <structmember.h>

#include "object.h"

/* What one call into the engine reads and writes at most, as in the reference; bytes. */
#define STEP 16384
#define BLOCK 65536
#define NO_LIMIT (PY_SSIZE_T_MAX / 2)

/* Give how many bytes there may be, and one more; 0 with an exception set. */
static Py_ssize_t read_room(PyObject *limit)
{
    if (limit == Py_None) {
        return NO_LIMIT;
    }
    Py_ssize_t size = PyLong_AsSsize_t(limit);
    if (size == -1 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return 0;
        }
        PyErr_Clear();
    }
    return size < 0 || size >= NO_LIMIT ? NO_LIMIT : size + 1;
}

/* Call the engine; gives bytes. */
static PyObject *decompress(const State *module, PyObject *stream, PyObject *data, Py_ssize_t most)
{
    PyObject *number = PyLong_FromSsize_t(most), *arguments[] = {stream, data, number}, *block = NULL;
    if (number != NULL) {
        block = PyObject_VectorcallMethod(module->names.decompress, arguments, 3, NULL);
        Py_DECREF(number);
    }
    return check_bytes(block);
}

/* Tell whether an attribute is true; -1 with an exception set. */
static int is_true(PyObject *object, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(object, name);
    int status = value == NULL ? -1 : PyObject_IsTrue(value);
    Py_XDECREF(value);
    return status;
}

/* Append bytes to a history that holds at most so many. */
static int remember(PyObject *history, PyObject *block, Py_ssize_t most)
{
    int status = 0;
    Py_BEGIN_CRITICAL_SECTION(history);
    Py_ssize_t had = PyByteArray_GET_SIZE(history), size = PyBytes_GET_SIZE(block), added = size < most ? size : most;
    Py_ssize_t kept = had < most - added ? had : most - added;
    if (kept + added > had) {
        status = PyByteArray_Resize(history, kept + added);
    }
    if (status == 0 && added > 0) {
        char *place = PyByteArray_AS_STRING(history);
        memmove(place, place + had - kept, (size_t)kept);
        memcpy(place + kept, PyBytes_AS_STRING(block) + size - added, (size_t)added);
    }
    Py_END_CRITICAL_SECTION();
    return status;
}

/* Make sure that the message ended between two blocks. */
static int finish(const State *module, PyObject *stream)
{
    PyObject *rest = decompress(module, stream, module->END, 1);
    int ended = rest == NULL ? -1 : PyBytes_GET_SIZE(rest) == 0;
    Py_XDECREF(rest);
    ended = ended > 0 ? is_true(stream, module->names.eof) : ended;
    if (ended > 0) {
        int more = is_true(stream, module->names.unused_data);
        ended = more < 0 ? -1 : !more;
    }
    if (ended == 0) {
        PyErr_SetString(module->InvalidPayloadError, "compressed message ends early");
    }
    return ended > 0 ? 0 : -1;
}

/* Have the reference go on after the first block, which it takes; gives the payload. */
static PyObject *go_on(
    Inflater *self, const State *module, PyObject *stream, PyObject *block, PyObject *data, Py_ssize_t room
)
{
    PyObject *number = PyLong_FromSsize_t(room), *payload = NULL;
    Py_XSETREF(self->stream, Py_NewRef(stream));
    if (number != NULL) {
        PyObject *arguments[] = {(PyObject *)self, stream, block, data, number};
        payload = PyObject_VectorcallMethod(module->names._feed_on, arguments, 5, NULL);
        Py_DECREF(number);
    }
    Py_DECREF(block);
    PyObject *result = payload == NULL ? NULL : PyObject_CallMethodNoArgs((PyObject *)self, module->names._finish);
    if (result == NULL) {
        Py_CLEAR(payload);
    }
    Py_XDECREF(result);
    return payload;
}

static PyObject *inflate(
    Inflater *self, const State *module, PyObject *stream, PyObject *history, PyObject *data, Py_ssize_t room
)
{
    Py_ssize_t asked = room < BLOCK ? room : BLOCK;
    PyObject *block = decompress(module, stream, data, asked);
    int ended = block == NULL || remember(history, block, self->size) < 0 ? -1 : is_true(stream, module->names.eof);
    if (UNLIKELY(ended > 0 || (ended == 0 && PyBytes_GET_SIZE(block) >= asked))) {
        return go_on(self, module, stream, block, data, room);
    }
    if (ended < 0 || finish(module, stream) < 0) {
        Py_CLEAR(block);
    }
    self->final_blocks = 0;
    return block;
}

/* Have the reference put what went wrong into its words, and refuse what comes later. */
static void give_up(Inflater *self, const State *module)
{
    PyObject *exception = take_exception();
    PyObject *result = PyObject_CallMethodOneArg((PyObject *)self, module->names._give_up, exception);
    if (result == NULL) {
        Py_DECREF(exception);
    } else {
        Py_DECREF(result);
        raise_exception(exception);
    }
}

/* Take the history if a whole message can be read here; NULL if the reference has to do it. */
static PyObject *take_history(Inflater *self, PyObject *data)
{
    PyObject *history = NULL;
    if (!PyBytes_CheckExact(data) || PyBytes_GET_SIZE(data) == 0 || PyBytes_GET_SIZE(data) > STEP) {
        return NULL;
    }
    Py_BEGIN_CRITICAL_SECTION((PyObject *)self);
    if (!self->failed && self->takeover && self->stream == Py_None && self->make != NULL && self->bits != NULL
        && self->size > 0 && self->history != NULL && PyByteArray_CheckExact(self->history)) {
        history = Py_NewRef(self->history);
    }
    Py_END_CRITICAL_SECTION();
    return history;
}

PyObject *inflater_inflate(Inflater *self, const State *module, PyObject *data, PyObject *limit)
{
    PyObject *history = take_history(self, data);
    if (history == NULL) {
        PyObject *arguments[] = {(PyObject *)self, data, Py_True, limit};
        return PyObject_VectorcallMethod(module->names.inflate, arguments, 4, NULL);
    }
    PyObject *payload = NULL, *arguments[] = {self->bits, history};
    Py_ssize_t room = read_room(limit);
    PyObject *stream = room == 0 ? NULL : PyObject_Vectorcall(self->make, arguments, 2, NULL);
    if (stream != NULL) {
        payload = inflate(self, module, stream, history, data, room);
        Py_DECREF(stream);
    }
    Py_DECREF(history);
    if (payload == NULL) {
        give_up(self, module);
    }
    return payload;
}

/* The class: what it does not have, it gets from the reference. */

#define FOR_EACH_OBJECT(X) X(bits) X(engine) X(history) X(make) X(stream)

DEFINE_LIFE(Inflater, FOR_EACH_OBJECT)

#define MEMBER(name) {"_" #name, T_OBJECT_EX, offsetof(Inflater, name), 0, NULL},

static PyMemberDef members[] = {
    FOR_EACH_OBJECT(MEMBER)
    {"_failed", T_BOOL, offsetof(Inflater, failed), 0, NULL},
    {"_final_blocks", T_PYSSIZET, offsetof(Inflater, final_blocks), 0, NULL},
    {"_size", T_PYSSIZET, offsetof(Inflater, size), 0, NULL},
    {"_takeover", T_BOOL, offsetof(Inflater, takeover), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Decompress the messages of one connection, one after the other."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec inflater_spec = {
    .name = "twoway.deflate.Inflater",
    .basicsize = sizeof(Inflater),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
