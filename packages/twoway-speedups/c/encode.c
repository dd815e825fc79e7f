#include "encode.h"

#include "arguments.h"
#include "mask.h"
#include "view.h"

#define FIN 0x80
#define MASK 0x80

/* What a frame is but its payload. */
typedef struct {
    uint8_t first;
    bool masked;
    PyObject *key; /* borrowed; NULL or None takes a fresh one */
} Plan;

/* RFC 6455 section 5.2: 7, 7+16 or 7+64 bits of length in network byte order, the minimal number of them. */
static size_t write_header(uint8_t *out, uint8_t first, bool masked, uint64_t length)
{
    int octets = length < 126 ? 0 : length < 65536 ? 2 : 8;
    out[0] = first;
    out[1] = (uint8_t)((masked ? MASK : 0) | (octets == 0 ? (int)length : octets == 2 ? 126 : 127));
    for (int i = 0; i < octets; i++) {
        out[2 + i] = (uint8_t)(length >> (8 * (octets - 1 - i)));
    }
    return 2 + (size_t)octets;
}

/* Make the whole frame in one object: every byte of the payload is moved once. */
static PyObject *write_frame(State *state, const Plan *plan, const uint8_t *payload, Py_ssize_t size)
{
    uint8_t header[LONGEST_PLAIN_HEADER + KEY_SIZE], *key = NULL;
    size_t used = write_header(header, plan->first, plan->masked, (uint64_t)size);
    if (plan->masked) {
        key = header + used;
        int status = plan->key == NULL || plan->key == Py_None ? mask_new_key(state, key) : mask_read_key(plan->key, key);
        if (status < 0) {
            return NULL;
        }
        used += KEY_SIZE;
    }
    if (size > PY_SSIZE_T_MAX - (Py_ssize_t)used) {
        return PyErr_NoMemory();
    }
    PyObject *frame = PyBytes_FromStringAndSize(NULL, size + (Py_ssize_t)used);
    if (frame == NULL) {
        return NULL;
    }
    uint8_t *out = (uint8_t *)PyBytes_AS_STRING(frame);
    memcpy(out, header, used);
    if (key != NULL) {
        mask_copy(out + used, payload, (size_t)size, key);
    } else if (size) {
        memcpy(out + used, payload, (size_t)size);
    }
    return frame;
}

PyObject *encode_payload(State *state, uint8_t first, bool masked, const uint8_t *payload, Py_ssize_t size)
{
    Plan plan = {first, masked, NULL};
    return write_frame(state, &plan, payload, size);
}

static PyObject *write_text(State *state, const Plan *plan, PyObject *text)
{
    if (LIKELY(PyUnicode_IS_COMPACT_ASCII(text))) {
        return write_frame(state, plan, PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text));
    }
    /* Not PyUnicode_AsUTF8AndSize(): it would keep the bytes for as long as the text lives. */
    PyObject *data = PyUnicode_AsUTF8String(text);
    if (data == NULL) {
        return NULL;
    }
    PyObject *frame = write_frame(state, plan, (uint8_t *)PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data));
    Py_DECREF(data);
    return frame;
}

static PyObject *write_payload(State *state, const Plan *plan, PyObject *payload)
{
    View view;
    if (PyUnicode_Check(payload)) {
        return write_text(state, plan, payload);
    }
    if (view_open(&view, payload) < 0) {
        return NULL;
    }
    PyObject *frame = write_frame(state, plan, view.data, view.size);
    view_close(&view);
    return frame;
}

static uint8_t first_octet(bool text) { return (uint8_t)(FIN | (text ? 1 : 2)); }

size_t encode_message_header(uint8_t *out, bool text, size_t length)
{
    return write_header(out, first_octet(text), false, length);
}

PyObject *encode_message(State *state, bool text, bool masked, PyObject *message)
{
    Plan plan = {first_octet(text), masked, NULL};
    return write_payload(state, &plan, message);
}

/* Read a number that is part of the first byte. */
static int read_bits(PyObject *object, const char *name, long most, long *bits)
{
    long value = PyLong_AsLong(object);
    if (value == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (value < 0 || value > most) {
        PyErr_Format(PyExc_ValueError, "%s must be 0 to %ld, not %ld", name, most, value);
        return -1;
    }
    *bits |= value;
    return 0;
}

/* NULL stands for the default: FIN, no reserved bits. */
static int read_first(PyObject *opcode, PyObject *fin, PyObject *rsv, uint8_t *first)
{
    int final = fin == NULL ? 1 : PyObject_IsTrue(fin);
    long bits = final ? FIN : 0;
    if (final < 0 || read_bits(opcode, "opcode", 0xFF, &bits) < 0) {
        return -1;
    }
    if (rsv != NULL && read_bits(rsv, "rsv", 0xFF, &bits) < 0) {
        return -1;
    }
    *first = (uint8_t)bits;
    return 0;
}

static int read_masked(PyObject *object, bool *masked)
{
    int value = object == NULL ? 0 : PyObject_IsTrue(object);
    *masked = value > 0;
    return value < 0 ? -1 : 0;
}

PyObject *encode_frame(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"opcode", "payload", "fin", "rsv", "masked", "key"};
    static const Signature signature = {"encode_frame", 2, 6, 6, names};
    PyObject *arguments[6];
    Plan plan;
    if (arguments_take(&signature, given, count, keywords, arguments) < 0
        || read_first(arguments[0], arguments[2], arguments[3], &plan.first) < 0
        || read_masked(arguments[4], &plan.masked) < 0) {
        return NULL;
    }
    plan.key = arguments[5];
    return write_payload(state_of(module), &plan, arguments[1]);
}

/* Read a length that a header can hold. */
static int read_length(PyObject *object, uint64_t *length)
{
    int overflow;
    PyObject *number = PyNumber_Index(object);
    if (number == NULL) {
        return -1;
    }
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow || value < 0) {
        PyErr_Format(PyExc_ValueError, "length must be 0 to 2**63 - 1, not %S", number);
        Py_DECREF(number);
        return -1;
    }
    Py_DECREF(number);
    *length = (uint64_t)value;
    return 0;
}

PyObject *encode_header(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"opcode", "length", "fin", "rsv", "masked"};
    static const Signature signature = {"encode_header", 2, 5, 5, names};
    PyObject *arguments[5];
    uint8_t first, header[LONGEST_PLAIN_HEADER];
    uint64_t length;
    bool masked;
    if (arguments_take(&signature, given, count, keywords, arguments) < 0
        || read_first(arguments[0], arguments[2], arguments[3], &first) < 0 || read_masked(arguments[4], &masked) < 0
        || read_length(arguments[1], &length) < 0) {
        return NULL;
    }
    return PyBytes_FromStringAndSize((char *)header, (Py_ssize_t)write_header(header, first, masked, length));
}

/* Read what `Frame` guarantees about itself into a first byte. */
static int read_frame(State *state, PyObject *frame, uint8_t *first)
{
    PyObject *names[] = {state->names.fin, state->names.rsv1, state->names.rsv2, state->names.rsv3};
    PyObject *value = PyObject_GetAttr(frame, state->names.opcode);
    long bits = 0;
    if (value == NULL) {
        return -1;
    }
    int status = read_bits(value, "opcode", 0x0F, &bits);
    Py_DECREF(value);
    for (int i = 0; i < 4 && status >= 0; i++) {
        value = PyObject_GetAttr(frame, names[i]);
        status = value == NULL ? -1 : PyObject_IsTrue(value);
        bits |= status > 0 ? FIN >> i : 0;
        Py_XDECREF(value);
    }
    *first = (uint8_t)bits;
    return status < 0 ? -1 : 0;
}

PyObject *serialize_frame(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"frame", "masked", "key"};
    static const Signature signature = {"serialize_frame", 2, 1, 3, names};
    State *state = state_of(module);
    PyObject *arguments[3];
    Plan plan;
    if (arguments_take(&signature, given, count, keywords, arguments) < 0
        || read_frame(state, arguments[0], &plan.first) < 0 || read_masked(arguments[1], &plan.masked) < 0) {
        return NULL;
    }
    PyObject *data = PyObject_GetAttr(arguments[0], state->names.data);
    if (data == NULL) {
        return NULL;
    }
    plan.key = arguments[2];
    PyObject *result = write_payload(state, &plan, data);
    Py_DECREF(data);
    return result;
}
