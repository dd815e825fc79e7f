#include "utf8.h"

#include "arguments.h"
#include "mask.h"
#include "view.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* RFC 3629 section 4: how long a character is by its first byte, and what its second byte may be. */
static size_t character_size(const uint8_t *data, uint8_t *low, uint8_t *high)
{
    uint8_t lead = data[0];
    *low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

static size_t skip_ascii(const uint8_t *data, size_t at, size_t size)
{
    uint64_t word;
    for (; at + 8 <= size; at += 8) {
        memcpy(&word, data + at, 8);
        if (word & HIGH_BITS) {
            break;
        }
    }
    while (at < size && data[at] < 0x80) {
        at++;
    }
    return at;
}

size_t utf8_check(const uint8_t *data, size_t size, bool *bad)
{
    uint8_t low, high;
    *bad = false;
    for (size_t at = skip_ascii(data, 0, size); at < size; at = skip_ascii(data, at, size)) {
        size_t length = character_size(data + at, &low, &high);
        if (!length) {
            *bad = true;
            return at;
        }
        for (size_t i = 1; i < length; i++, low = 0x80, high = 0xBF) {
            if (at + i == size) {
                return at;
            }
            if (data[at + i] < low || data[at + i] > high) {
                *bad = true;
                return at;
            }
        }
        at += length;
    }
    return size;
}

/* Turn the UnicodeDecodeError that is set into InvalidPayloadError, in the words of twoway.frames. */
static void describe(State *state, uint64_t position)
{
    Py_ssize_t start = 0;
    if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError) || !is_bound(state->Close)) {
        return;
    }
    PyObject *exception = take_exception();
    if (PyUnicodeDecodeError_GetStart(exception, &start) == 0) {
        unsigned long long place = position + (uint64_t)start;
        /* The error is a new one, not chained to this: it would keep the whole text alive. */
        raise_exception(PyObject_CallFunction(state->describe, "OK", exception, place));
    }
    Py_DECREF(exception);
}

void utf8_refuse(State *state, const uint8_t *data, size_t size, uint64_t position)
{
    /* No character is longer than four bytes. */
    PyObject *text = PyUnicode_DecodeUTF8((const char *)data, size < 4 ? (Py_ssize_t)size : 4, NULL);
    if (text == NULL) {
        describe(state, position);
        return;
    }
    Py_DECREF(text);
    PyErr_SetString(PyExc_SystemError, "twoway.speedups: two opinions about UTF-8");
}

static PyObject *decode_any(State *state, const uint8_t *data, Py_ssize_t size)
{
    PyObject *text = PyUnicode_DecodeUTF8((const char *)data, size, NULL);
    if (text == NULL) {
        describe(state, 0);
    }
    return text;
}

PyObject *utf8_decode(State *state, const uint8_t *data, Py_ssize_t size, const uint8_t *key)
{
    static const uint8_t no_key[KEY_SIZE] = {0};
    if (size < 2) { /* Python keeps one object for each of these texts */
        uint8_t only = size ? data[0] ^ (key == NULL ? 0 : key[0]) : 0;
        return decode_any(state, &only, size);
    }
    if (key == NULL && (data[0] | data[size - 1]) & 0x80) {
        return decode_any(state, data, size); /* not ASCII, as is plain to see */
    }
    /* Nearly all text is ASCII: then its characters are its bytes, and are unmasked straight into the string. */
    PyObject *text = PyUnicode_New(size, 127);
    if (text == NULL) {
        return NULL;
    }
    uint8_t *characters = PyUnicode_1BYTE_DATA(text);
    if (LIKELY(mask_copy_ascii(characters, data, (size_t)size, key == NULL ? no_key : key))) {
        return text;
    }
    PyObject *decoded = decode_any(state, characters, size);
    Py_DECREF(text);
    return decoded;
}

PyObject *decode_utf8(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"data"};
    static const Signature signature = {"decode_utf8", 1, 1, 1, names};
    PyObject *argument, *text;
    View view;
    if (arguments_take(&signature, given, count, keywords, &argument) < 0 || view_open(&view, argument) < 0) {
        return NULL;
    }
    text = utf8_decode(state_of(module), view.data, view.size, NULL);
    view_close(&view);
    return text;
}

/* Utf8Decoder: a text that comes in pieces */

typedef struct {
    PyObject_HEAD
    State *state; /* of the module, which the type keeps alive */
    uint64_t seen; /* bytes of the text before the current piece */
    uint8_t cut[4]; /* bytes of a character that is not complete */
    uint8_t cut_size;
    Flag busy;
} Utf8Decoder;

static int decoder_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *none[] = {NULL};
    Utf8Decoder *self = (Utf8Decoder *)object;
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(object), &module_definition);
    if (module == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, ":Utf8Decoder", none)) {
        return -1;
    }
    if (!flag_take(&self->busy)) {
        return refuse_second_user();
    }
    self->state = state_of(module);
    self->seen = 0;
    self->cut_size = 0;
    flag_release(&self->busy);
    return 0;
}

/* Decode a piece in one run with the bytes that were cut off before; `position` is where it begins in its text. */
static PyObject *decode_run(Utf8Decoder *self, const uint8_t *data, Py_ssize_t size, uint64_t position, bool final)
{
    Py_ssize_t used = size;
    PyObject *text = PyUnicode_DecodeUTF8Stateful((const char *)data, size, NULL, final ? NULL : &used);
    if (text == NULL) {
        describe(self->state, position);
        return NULL;
    }
    self->cut_size = (uint8_t)(size - used);
    memcpy(self->cut, data + used, self->cut_size);
    /* Python waits for a third byte after ED A0..BF, though RFC 3629 section 4 knows no such character. */
    if (self->cut_size == 2 && self->cut[0] == 0xED && self->cut[1] >= 0xA0) {
        Py_DECREF(text);
        utf8_refuse(self->state, self->cut, 2, position + (uint64_t)used);
        return NULL;
    }
    return text;
}

static PyObject *decode_piece(Utf8Decoder *self, const View *view, bool final)
{
    uint64_t position = self->seen - self->cut_size;
    self->seen = final ? 0 : self->seen + (uint64_t)view->size;
    if (!self->cut_size) {
        return decode_run(self, view->data, view->size, position, final);
    }
    size_t cut = self->cut_size, size = (size_t)view->size;
    uint8_t *joined = PyMem_Malloc(cut + size);
    if (joined == NULL) {
        return PyErr_NoMemory();
    }
    memcpy(joined, self->cut, cut);
    if (size) {
        memcpy(joined + cut, view->data, size);
    }
    self->cut_size = 0;
    PyObject *text = decode_run(self, joined, (Py_ssize_t)(cut + size), position, final);
    PyMem_Free(joined);
    return text;
}

static PyObject *decoder_decode(PyObject *object, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"data", "final"};
    static const Signature signature = {"decode", 1, 2, 2, names};
    Utf8Decoder *self = (Utf8Decoder *)object;
    PyObject *arguments[2], *text = NULL;
    View view;
    if (arguments_take(&signature, given, count, keywords, arguments) < 0) {
        return NULL;
    }
    int final = arguments[1] == NULL ? 0 : PyObject_IsTrue(arguments[1]);
    if (final < 0 || view_open(&view, arguments[0]) < 0) {
        return NULL;
    }
    if (!flag_take(&self->busy)) {
        refuse_second_user();
    } else {
        if (self->state != NULL) {
            text = decode_piece(self, &view, final);
        } else {
            refuse_no_init();
        }
        flag_release(&self->busy);
    }
    view_close(&view);
    return text;
}

static void decoder_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef decoder_methods[] = {
    {"decode", (PyCFunction)(void (*)(void))decoder_decode, METH_FASTCALL | METH_KEYWORDS,
     "decode($self, /, data, final=False)\n--\n\nDecode the next piece."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot decoder_slots[] = {
    {Py_tp_doc, "Utf8Decoder()\n--\n\nDecode a text that arrives in pieces; a character may be cut anywhere."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, decoder_init},
    {Py_tp_dealloc, decoder_dealloc},
    {Py_tp_methods, decoder_methods},
    {0, NULL},
};

PyType_Spec utf8_decoder_spec = {
    .name = "twoway.frames.Utf8Decoder",
    .basicsize = sizeof(Utf8Decoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = decoder_slots,
};
