/* Bytes to messages and control frames: RFC 6455 sections 5.4 to 5.6, 8.1 and 9. */
#include "reader.h"

#include "deflate_path.h"
#include "pile.h"
#include "utf8.h"
#include "view.h"

typedef struct {
    Reader reader;
    PyObject *extensions; /* as given */
    PyObject *steps;      /* tuple of (extension, its room), the last extension first */
    uint64_t max_size, max_fragment_size, max_fragments; /* UINT64_MAX for none */
    uint64_t size;        /* of the current message so far */
    uint64_t count;       /* of its frames */
    uint64_t room;        /* for the payload of the current frame, after extensions */
    uint64_t planned;     /* for which room `steps` and `wire_room` are */
    uint64_t wire_room;   /* for the payload before extensions */
    Pile payload;         /* of a control frame, or of a frame that goes through extensions */
    Pile sink;            /* of a message that comes in pieces */
    Py_ssize_t checked;   /* so many bytes of `sink` are whole characters */
    uint64_t taken;       /* so many bytes of the message were in `sink` before, and were given as fragments */
    bool has_plan, sees_all, fragments;
    bool collect;         /* whether the current frame goes to `payload` */
    bool extended;        /* whether the current message goes through extensions */
    bool text;
    bool in_sink;         /* whether the current message has begun in `sink` */
} MessageDecoder;

/* Headers */

/* Say which limit was passed; `allowed` is what the one for a frame would let pass. */
static int refuse_size(MessageDecoder *self, uint64_t length, uint64_t allowed)
{
    if (length > allowed) {
        reader_refuse_size(&self->reader, "frame", length, self->max_fragment_size);
    } else {
        reader_refuse_size(&self->reader, "message", self->size + length, self->max_size);
    }
    return -1;
}

/* Ask the extensions how large a payload within a room may be on the wire, and what each of them may make of it. */
static int ask(MessageDecoder *self, uint64_t room, uint64_t *wire_room, PyObject **steps)
{
    PyObject *plan = PyObject_CallFunction(
        self->reader.state->plan, "OK", self->extensions, (unsigned long long)room
    );
    PyObject *wire;
    if (plan == NULL) {
        return -1;
    }
    if (!PyArg_ParseTuple(plan, "O!O!", &PyLong_Type, &wire, &PyTuple_Type, steps)) {
        Py_DECREF(plan);
        return -1;
    }
    *wire_room = PyLong_AsUnsignedLongLong(wire);
    if (PyErr_Occurred()) { /* what an extension says is no payload's length */
        int overflow;
        PyErr_Clear();
        PyLong_AsLongLongAndOverflow(wire, &overflow);
        *wire_room = overflow > 0 ? UINT64_MAX : 0;
    }
    Py_INCREF(*steps);
    Py_DECREF(plan);
    return 0;
}

/* The header alone can be too much; what extensions expand is checked again while they do. */
static int judge_on_the_wire(MessageDecoder *self, uint64_t length)
{
    PyObject *steps;
    uint64_t allowed;
    if (!self->has_plan || self->planned != self->room) {
        if (ask(self, self->room, &self->wire_room, &steps) < 0) {
            return -1;
        }
        Py_XSETREF(self->steps, steps);
        self->planned = self->room;
        self->has_plan = true;
    }
    if (LIKELY(length <= self->wire_room)) {
        return 0;
    }
    if (ask(self, self->max_fragment_size, &allowed, &steps) < 0) {
        return -1;
    }
    Py_DECREF(steps);
    return refuse_size(self, length, allowed);
}

static int begin(Reader *reader, uint64_t length)
{
    MessageDecoder *self = (MessageDecoder *)reader;
    int opcode = reader->first & 0x0F, rsv = reader->first & RSV;
    if (opcode & CONTROL) {
        self->collect = true;
        return 0;
    }
    if (opcode != OPCODE_CONT) {
        self->text = opcode == OPCODE_TEXT;
        /* Without extensions no reserved bit gets here. */
        self->extended = self->sees_all || rsv;
        self->size = self->count = 0;
    } else if (rsv && !self->extended) {
        PyErr_SetString(
            reader->state->ProtocolError, "reserved bits set in a continuation frame of a message without them"
        );
        return -1;
    }
    self->collect = self->extended;
    if (++self->count > self->max_fragments) {
        unsigned long long limit = self->max_fragments;
        raise_exception(PyObject_CallFunction(reader->state->TooManyFragments, "K", limit));
        return -1;
    }
    uint64_t room = self->max_size - self->size;
    self->room = room < self->max_fragment_size ? room : self->max_fragment_size;
    if (UNLIKELY(self->extended)) {
        return judge_on_the_wire(self, length);
    }
    if (UNLIKELY(length > self->room)) {
        return refuse_size(self, length, self->max_fragment_size);
    }
    self->size += length;
    return 0;
}

/* Payloads of data frames */

/* Check the text in the sink as far as it goes; -1 with InvalidPayloadError set. */
static int check_sink(MessageDecoder *self, bool ends)
{
    const uint8_t *data = pile_data(&self->sink) + self->checked;
    size_t size = (size_t)(self->sink.used - self->checked);
    bool bad;
    size_t whole = utf8_check(data, size, &bad);
    self->checked += (Py_ssize_t)whole;
    if (LIKELY(!bad && (whole == size || !ends))) {
        return 0;
    }
    utf8_refuse(self->reader.state, data + whole, size - whole, self->taken + (uint64_t)self->checked);
    return -1;
}

/* Give the whole characters in the sink; the bytes of a cut one stay. */
static PyObject *take_text(MessageDecoder *self)
{
    uint8_t cut[4];
    size_t cut_size = (size_t)(self->sink.used - self->checked);
    if (cut_size) {
        memcpy(cut, pile_data(&self->sink) + self->checked, cut_size);
    }
    PyObject *text = utf8_decode(self->reader.state, pile_data(&self->sink), self->checked, NULL);
    pile_drop(&self->sink);
    self->taken += (uint64_t)self->checked;
    self->checked = 0;
    if (text != NULL && cut_size) {
        uint8_t *place = pile_extend(&self->sink, (Py_ssize_t)cut_size, 0);
        if (place == NULL) {
            Py_CLEAR(text);
        } else {
            memcpy(place, cut, cut_size);
        }
    }
    return text;
}

static PyObject *take_sink(MessageDecoder *self) { return self->text ? take_text(self) : pile_take(&self->sink); }

static PyObject *make_fragment(MessageDecoder *self, PyObject *data, bool ends)
{
    if (data == NULL) {
        return NULL;
    }
    PyObject *arguments[] = {data, self->count == 1 ? Py_True : Py_False, ends ? Py_True : Py_False};
    PyObject *fragment = PyObject_Vectorcall(self->reader.state->Fragment, arguments, 3, NULL);
    Py_DECREF(data);
    return fragment;
}

/* Make a whole message of a payload that came in one run. */
static PyObject *make_message(MessageDecoder *self, const Chunk *chunk)
{
    if (self->text) {
        return utf8_decode(self->reader.state, chunk->data, chunk->size, chunk->key);
    }
    PyObject *message = PyBytes_FromStringAndSize(NULL, chunk->size);
    if (message != NULL) {
        chunk_copy((uint8_t *)PyBytes_AS_STRING(message), chunk);
    }
    return message;
}

/* Add a part of a message that comes in pieces. */
static int add_to_sink(MessageDecoder *self, const Chunk *chunk, bool final, bool ends)
{
    if (!self->in_sink) {
        self->in_sink = true;
        self->checked = 0;
        self->taken = 0;
    }
    /* Frames to come have not said how large they are: an eighth keeps the cost of many small ones linear. */
    uint64_t more = reader_in_final_frame(&self->reader) ? 0 : (uint64_t)(self->sink.used / 8);
    uint8_t *place = pile_extend(&self->sink, chunk->size, self->reader.left + more);
    if (place == NULL) {
        return -1;
    }
    chunk_copy(place, chunk);
    if (self->text && check_sink(self, ends) < 0) {
        return -1;
    }
    int status = 0;
    if (ends && (self->count == 1 || !self->fragments)) {
        status = reader_keep(&self->reader, take_sink(self));
    } else if (final && self->fragments) {
        status = reader_keep(&self->reader, make_fragment(self, take_sink(self), ends));
    }
    if (ends) {
        self->in_sink = false;
    }
    return status;
}

/* Take a part of a data frame; `final` says that the frame ends with it. */
static inline int add(MessageDecoder *self, const Chunk *chunk, bool final)
{
    bool ends = final && reader_in_final_frame(&self->reader);
    if (LIKELY(ends && !self->in_sink)) {
        return reader_keep(&self->reader, make_message(self, chunk));
    }
    return add_to_sink(self, chunk, final, ends);
}

/* Payloads that are collected first */

/* The extension that knows all about a frame by itself: NULL, or compression, for a compressed message in one frame. */
static DeflatePath *find_inflating(const MessageDecoder *self)
{
    if (PyTuple_GET_SIZE(self->steps) != 1 || (self->reader.first & ~OPCODE) != (FIN | RSV1)
        || (self->reader.first & OPCODE) == OPCODE_CONT) {
        return NULL;
    }
    PyObject *step = PyTuple_GET_ITEM(self->steps, 0);
    PyObject *extension = PyTuple_Check(step) && PyTuple_GET_SIZE(step) == 2 ? PyTuple_GET_ITEM(step, 0) : NULL;
    return is_deflate_path(self->reader.state, extension) ? (DeflatePath *)extension : NULL;
}

/* Call one extension and set both `payload` and `rsv` to what it gives; their references are replaced. */
static int call_extension(MessageDecoder *self, PyObject *step, PyObject **payload, PyObject **rsv)
{
    PyObject *extension, *room, *opcode = PyLong_FromLong(self->reader.first & 0x0F);
    if (opcode == NULL || !PyArg_ParseTuple(step, "OO", &extension, &room)) {
        Py_XDECREF(opcode);
        return -1;
    }
    PyObject *fin = reader_in_final_frame(&self->reader) ? Py_True : Py_False;
    PyObject *arguments[] = {extension, opcode, *payload, fin, *rsv, room};
    PyObject *result = PyObject_VectorcallMethod(self->reader.state->names.decode_payload, arguments, 6, NULL);
    Py_DECREF(opcode);
    if (result == NULL) {
        return -1;
    }
    if (!PyTuple_Check(result) || PyTuple_GET_SIZE(result) != 2) {
        PyErr_SetString(PyExc_TypeError, "decode_payload() of an extension must return a payload and reserved bits");
        Py_DECREF(result);
        return -1;
    }
    Py_SETREF(*payload, Py_NewRef(PyTuple_GET_ITEM(result, 0)));
    Py_SETREF(*rsv, Py_NewRef(PyTuple_GET_ITEM(result, 1)));
    Py_DECREF(result);
    return 0;
}

/* Pass a payload through the extensions, the last one first (RFC 6455 section 9.1); takes and gives a reference. */
static PyObject *extend(MessageDecoder *self, PyObject *payload)
{
    DeflatePath *inflating = find_inflating(self);
    if (inflating != NULL) {
        PyObject *step = Py_NewRef(PyTuple_GET_ITEM(self->steps, 0));
        Py_SETREF(payload, deflate_decode(inflating, payload, PyTuple_GET_ITEM(step, 1)));
        Py_DECREF(step);
        return payload;
    }
    PyObject *rsv = PyLong_FromLong(self->reader.first & RSV);
    int status = rsv == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyTuple_GET_SIZE(self->steps); i++) {
        status = call_extension(self, PyTuple_GET_ITEM(self->steps, i), &payload, &rsv);
    }
    int is_left = status < 0 ? -1 : PyObject_IsTrue(rsv);
    if (is_left > 0) {
        PyErr_SetString(self->reader.state->ProtocolError, "reserved bits set that no extension took");
    }
    Py_XDECREF(rsv);
    if (is_left != 0) {
        Py_CLEAR(payload);
    }
    return payload;
}

/* Take the payload of a frame that came out of the extensions; takes the reference. */
static int add_extended(MessageDecoder *self, PyObject *payload)
{
    View view;
    if (payload == NULL) {
        return -1;
    }
    if (view_open(&view, payload) < 0) {
        Py_DECREF(payload);
        return -1;
    }
    int status;
    if ((uint64_t)view.size > self->room) { /* whatever an extension makes of its limit */
        status = refuse_size(self, (uint64_t)view.size, self->max_fragment_size);
    } else {
        self->size += (uint64_t)view.size;
        if (!self->text && !self->in_sink && reader_in_final_frame(&self->reader) && PyBytes_CheckExact(payload)) {
            status = reader_keep(&self->reader, Py_NewRef(payload));
        } else {
            Chunk chunk = {view.data, view.size, NULL};
            status = add(self, &chunk, true);
        }
    }
    view_close(&view);
    Py_DECREF(payload);
    return status;
}

/* Takes the reference. */
static int add_control(MessageDecoder *self, PyObject *payload)
{
    State *state = self->reader.state;
    int opcode = self->reader.first & 0x0F;
    PyObject *item;
    if (opcode == OPCODE_CLOSE) {
        item = PyObject_CallMethodOneArg(state->Close, state->names.parse, payload);
    } else {
        item = PyObject_CallOneArg(opcode == OPCODE_PING ? state->Ping : state->Pong, payload);
    }
    Py_DECREF(payload);
    if (opcode == OPCODE_CLOSE && item != NULL) {
        flag_raise(&self->reader.stopped); /* RFC 6455 section 5.5.1: nothing counts after it */
    }
    return reader_keep(&self->reader, item);
}

static int collect(MessageDecoder *self, const Chunk *chunk, bool final)
{
    uint8_t *place = pile_extend(&self->payload, chunk->size, self->reader.left);
    if (place == NULL) {
        return -1;
    }
    chunk_copy(place, chunk);
    if (!final) {
        return 0;
    }
    PyObject *payload = pile_take(&self->payload);
    if (payload == NULL) {
        return -1;
    }
    return self->reader.first & CONTROL ? add_control(self, payload) : add_extended(self, extend(self, payload));
}

static int receive(Reader *reader, const Chunk *chunk, bool final)
{
    MessageDecoder *self = (MessageDecoder *)reader;
    return UNLIKELY(self->collect) ? collect(self, chunk, final) : add(self, chunk, final);
}

/* The class */

static void forget(Reader *reader)
{
    MessageDecoder *self = (MessageDecoder *)reader;
    pile_drop(&self->payload);
    pile_drop(&self->sink);
    self->in_sink = false;
}

static const Kind messages = {begin, receive, forget};

static int read_limits(MessageDecoder *self, PyObject *size, PyObject *fragment_size, PyObject *fragments)
{
    State *state = self->reader.state;
    self->max_size = UINT64_C(1) << 20;
    self->max_fragment_size = UINT64_MAX;
    self->max_fragments = 4096;
    return reader_limit(state, "max_size", size, &self->max_size) < 0
        || reader_limit(state, "max_fragment_size", fragment_size, &self->max_fragment_size) < 0
        || reader_limit(state, "max_fragments", fragments, &self->max_fragments) < 0 ? -1 : 0;
}

/* Find out what the extensions allow; gives the verdicts for the reader. */
static PyObject *survey(MessageDecoder *self, PyObject *extensions)
{
    PyObject *verdicts = NULL;
    int sees_all;
    PyObject *result = PyObject_CallOneArg(self->reader.state->survey, extensions);
    if (result != NULL && PyArg_ParseTuple(result, "Op", &verdicts, &sees_all)) {
        self->sees_all = sees_all;
        Py_INCREF(verdicts);
    }
    Py_XDECREF(result);
    return verdicts;
}

static int set_up(Reader *reader, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {
        "masked", "extensions", "max_size", "max_fragment_size", "max_fragments", "fragments", NULL,
    };
    MessageDecoder *self = (MessageDecoder *)reader;
    PyObject *masked = NULL, *extensions = NULL, *size = NULL, *fragment_size = NULL, *most = NULL;
    int fragments = 0;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "|$OOOOOp:MessageDecoder", names, &masked, &extensions, &size, &fragment_size, &most,
            &fragments
        )
        || read_limits(self, size, fragment_size, most) < 0) {
        return -1;
    }
    PyObject *used = extensions == NULL ? PyTuple_New(0) : Py_NewRef(extensions);
    if (used == NULL) {
        return -1;
    }
    Py_XSETREF(self->extensions, used);
    self->fragments = fragments;
    return reader_begin(reader, &messages, masked, survey(self, used));
}

static int decoder_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return reader_init(self, args, kwargs, set_up);
}

static int decoder_traverse(PyObject *object, visitproc visit, void *arg)
{
    MessageDecoder *self = (MessageDecoder *)object;
    Py_VISIT(self->extensions);
    Py_VISIT(self->steps);
    return reader_traverse(object, visit, arg);
}

static int decoder_clear(PyObject *object)
{
    MessageDecoder *self = (MessageDecoder *)object;
    Py_CLEAR(self->extensions);
    Py_CLEAR(self->steps);
    return reader_clear(object);
}

static void decoder_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    forget((Reader *)object);
    decoder_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot decoder_slots[] = {
    {Py_tp_doc, "MessageDecoder(*, masked=None, extensions=(), max_size=1048576, max_fragment_size=None, "
                "max_fragments=4096, fragments=False)\n--\n\nTurn a byte stream into messages and control frames."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, decoder_init},
    {Py_tp_dealloc, decoder_dealloc},
    {Py_tp_traverse, decoder_traverse},
    {Py_tp_clear, decoder_clear},
    {Py_tp_methods, reader_methods},
    {Py_tp_getset, reader_attributes},
    {0, NULL},
};

PyType_Spec message_decoder_spec = {
    .name = "twoway.frames.MessageDecoder",
    .basicsize = sizeof(MessageDecoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = decoder_slots,
};
