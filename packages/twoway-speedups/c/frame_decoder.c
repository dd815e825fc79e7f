/* Bytes to frames, one by one: RFC 6455 sections 5.2 to 5.5. */
#include "reader.h"

#include "pile.h"

typedef struct {
    Reader reader;
    uint64_t max_size; /* UINT64_MAX for none */
    Pile payload;      /* of a frame that comes in pieces */
} FrameDecoder;

static int begin(Reader *reader, uint64_t length)
{
    FrameDecoder *self = (FrameDecoder *)reader;
    if (length > self->max_size) {
        reader_refuse_size(reader, "frame", length, self->max_size);
        return -1;
    }
    return 0;
}

static int receive(Reader *reader, const Chunk *chunk, bool final)
{
    FrameDecoder *self = (FrameDecoder *)reader;
    uint8_t *place = pile_extend(&self->payload, chunk->size, reader->left);
    if (place == NULL) {
        return -1;
    }
    chunk_copy(place, chunk);
    if (!final) {
        return 0;
    }
    PyObject *payload = pile_take(&self->payload), *frame;
    if (payload == NULL) {
        return -1;
    }
    PyObject *arguments[6] = {reader->state->opcodes[reader->first & 0x0F], payload};
    for (int i = 0; i < 4; i++) { /* FIN, RSV1, RSV2, RSV3 */
        arguments[2 + i] = reader->first & (FIN >> i) ? Py_True : Py_False;
    }
    frame = PyObject_Vectorcall(reader->state->Frame, arguments, 6, NULL);
    Py_DECREF(payload);
    return reader_keep(reader, frame);
}

static void forget(Reader *reader) { pile_drop(&((FrameDecoder *)reader)->payload); }

static const Kind frames = {begin, receive, forget};

/* Ask what first bytes are wrong when data frames, and only these, may carry some reserved bits. */
static PyObject *find_verdicts(const State *state, int bits)
{
    PyObject *pairs = Py_BuildValue("((ii)(ii)(ii))", 0, bits, 1, bits, 2, bits);
    PyObject *allowed = pairs == NULL ? NULL : PyFrozenSet_New(pairs);
    PyObject *verdicts = allowed == NULL ? NULL : PyObject_CallOneArg(state->verdicts, allowed);
    Py_XDECREF(pairs);
    Py_XDECREF(allowed);
    return verdicts;
}

/* Read `reserved_bits`; -1 with an exception set. */
static int read_bits(PyObject *object)
{
    if (object == NULL) {
        return 0;
    }
    PyObject *text, *number = PyNumber_Index(object);
    if (number == NULL) {
        return -1;
    }
    int overflow;
    long bits = PyLong_AsLongAndOverflow(number, &overflow);
    if (overflow || bits & ~(long)RSV) {
        bits = -1;
        if ((text = PyNumber_ToBase(number, 16)) != NULL) {
            PyErr_Format(PyExc_ValueError, "reserved_bits must be a sum of 0x40, 0x20 and 0x10, not %U", text);
            Py_DECREF(text);
        }
    }
    Py_DECREF(number);
    return (int)bits;
}

static int set_up(Reader *reader, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"masked", "reserved_bits", "max_size", NULL};
    FrameDecoder *self = (FrameDecoder *)reader;
    PyObject *masked = NULL, *bits = NULL, *size = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOO:FrameDecoder", names, &masked, &bits, &size)) {
        return -1;
    }
    self->max_size = UINT64_C(1) << 20;
    if (reader_limit(reader->state, "max_size", size, &self->max_size) < 0) {
        return -1;
    }
    int reserved_bits = read_bits(bits);
    return reserved_bits < 0
        ? -1 : reader_begin(reader, &frames, masked, find_verdicts(reader->state, reserved_bits));
}

static int decoder_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return reader_init(self, args, kwargs, set_up);
}

static void decoder_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    forget((Reader *)object);
    reader_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot decoder_slots[] = {
    {Py_tp_doc, "FrameDecoder(*, masked=None, reserved_bits=0, max_size=1048576)\n--\n\n"
                "Turn a byte stream into `Frame` objects, one by one."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, decoder_init},
    {Py_tp_dealloc, decoder_dealloc},
    {Py_tp_traverse, reader_traverse},
    {Py_tp_clear, reader_clear},
    {Py_tp_methods, reader_methods},
    {Py_tp_getset, reader_attributes},
    {0, NULL},
};

PyType_Spec frame_decoder_spec = {
    .name = "twoway.frames.FrameDecoder",
    .basicsize = sizeof(FrameDecoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = decoder_slots,
};
