#include "protocol_path.h"

#include <stddef.h>
#include <structmember.h>

#include "arguments.h"
#include "deflate_path.h"
#include "encode.h"
#include "object.h"
#include "view.h"

/* Receiving */

static bool are_whole(const State *module, PyObject *items)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        PyObject *item = PyList_GET_ITEM(items, i);
        if (!PyUnicode_CheckExact(item) && !PyBytes_CheckExact(item) && (PyObject *)Py_TYPE(item) != module->Fragment) {
            return false;
        }
    }
    return true;
}

PyObject *protocol_feed(ProtocolPath *self, const uint8_t *data, Py_ssize_t size, double now, bool *whole)
{
    self->received_at = now;
    Reader *decoder = (Reader *)Py_NewRef(self->decoder);
    PyObject *items = reader_take(decoder, data, size);
    if (items != NULL) {
        *whole = decoder->error == NULL && are_whole(self->module, items);
        self->active |= *whole && PyList_GET_SIZE(items) > 0;
    }
    Py_DECREF(decoder);
    return items;
}

int protocol_take(ProtocolPath *self, PyObject *items, double now)
{
    PyObject *time = PyFloat_FromDouble(now), *arguments[] = {(PyObject *)self, self->decoder, items, time}, *result;
    result = time == NULL ? NULL : PyObject_VectorcallMethod(self->module->names._take, arguments, 4, NULL);
    Py_XDECREF(time);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int receive(ProtocolPath *self, const View *view, double now)
{
    bool whole;
    PyObject *items = protocol_feed(self, view->data, view->size, now, &whole);
    if (items == NULL) {
        return -1;
    }
    int status = 0;
    if (whole) {
        Py_ssize_t end = PyList_GET_SIZE(self->events);
        status = PyList_SetSlice(self->events, end, end, items);
    } else {
        status = protocol_take(self, items, now);
    }
    Py_DECREF(items);
    return status;
}

static PyObject *receive_data(PyObject *object, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"data", "now"};
    static const Signature signature = {"receive_data", 2, 2, 2, names};
    ProtocolPath *self = (ProtocolPath *)object;
    PyObject *arguments[3] = {object, NULL, NULL};
    if (arguments_take(&signature, given, count, keywords, arguments + 1) < 0) {
        return NULL;
    }
    if (!protocol_can_receive(self) || self->events == NULL || !PyList_CheckExact(self->events)) {
        return PyObject_Vectorcall(self->module->protocol.receive_data, arguments, 3, NULL);
    }
    View view;
    double now = PyFloat_AsDouble(arguments[2]);
    if ((now == -1 && PyErr_Occurred()) || view_open(&view, arguments[1]) < 0) {
        return NULL;
    }
    int status = view.size ? receive(self, &view, now) : 0; /* no byte is no sign of life */
    view_close(&view);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

/* Give what a list holds, and leave an empty one. */
static PyObject *take_list(PyObject **place, const char *name)
{
    if (*place == NULL) {
        PyErr_SetString(PyExc_AttributeError, name);
        return NULL;
    }
    if (!PyList_CheckExact(*place) || PyList_GET_SIZE(*place) == 0) {
        return Py_NewRef(*place);
    }
    PyObject *fresh = PyList_New(0), *taken = *place;
    if (fresh == NULL) {
        return NULL;
    }
    *place = fresh;
    return taken;
}

static PyObject *events(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return take_list(&((ProtocolPath *)self)->events, "_events");
}

/* Sending */

PyObject *protocol_take_output(ProtocolPath *self) { return take_list(&self->output, "_output"); }

static PyObject *data_to_send(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return protocol_take_output((ProtocolPath *)self);
}

/* Make a frame of a message that goes through compression and nothing else. */
static int send_compressed(ProtocolPath *self, PyObject *message, PyObject *compress)
{
    bool text = PyUnicode_CheckExact(message);
    PyObject *data = text ? PyUnicode_AsUTF8String(message) : Py_NewRef(message);
    if (data == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
            return -1;
        }
        PyErr_Clear(); /* the reference says it better */
        return 0;
    }
    PyObject *output = Py_NewRef(self->output), *codec = Py_NewRef(self->sole);
    PyObject *frame = deflate_encode((DeflatePath *)codec, text, self->masked, data, compress);
    int status = frame == NULL || PyList_Append(output, frame) < 0 ? -1 : 1;
    self->active |= status > 0;
    Py_XDECREF(frame);
    Py_DECREF(codec);
    Py_DECREF(output);
    Py_DECREF(data);
    return status;
}

/* Have the extensions make a frame of a message. */
static int send_extended(ProtocolPath *self, PyObject *message, PyObject *compress)
{
    if (is_deflate_path(self->module, self->sole) && (compress == Py_None || PyBool_Check(compress))) {
        int status = send_compressed(self, message, compress);
        if (status != 0) {
            return status;
        }
    }
    PyObject *opcode = PyUnicode_CheckExact(message) ? self->module->TEXT : self->module->BINARY;
    PyObject *arguments[] = {(PyObject *)self, opcode, message, Py_True, compress};
    PyObject *result = PyObject_VectorcallMethod(self->module->names._start_message, arguments, 5, NULL);
    Py_XDECREF(result);
    return result == NULL ? -1 : 1;
}

int protocol_send(ProtocolPath *self, PyObject *message, PyObject *compress)
{
    bool text = PyUnicode_CheckExact(message), whole = text || PyBytes_CheckExact(message);
    if (!whole || !protocol_is_open(self) || self->output == NULL || !PyList_CheckExact(self->output)) {
        return 0;
    }
    if (!self->plain) {
        return compress == NULL ? 0 : send_extended(self, message, compress);
    }
    PyObject *frame = encode_message(self->module, text, self->masked, message);
    if (frame == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
            return -1;
        }
        PyErr_Clear(); /* the reference says it better */
        return 0;
    }
    int status = PyList_Append(self->output, frame);
    Py_DECREF(frame);
    self->active = 1;
    return status < 0 ? -1 : 1;
}

/* Pass a call on to the reference. */
static PyObject *send_there(
    PyObject *self, PyObject *function, PyObject *const *given, Py_ssize_t count, PyObject *keywords
)
{
    PyObject *arguments[8] = {self};
    Py_ssize_t all = count + (keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords));
    if (all > 7) {
        return PyErr_Format(PyExc_TypeError, "too many arguments");
    }
    for (Py_ssize_t i = 0; i < all; i++) {
        arguments[i + 1] = given[i];
    }
    return PyObject_Vectorcall(function, arguments, (size_t)count + 1, keywords);
}

/* Only whole messages: with a keyword, `compress` at most. */
static bool is_whole(const State *module, Py_ssize_t count, PyObject *keywords)
{
    return count == 1
        && (keywords == NULL
            || (PyTuple_GET_SIZE(keywords) == 1 && PyTuple_GET_ITEM(keywords, 0) == module->names.compress));
}

static PyObject *send_text(PyObject *object, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    ProtocolPath *self = (ProtocolPath *)object;
    if (is_whole(self->module, count, keywords) && PyUnicode_CheckExact(given[0])) {
        int status = protocol_send(self, given[0], keywords == NULL ? Py_None : given[1]);
        if (status != 0) {
            return status < 0 ? NULL : Py_NewRef(Py_None);
        }
    }
    return send_there(object, self->module->protocol.send_text, given, count, keywords);
}

static PyObject *send_binary(PyObject *object, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    ProtocolPath *self = (ProtocolPath *)object;
    if (is_whole(self->module, count, keywords) && PyBytes_CheckExact(given[0])) {
        int status = protocol_send(self, given[0], keywords == NULL ? Py_None : given[1]);
        if (status != 0) {
            return status < 0 ? NULL : Py_NewRef(Py_None);
        }
    }
    return send_there(object, self->module->protocol.send_binary, given, count, keywords);
}

/* The class */

#define FOR_EACH_OBJECT(X) X(state) X(decoder) X(encoder) X(events) X(failure) X(logger) X(output) X(sole)

DEFINE_NEW(ProtocolPath, )

DEFINE_LIFE(ProtocolPath, FOR_EACH_OBJECT)

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef methods[] = {
    {"receive_data", FAST(receive_data), "receive_data($self, data, now)\n--\n\nTake bytes from the network."},
    {"events", events, METH_NOARGS, "events($self)\n--\n\nTake the events since the last call."},
    {"send_text", FAST(send_text),
     "send_text($self, data, fin=True, *, compress=None)\n--\n\nSend a text message, or with ``fin=False`` its first "
     "frame."},
    {"send_binary", FAST(send_binary),
     "send_binary($self, data, fin=True, *, compress=None)\n--\n\nSend a binary message, or with ``fin=False`` its "
     "first frame."},
    {"data_to_send", data_to_send, METH_NOARGS,
     "data_to_send($self)\n--\n\nTake what is to be written to the network, in order."},
    {NULL, NULL, 0, NULL},
};

#define OBJECT(name, field) {name, T_OBJECT_EX, offsetof(ProtocolPath, field), 0, NULL}

static PyMemberDef members[] = {
    OBJECT("state", state),
    OBJECT("_decoder", decoder),
    OBJECT("_encoder", encoder),
    OBJECT("_events", events),
    OBJECT("_failure", failure),
    OBJECT("_logger", logger),
    OBJECT("_output", output),
    OBJECT("_sole", sole),
    {"_active", T_BOOL, offsetof(ProtocolPath, active), 0, NULL},
    {"_masked", T_BOOL, offsetof(ProtocolPath, masked), 0, NULL},
    {"_plain", T_BOOL, offsetof(ProtocolPath, plain), 0, NULL},
    {"_received_at", T_DOUBLE, offsetof(ProtocolPath, received_at), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Be the part of `Protocol` that receives and sends whole messages."},
    {Py_tp_new, new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec protocol_path_spec = {
    .name = "twoway.protocol.ProtocolPath",
    .basicsize = sizeof(ProtocolPath),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
