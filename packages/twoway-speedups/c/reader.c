#include "reader.h"

#include "arguments.h"
#include "view.h"

int reader_keep(Reader *reader, PyObject *item)
{
    if (item == NULL) {
        return -1;
    }
    if (reader->items == NULL && (reader->items = PyList_New(0)) == NULL) {
        Py_DECREF(item);
        return -1;
    }
    int status = PyList_Append(reader->items, item);
    Py_DECREF(item);
    return status;
}

void reader_refuse_size(const Reader *reader, const char *what, uint64_t size, uint64_t limit)
{
    PyObject *type = reader->state->PayloadTooBig;
    raise_exception(PyObject_CallFunction(type, "sKK", what, (unsigned long long)size, (unsigned long long)limit));
}

int reader_limit(const State *state, const char *name, PyObject *value, uint64_t *limit)
{
    if (value == NULL) {
        return 0; /* the default is there */
    }
    int overflow;
    long plain = PyLong_CheckExact(value) ? PyLong_AsLongAndOverflow(value, &overflow) : -1;
    if (value == Py_None || plain >= 0) { /* right without doubt */
        *limit = value == Py_None ? UINT64_MAX : (uint64_t)plain;
        return 0;
    }
    PyObject *result = PyObject_CallFunction(state->check_limit, "sO", name, value);
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    unsigned long long number = PyLong_AsUnsignedLongLong(value);
    *limit = number;
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return -1;
        }
        PyErr_Clear(); /* no payload is that large */
        *limit = UINT64_MAX;
    }
    return 0;
}

/* Say what is wrong with the first two bytes of a frame. */
static void condemn(const Reader *reader, PyObject *verdict, int first, int length)
{
    static const char *const controls[] = {"CLOSE", "PING", "PONG"};
    PyObject *error = reader->state->ProtocolError;
    if (verdict != Py_None) {
        PyErr_SetObject(error, verdict);
    } else if (first & CONTROL && length > MAX_CONTROL_SIZE) {
        PyErr_Format(error, "%s frame with a payload of more than 125 bytes", controls[(first & 0x0F) - OPCODE_CLOSE]);
    } else {
        /* RFC 6455 section 5.1: a client masks every frame, a server none. */
        PyErr_Format(error, "frame from a %s masked", reader->wrong_mask ? "server is" : "client is not");
    }
}

/* Read the payload length in its long forms; -1 with ProtocolError set. */
static int read_length(const Reader *reader, const uint8_t *data, int octets, uint64_t *length)
{
    uint64_t value = 0;
    for (int i = 0; i < octets; i++) {
        value = value << 8 | data[i];
    }
    if (value < (octets == 2 ? 126 : 65536)) {
        PyErr_Format(
            reader->state->ProtocolError, "payload length %llu in %d bytes is not minimal", (unsigned long long)value,
            octets
        );
        return -1;
    }
    if (value >> 63) {
        PyErr_SetString(reader->state->ProtocolError, "payload length has its most significant bit set");
        return -1;
    }
    *length = value;
    return 0;
}

/* Read a header; give its size, 0 when bytes are missing, -1 with an exception set. */
static inline int read_header(Reader *reader, const uint8_t *data, Py_ssize_t available)
{
    if (available < 2) {
        return 0;
    }
    int first = data[0], second = data[1], form = second & 0x7F;
    /* RFC 6455 sections 5.2, 5.4, 5.5: these two bytes condemn a frame before anything else is read or allocated. */
    PyObject *verdict = PyTuple_GET_ITEM(PyTuple_GET_ITEM(reader->verdicts, reader->in_message), first);
    if (UNLIKELY(
            verdict != Py_None || (second & MASK) == reader->wrong_mask
            || (form > MAX_CONTROL_SIZE && first & CONTROL)
        )) {
        condemn(reader, verdict, first, form);
        return -1;
    }
    int octets = form < 126 ? 0 : form == 126 ? 2 : 8, key_at = 2 + octets;
    bool is_masked = (second & MASK) != 0;
    int size = key_at + (is_masked ? KEY_SIZE : 0);
    if (available < size) {
        return 0;
    }
    uint64_t length = (uint64_t)form;
    if (octets && read_length(reader, data + 2, octets, &length) < 0) {
        return -1;
    }
    reader->first = (uint8_t)first;
    reader->left = length;
    reader->is_masked = is_masked;
    if (is_masked) {
        memcpy(reader->key, data + key_at, KEY_SIZE);
    }
    if (reader->kind->begin(reader, length) < 0) {
        return -1;
    }
    reader->in_frame = true;
    if (!(first & CONTROL)) {
        reader->in_message = !(first & FIN);
    }
    return size;
}

/* Complete a header that was cut; give how many bytes of `data` belong to it, -1 with an exception set. */
static int read_cut_header(Reader *reader, const uint8_t *data, Py_ssize_t size)
{
    int had = reader->rest_size, room = LONGEST_HEADER - had;
    int added = size < room ? (int)size : room;
    memcpy(reader->rest + had, data, (size_t)added);
    int header = read_header(reader, reader->rest, had + added);
    if (header > 0) {
        reader->rest_size = 0;
        return header - had;
    }
    reader->rest_size = (uint8_t)(had + added);
    return header < 0 ? -1 : added;
}

/* Take the bytes of one call; -1 with an exception set, a FrameError for what the peer did wrong. */
static int parse(Reader *reader, const uint8_t *data, Py_ssize_t size)
{
    const uint8_t *end = data + size;
    while (!flag_is_up(&reader->stopped)) {
        if (!reader->in_frame) {
            if (data == end) {
                return 0;
            }
            int header = reader->rest_size ? read_cut_header(reader, data, end - data)
                                           : read_header(reader, data, end - data);
            if (header < 0) {
                return -1;
            }
            if (!header) {
                reader->rest_size = (uint8_t)(end - data);
                memcpy(reader->rest, data, reader->rest_size);
                return 0;
            }
            data += header;
            if (!reader->in_frame) {
                return 0; /* the header is still not complete, and took all there was */
            }
        }
        bool final = reader->left <= (uint64_t)(end - data);
        Chunk chunk = {data, final ? (Py_ssize_t)reader->left : end - data, reader->is_masked ? reader->key : NULL};
        if (!chunk.size && !final) {
            return 0;
        }
        data += chunk.size;
        reader->left -= (uint64_t)chunk.size;
        reader->in_frame = !final;
        if (reader->kind->receive(reader, &chunk, final) < 0) {
            return -1;
        }
        if (!final && reader->is_masked) {
            mask_turn(reader->key, (uint64_t)chunk.size);
        }
    }
    return 0;
}

/* Keep a FrameError that is set as the stream's; -1 if another exception is set. */
static int settle(Reader *reader)
{
    flag_raise(&reader->stopped); /* also after the bug of an extension: the stream has lost its place */
    if (!PyErr_ExceptionMatches(reader->state->FrameError)) {
        return -1;
    }
    /* Its traceback would keep the bytes alive, and the decoder in a reference cycle. */
    reader->error = take_exception();
    return 0;
}

static void end_stream(Reader *reader)
{
    reader->rest_size = 0;
    reader->in_frame = reader->in_message = false;
    reader->kind->forget(reader);
}

static PyObject *take(Reader *reader, const uint8_t *data, Py_ssize_t size)
{
    int status = 0;
    if (size && !flag_is_up(&reader->stopped)) {
        if (parse(reader, data, size) < 0) {
            status = settle(reader);
        }
    }
    if (UNLIKELY(flag_is_up(&reader->stopped))) {
        end_stream(reader);
    }
    if (status < 0) {
        return NULL;
    }
    PyObject *items = reader->items;
    reader->items = NULL;
    return items == NULL ? PyList_New(0) : items;
}

PyObject *reader_take(Reader *reader, const uint8_t *data, Py_ssize_t size)
{
    PyObject *items = NULL;
    if (!flag_take(&reader->busy)) {
        refuse_second_user();
        return NULL;
    }
    if (LIKELY(reader->verdicts != NULL)) {
        items = take(reader, data, size);
    } else {
        refuse_no_init();
    }
    flag_release(&reader->busy);
    return items;
}

static PyObject *reader_feed(PyObject *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"data"};
    static const Signature signature = {"feed", 1, 1, 1, names};
    PyObject *data;
    View view;
    if (arguments_take(&signature, given, count, keywords, &data) < 0 || view_open(&view, data) < 0) {
        return NULL;
    }
    PyObject *items = reader_take((Reader *)self, view.data, view.size);
    view_close(&view);
    return items;
}

static PyObject *reader_stop(PyObject *self, PyObject *Py_UNUSED(unused))
{
    Reader *reader = (Reader *)self;
    flag_raise(&reader->stopped);
    if (flag_take(&reader->busy)) { /* else feed() is at work, and will see the flag */
        if (reader->verdicts != NULL) {
            end_stream(reader);
        }
        flag_release(&reader->busy);
    }
    Py_RETURN_NONE;
}

static PyObject *reader_error(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *error = ((Reader *)self)->error;
    return Py_NewRef(error == NULL ? Py_None : error);
}

static PyObject *reader_incomplete(PyObject *self, void *Py_UNUSED(closure))
{
    const Reader *reader = (Reader *)self;
    return PyBool_FromLong(reader->rest_size || reader->in_frame || reader->in_message);
}

PyMethodDef reader_methods[] = {
    {"feed", (PyCFunction)(void (*)(void))reader_feed, METH_FASTCALL | METH_KEYWORDS,
     "feed($self, /, data)\n--\n\nTake the next bytes of the stream."},
    {"stop", reader_stop, METH_NOARGS,
     "stop($self, /)\n--\n\nDiscard all later bytes, and the message that is not finished."},
    {NULL, NULL, 0, NULL},
};

PyGetSetDef reader_attributes[] = {
    {"error", reader_error, NULL, "What was wrong with the stream, None if nothing so far.", NULL},
    {"incomplete", reader_incomplete, NULL,
     "Whether the stream stands inside a frame or a fragmented message.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

int reader_begin(Reader *reader, const Kind *kind, PyObject *masked, PyObject *verdicts)
{
    if (verdicts == NULL) {
        return -1;
    }
    if (masked != NULL && masked != Py_None && !PyBool_Check(masked)) {
        PyErr_Format(PyExc_TypeError, "masked must be True, False or None, not %R", masked);
    } else if (!PyTuple_Check(verdicts) || PyTuple_GET_SIZE(verdicts) != 2) {
        PyErr_SetString(PyExc_TypeError, "verdicts must be a pair");
    } else {
        reader->wrong_mask = masked == Py_True ? 0 : masked == Py_False ? MASK : -1;
        reader->kind = kind;
        reader->verdicts = verdicts; /* the sign that the decoder may be used */
        return 0;
    }
    Py_DECREF(verdicts);
    return -1;
}

int reader_init(PyObject *self, PyObject *args, PyObject *kwargs, int (*set_up)(Reader *, PyObject *, PyObject *))
{
    Reader *reader = (Reader *)self;
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(self), &module_definition);
    if (module == NULL || !is_bound(state_of(module)->Close)) {
        return -1;
    }
    if (!flag_take(&reader->busy)) {
        return refuse_second_user();
    }
    int status = -1;
    if (reader->verdicts == NULL) {
        reader->state = state_of(module);
        status = set_up(reader, args, kwargs);
    } else {
        PyErr_SetString(PyExc_RuntimeError, "__init__() was called already");
    }
    flag_release(&reader->busy);
    return status;
}

int reader_traverse(PyObject *self, visitproc visit, void *arg)
{
    Reader *reader = (Reader *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(reader->verdicts);
    Py_VISIT(reader->error);
    Py_VISIT(reader->items);
    return 0;
}

int reader_clear(PyObject *self)
{
    Reader *reader = (Reader *)self;
    Py_CLEAR(reader->verdicts);
    Py_CLEAR(reader->error);
    Py_CLEAR(reader->items);
    return 0;
}
