#include "handshake.h"

#include "arguments.h"

/* 16 bytes in base64, RFC 6455 section 4.1 item 7. */
#define KEY_LENGTH 24

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Text that can be looked at byte by byte: nearly all. */
static bool is_plain(PyObject *text) { return PyUnicode_CheckExact(text) && PyUnicode_IS_COMPACT_ASCII(text); }

static bool equals(PyObject *text, const char *expected)
{
    Py_ssize_t size = (Py_ssize_t)strlen(expected);
    return is_plain(text) && PyUnicode_GET_LENGTH(text) == size
        && memcmp(PyUnicode_1BYTE_DATA(text), expected, (size_t)size) == 0;
}

/* Whatever is missing, wrong or only unusual is for the reference to judge. */

enum Verdict { FAILED = -1, UNUSUAL, USUAL };

/* Judge whether an attribute is a certain text. */
static enum Verdict judge_attribute(PyObject *object, PyObject *name, const char *expected)
{
    PyObject *value = PyObject_GetAttr(object, name);
    enum Verdict verdict = value == NULL ? FAILED : equals(value, expected) ? USUAL : UNUSUAL;
    Py_XDECREF(value);
    return verdict;
}

/* Find the values of a header, a new reference; NULL where there are none, with an exception set if that failed. */
static PyObject *find_values(PyObject *index, PyObject *name)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *values;
    return PyDict_GetItemRef(index, name, &values) < 0 ? NULL : values;
#else
    return Py_XNewRef(PyDict_GetItemWithError(index, name));
#endif
}

/* Find the only value of a header; none is usual, several are not. */
static enum Verdict find_value(PyObject *index, PyObject *name, PyObject **value)
{
    PyObject *values = find_values(index, name);
    enum Verdict verdict = values != NULL ? UNUSUAL : PyErr_Occurred() ? FAILED : USUAL;
    *value = NULL;
    if (values != NULL && PyList_CheckExact(values) && PyList_GET_SIZE(values) == 1) {
#if PY_VERSION_HEX >= 0x030D0000
        *value = PyList_GetItemRef(values, 0);
#else
        *value = Py_NewRef(PyList_GET_ITEM(values, 0));
#endif
        verdict = *value == NULL ? FAILED : USUAL;
    }
    Py_XDECREF(values);
    return verdict;
}

/* Whether a list with commas holds a token, whatever its case; `token` has letters only. */
static bool holds_token(PyObject *list, const char *token)
{
    const uint8_t *at = PyUnicode_1BYTE_DATA(list), *end = at + PyUnicode_GET_LENGTH(list);
    while (true) {
        const uint8_t *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma == NULL ? end : comma;
        const char *expected = token;
        while (at < stop && (*at == ' ' || *at == '\t')) {
            at++;
        }
        while (at < stop && *expected && (*at | 0x20) == *expected) {
            at++;
            expected++;
        }
        while (at < stop && (*at == ' ' || *at == '\t')) {
            at++;
        }
        if (at == stop && *expected == '\0') {
            return true;
        }
        if (comma == NULL) {
            return false;
        }
        at = comma + 1;
    }
}

static bool is_upgrade(PyObject *value) { return is_plain(value) && holds_token(value, "websocket"); }

static bool is_connection(PyObject *value) { return is_plain(value) && holds_token(value, "upgrade"); }

static bool is_version(PyObject *value) { return equals(value, "13"); }

static bool is_key(PyObject *value)
{
    if (!is_plain(value) || PyUnicode_GET_LENGTH(value) != KEY_LENGTH) {
        return false;
    }
    const char *text = (const char *)PyUnicode_1BYTE_DATA(value);
    return strspn(text, alphabet) == KEY_LENGTH - 2 && text[KEY_LENGTH - 2] == '=' && text[KEY_LENGTH - 1] == '=';
}

static bool is_anything(PyObject *Py_UNUSED(value)) { return true; }

static const struct {
    bool required;
    bool (*judge)(PyObject *value);
} rules[] = {
    [HEADER_UPGRADE] = {true, is_upgrade},         [HEADER_CONNECTION] = {true, is_connection},
    [HEADER_KEY] = {true, is_key},                 [HEADER_VERSION] = {true, is_version},
    [HEADER_ORIGIN] = {false, is_anything},        [HEADER_AUTHORIZATION] = {false, is_anything},
};

/* Judge the headers, and find the key among them; it is a new reference if all is usual. */
static enum Verdict judge_headers(State *state, PyObject *index, PyObject **key)
{
    enum Verdict verdict = USUAL;
    *key = NULL;
    for (int i = 0; i < HEADERS && verdict == USUAL; i++) {
        PyObject *value;
        verdict = find_value(index, state->headers[i], &value);
        if (verdict == USUAL && (value == NULL ? rules[i].required : !rules[i].judge(value))) {
            verdict = UNUSUAL;
        }
        if (verdict == USUAL && i == HEADER_KEY) {
            *key = Py_NewRef(value);
        }
        Py_XDECREF(value);
    }
    if (verdict != USUAL) {
        Py_CLEAR(*key);
    }
    return verdict;
}

static enum Verdict judge_request(State *state, PyObject *request, PyObject **key)
{
    enum Verdict verdict = judge_attribute(request, state->names.method, "GET");
    verdict = verdict == USUAL ? judge_attribute(request, state->names.version, "HTTP/1.1") : verdict;
    if (verdict != USUAL) {
        return verdict;
    }
    PyObject *headers = PyObject_GetAttr(request, state->names.headers);
    PyObject *index = headers == NULL ? NULL : PyObject_GetAttr(headers, state->names._index);
    if (index != NULL) {
        verdict = PyDict_CheckExact(index) ? judge_headers(state, index, key) : UNUSUAL;
    }
    Py_XDECREF(headers);
    Py_XDECREF(index);
    return index == NULL ? FAILED : verdict;
}

PyObject *check_request(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"request"};
    static const Signature signature = {"check_request", 1, 1, 1, names};
    State *state = state_of(module);
    PyObject *request, *key = NULL;
    if (arguments_take(&signature, given, count, keywords, &request) < 0 || !is_bound(state->check_request)) {
        return NULL;
    }
    enum Verdict verdict = judge_request(state, request, &key);
    return verdict == UNUSUAL ? PyObject_CallOneArg(state->check_request, request) : key;
}
