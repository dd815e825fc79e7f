#include "mask.h"

#include "arguments.h"
#include "view.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* XOR whole words and give all of them or-ed. So plain a loop is turned into vector instructions by every compiler. */
static inline uint64_t mask_words(
    uint8_t *restrict out, const uint8_t *restrict data, size_t words, const uint8_t key[KEY_SIZE]
)
{
    uint64_t pattern, word, seen = 0;
    memcpy(&pattern, key, KEY_SIZE);
    memcpy((uint8_t *)&pattern + KEY_SIZE, key, KEY_SIZE);
    for (size_t i = 0; i < words; i++) {
        memcpy(&word, data + 8 * i, 8);
        word ^= pattern;
        seen |= word;
        memcpy(out + 8 * i, &word, 8);
    }
    return seen;
}

static inline uint64_t mask_rest(uint8_t *out, const uint8_t *data, size_t size, const uint8_t key[KEY_SIZE])
{
    uint64_t seen = 0;
    for (size_t i = size & ~(size_t)7; i < size; i++) {
        uint8_t octet = data[i] ^ key[i % KEY_SIZE];
        seen |= octet;
        out[i] = octet;
    }
    return seen;
}

void mask_copy(uint8_t *out, const uint8_t *data, size_t size, const uint8_t key[KEY_SIZE])
{
    mask_words(out, data, size / 8, key);
    mask_rest(out, data, size, key);
}

bool mask_copy_ascii(uint8_t *out, const uint8_t *data, size_t size, const uint8_t key[KEY_SIZE])
{
    uint64_t seen = mask_words(out, data, size / 8, key);
    return !((seen | mask_rest(out, data, size, key)) & HIGH_BITS);
}

void mask_turn(uint8_t key[KEY_SIZE], uint64_t size)
{
    uint8_t old[KEY_SIZE];
    memcpy(old, key, KEY_SIZE);
    for (size_t i = 0; i < KEY_SIZE; i++) {
        key[i] = old[(i + size) % KEY_SIZE];
    }
}

int mask_read_key(PyObject *object, uint8_t key[KEY_SIZE])
{
    View view;
    if (view_open(&view, object) < 0) {
        return -1;
    }
    bool fits = view.size == KEY_SIZE;
    if (fits) {
        memcpy(key, view.data, KEY_SIZE);
    } else {
        PyErr_Format(PyExc_ValueError, "key must be 4 bytes long, not %zd", view.size);
    }
    view_close(&view);
    return fits ? 0 : -1;
}

/* RFC 6455 sections 5.3 and 10.3: a new, unpredictable key for each frame. One system call gives many of them. */
static int fill_pool(State *state)
{
    PyObject *fresh = PyObject_CallMethod(state->os, "urandom", "i", POOL_SIZE);
    if (fresh == NULL) {
        return -1;
    }
    if (!PyBytes_Check(fresh) || PyBytes_GET_SIZE(fresh) != POOL_SIZE) {
        Py_DECREF(fresh);
        PyErr_SetString(PyExc_RuntimeError, "os.urandom() gave something else than was asked for");
        return -1;
    }
    LOCK_ACQUIRE(&state->pool_lock);
    if (!state->keys_left) { /* else another thread was faster */
        memcpy(state->pool, PyBytes_AS_STRING(fresh), POOL_SIZE);
        state->keys_left = POOL_SIZE / KEY_SIZE;
    }
    LOCK_RELEASE(&state->pool_lock);
    Py_DECREF(fresh);
    return 0;
}

int mask_new_key(State *state, uint8_t key[KEY_SIZE])
{
    for (;;) {
        LOCK_ACQUIRE(&state->pool_lock);
        bool taken = state->keys_left > 0;
        if (LIKELY(taken)) {
            state->keys_left--;
            memcpy(key, state->pool + (size_t)state->keys_left * KEY_SIZE, KEY_SIZE);
        }
        LOCK_RELEASE(&state->pool_lock);
        if (LIKELY(taken)) {
            return 0;
        }
        if (fill_pool(state) < 0) {
            return -1;
        }
    }
}

PyObject *new_masking_key(PyObject *module, PyObject *Py_UNUSED(unused))
{
    uint8_t key[KEY_SIZE];
    return mask_new_key(state_of(module), key) < 0 ? NULL : PyBytes_FromStringAndSize((char *)key, KEY_SIZE);
}

PyObject *forget_keys(PyObject *module, PyObject *Py_UNUSED(unused))
{
    State *state = state_of(module);
    LOCK_RESET(&state->pool_lock); /* a thread that held it when the process was forked is not in the child */
    state->keys_left = 0;
    Py_RETURN_NONE;
}

/* Give the place in the key where an offset of any size begins, -1 with an exception set. */
static int read_offset(PyObject *object)
{
    PyObject *number = PyNumber_Index(object);
    if (number == NULL) {
        return -1;
    }
    int overflow, place = -1;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow < 0 || (!overflow && value < 0)) {
        PyErr_Format(PyExc_ValueError, "offset must be >= 0, not %S", number);
    } else {
        place = (int)(PyLong_AsUnsignedLongLongMask(number) % KEY_SIZE);
    }
    Py_DECREF(number);
    return place;
}

PyObject *apply_mask(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"data", "key", "offset"};
    static const Signature signature = {"apply_mask", 2, 3, 3, names};
    PyObject *arguments[3], *result = NULL;
    uint8_t key[KEY_SIZE];
    View view;
    if (arguments_take(&signature, given, count, keywords, arguments) < 0 || view_open(&view, arguments[0]) < 0) {
        return NULL;
    }
    int place = 0;
    if (mask_read_key(arguments[1], key) == 0 && (arguments[2] == NULL || (place = read_offset(arguments[2])) >= 0)) {
        mask_turn(key, (uint64_t)place);
        result = PyBytes_FromStringAndSize(NULL, view.size);
    }
    if (result != NULL) {
        mask_copy((uint8_t *)PyBytes_AS_STRING(result), view.data, (size_t)view.size, key);
    }
    view_close(&view);
    return result;
}
