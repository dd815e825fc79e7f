#include "http_head.h"

#include "arguments.h"

/* Classes of bytes, as in twoway.http: RFC 9110 section 5.6.2, 5.5; RFC 9112 section 3.2.1; RFC 3986 section 3.2.2. */
enum { TOKEN = 1, TEXT = 2, TARGET = 4, HOST_NAME = 8 };

static const uint8_t classes[256] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  2,  0,  0,  0,  0,  0,  0, /* 00 */
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, /* 10 */
     2, 15,  6,  3, 15,  7, 15, 15, 14, 14, 15, 15, 14, 15, 15,  6, /* 20 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  6, 14,  6, 14,  6,  6, /* 30 */
     6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 40 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  6,  6,  6,  7, 15, /* 50 */
     7, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 60 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  6,  7,  6, 15,  0, /* 70 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* 80 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* 90 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* a0 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* b0 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* c0 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* d0 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* e0 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* f0 */
};

typedef struct {
    const uint8_t *at, *end;
} Slice;

/* What there is to know about lines before anything is made of them. */
typedef struct {
    Py_ssize_t fields, hosts;
    Slice host;
    bool framed; /* whether a body is declared */
} Survey;

static const uint8_t *skip(const uint8_t *at, const uint8_t *end, uint8_t class)
{
    while (at < end && (classes[*at] & class)) {
        at++;
    }
    return at;
}

/*
 * Skip eight bytes of text at a time, as long as none of them is below a space or is DEL. A tab ends that, too, and
 * perhaps a byte above such a one: it is not said to be no text.
 */
static const uint8_t *skip_text_fast(const uint8_t *at, const uint8_t *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    for (; end - at >= 8; at += 8) {
        uint64_t octets, is_del;
        memcpy(&octets, at, 8);
        is_del = octets ^ ones * 0x7f;
        if ((((octets - ones * 0x20) & ~octets) | ((is_del - ones) & ~is_del)) & tops) {
            break;
        }
    }
    return at;
}

static bool is_line_end(const uint8_t *at, const uint8_t *end)
{
    return end - at >= 2 && at[0] == '\r' && at[1] == '\n';
}

static Slice strip(Slice text)
{
    while (text.at < text.end && (*text.at == ' ' || *text.at == '\t')) {
        text.at++;
    }
    while (text.at < text.end && (text.end[-1] == ' ' || text.end[-1] == '\t')) {
        text.end--;
    }
    return text;
}

/* Whether a token is a certain name; `lower` has letters and hyphens only. */
static bool is_named(Slice name, const char *lower, Py_ssize_t size)
{
    if (name.end - name.at != size) {
        return false;
    }
    for (Py_ssize_t i = 0; i < size; i++) {
        if ((name.at[i] | 0x20) != lower[i]) {
            return false;
        }
    }
    return true;
}

/* Judge lines from the first on; gives where the first one begins that is no field, or is not whole. */
static const uint8_t *judge(const uint8_t *at, const uint8_t *end, Survey *survey)
{
    while (true) {
        Slice name = {at, skip(at, end, TOKEN)};
        if (name.end == name.at || name.end == end || *name.end != ':') {
            return at;
        }
        Slice value = {name.end + 1, skip(skip_text_fast(name.end + 1, end), end, TEXT)};
        if (!is_line_end(value.end, end)) {
            return at;
        }
        if (is_named(name, "host", 4)) {
            survey->hosts++;
            survey->host = strip(value);
        }
        survey->framed |= is_named(name, "content-length", 14) || is_named(name, "transfer-encoding", 17);
        survey->fields++;
        at = value.end + 2;
    }
}

static PyObject *decode(Slice text) { return PyUnicode_DecodeLatin1((const char *)text.at, text.end - text.at, NULL); }

/* Where a known name would be; no two of them have the same place. */
static Py_ssize_t slot_of(const uint8_t *name, Py_ssize_t size)
{
    return (3 * size + 22 * name[0] + 5 * name[size > 3 ? size - 3 : 0]) % KNOWN_SLOTS;
}

void remember_known(State *state)
{
    PyObject *written, *item;
    for (Py_ssize_t position = 0; PyDict_Next(state->KNOWN, &position, &written, &item);) {
        if (PyUnicode_IS_COMPACT_ASCII(written) && PyUnicode_GET_LENGTH(written) > 0) {
            state->known[slot_of(PyUnicode_1BYTE_DATA(written), PyUnicode_GET_LENGTH(written))] = item;
        }
    }
}

static PyObject *lower(PyObject *name)
{
    Py_ssize_t size = PyUnicode_GET_LENGTH(name);
    PyObject *key = PyUnicode_New(size, 127);
    if (key != NULL) {
        const uint8_t *from = PyUnicode_1BYTE_DATA(name);
        uint8_t *to = PyUnicode_1BYTE_DATA(key);
        for (Py_ssize_t i = 0; i < size; i++) {
            to[i] = from[i] >= 'A' && from[i] <= 'Z' ? from[i] | 0x20 : from[i];
        }
    }
    return key;
}

/* Find a name and its lower-case form, the shared ones if there are some; both new references. */
static int find_names(State *state, Slice written, PyObject **name, PyObject **key)
{
    Py_ssize_t size = written.end - written.at;
    PyObject *known = state->known[slot_of(written.at, size)];
    if (known != NULL) {
        *name = PyTuple_GET_ITEM(known, 0);
        if (PyUnicode_GET_LENGTH(*name) == size && memcmp(PyUnicode_1BYTE_DATA(*name), written.at, (size_t)size) == 0) {
            *name = Py_NewRef(*name);
            *key = Py_NewRef(PyTuple_GET_ITEM(known, 1));
            return 0;
        }
    }
    if ((*name = decode(written)) == NULL) {
        return -1;
    }
    known = PyDict_GetItemWithError(state->KNOWN, *name);
    if (known != NULL) {
        Py_SETREF(*name, Py_NewRef(PyTuple_GET_ITEM(known, 0)));
        *key = Py_NewRef(PyTuple_GET_ITEM(known, 1));
        return 0;
    }
    *key = PyErr_Occurred() ? NULL : lower(*name);
    if (*key == NULL) {
        Py_CLEAR(*name);
        return -1;
    }
    return 0;
}

/* Put a value beside those of the same name. */
static int add_value(PyObject *index, PyObject *key, PyObject *value)
{
    PyObject *values = PyDict_GetItemWithError(index, key);
    if (values != NULL) {
        return PyList_Append(values, value);
    }
    if (PyErr_Occurred() || (values = PyList_New(1)) == NULL) {
        return -1;
    }
    PyList_SET_ITEM(values, 0, Py_NewRef(value));
    int status = PyDict_SetItem(index, key, values);
    Py_DECREF(values);
    return status;
}

/* Make a pair of name and value, and put the value into the index; NULL with an exception set. */
static PyObject *take_field(State *state, Slice written, Slice text, PyObject *index)
{
    PyObject *name, *key, *value, *item = NULL;
    if (find_names(state, written, &name, &key) < 0) {
        return NULL;
    }
    value = decode(text);
    if (value != NULL && add_value(index, key, value) == 0) {
        item = PyTuple_Pack(2, name, value);
    }
    Py_DECREF(name);
    Py_DECREF(key);
    Py_XDECREF(value);
    return item;
}

/* Take apart lines that were judged; new references, -1 with an exception set. */
static int collect(State *state, Slice lines, Py_ssize_t fields, PyObject **items, PyObject **index)
{
    *items = PyList_New(fields);
    *index = PyDict_New();
    bool failed = *items == NULL || *index == NULL;
    for (Py_ssize_t i = 0; i < fields && !failed; i++) {
        Slice name = {lines.at, lines.at}, value;
        while (*name.end != ':') {
            name.end++;
        }
        value.at = name.end + 1;
        value.end = memchr(value.at, '\r', (size_t)(lines.end - value.at));
        PyObject *item = take_field(state, name, strip(value), *index);
        failed = item == NULL;
        if (!failed) {
            PyList_SET_ITEM(*items, i, item);
        }
        lines.at = value.end + 2;
    }
    if (failed) {
        Py_CLEAR(*items);
        Py_CLEAR(*index);
    }
    return failed ? -1 : 0;
}

/* Host */

static bool is_hexadecimal(uint8_t octet)
{
    uint8_t letter = octet | 0x20;
    return (octet >= '0' && octet <= '9') || (letter >= 'a' && letter <= 'f');
}

static const uint8_t *skip_name(const uint8_t *at, const uint8_t *end)
{
    while (true) {
        at = skip(at, end, HOST_NAME);
        if (end - at < 3 || *at != '%' || !is_hexadecimal(at[1]) || !is_hexadecimal(at[2])) {
            return at;
        }
        at += 3;
    }
}

static bool is_port(Slice digits)
{
    long port = 0;
    if (digits.end - digits.at > 5) {
        return false;
    }
    for (; digits.at < digits.end && *digits.at >= '0' && *digits.at <= '9'; digits.at++) {
        port = 10 * port + (*digits.at - '0');
    }
    return digits.at == digits.end && port <= 65535;
}

/* Whether the value of Host is one; -1 with an exception set. */
static int is_host(State *state, Slice value)
{
    if (value.at < value.end && *value.at == '[') { /* IPv6 is left to Python */
        PyObject *text = decode(value), *parts = text == NULL ? NULL : PyObject_CallOneArg(state->split_host, text);
        Py_XDECREF(text);
        Py_XDECREF(parts);
        return parts == NULL ? -1 : parts != Py_None;
    }
    const uint8_t *name_end = skip_name(value.at, value.end);
    Slice port = {name_end + 1, value.end};
    return name_end > value.at && (name_end == value.end || (*name_end == ':' && is_port(port)));
}

/* The functions */

/* Read a limit; more than there can be memory for is as good as none. -1 with an exception set. */
static Py_ssize_t read_limit(PyObject *object)
{
    Py_ssize_t limit = PyLong_AsSsize_t(object);
    if (limit == -1 && PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Clear();
        return PY_SSIZE_T_MAX;
    }
    return limit;
}

/* Open bytes; -1 with an exception set. */
static int open_bytes(PyObject *data, Slice *octets)
{
    if (!PyBytes_Check(data)) {
        PyErr_Format(PyExc_TypeError, "expected bytes, not %.100s", Py_TYPE(data)->tp_name);
        return -1;
    }
    octets->at = (const uint8_t *)PyBytes_AS_STRING(data);
    octets->end = octets->at + PyBytes_GET_SIZE(data);
    return 0;
}

PyObject *split_fields(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"lines", "max_headers"};
    static const Signature signature = {"split_fields", 2, 2, 2, names};
    State *state = state_of(module);
    PyObject *arguments[2], *items, *index;
    Py_ssize_t limit;
    Survey survey = {0};
    Slice lines;
    if (arguments_take(&signature, given, count, keywords, arguments) < 0 || !is_bound(state->KNOWN)
        || open_bytes(arguments[0], &lines) < 0 || ((limit = read_limit(arguments[1])) == -1 && PyErr_Occurred())) {
        return NULL;
    }
    if (judge(lines.at, lines.end, &survey) != lines.end || survey.fields == 0 || survey.fields > limit) {
        Py_RETURN_NONE;
    }
    if (collect(state, lines, survey.fields, &items, &index) < 0) {
        return NULL;
    }
    return Py_BuildValue("(NN)", items, index);
}

/* Where the parts of a request are. */
typedef struct {
    Slice method, path, version, fields;
} Request;

/* Judge a request line, without its end; false where a closer look is needed. */
static bool judge_line(Slice data, Request *request)
{
    static const char version[] = "HTTP/1.";
    const uint8_t *end = data.end;
    request->method = (Slice){data.at, skip(data.at, end, TOKEN)};
    if (request->method.end == data.at || request->method.end == end || *request->method.end != ' ') {
        return false;
    }
    const uint8_t *target = request->method.end + 1;
    request->path = (Slice){target, skip(target, end, TARGET)};
    if (request->path.end == target || *target != '/' || end - request->path.end < 11 || *request->path.end != ' ') {
        return false;
    }
    const uint8_t *number = request->path.end + 1;
    request->version = (Slice){number, number + 8};
    return memcmp(number, version, 7) == 0 && (number[7] == '0' || number[7] == '1') && is_line_end(number + 8, end);
}

/* Judge a whole request; false where a closer look is needed, or an exception is set. */
static bool judge_request(State *state, Slice data, const Py_ssize_t *limits, Request *request, Survey *survey)
{
    if (!judge_line(data, request) || request->version.end - data.at > limits[0]) {
        return false;
    }
    request->fields.at = request->version.end + 2;
    request->fields.end = judge(request->fields.at, data.end, survey);
    Py_ssize_t size = request->fields.end - request->fields.at;
    return is_line_end(request->fields.end, data.end) && size <= limits[0] && survey->fields <= limits[1]
        && size <= limits[2] && !survey->framed && survey->hosts == 1 && is_host(state, survey->host) == 1;
}

PyObject *split_request(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"data", "max_line", "max_headers", "max_header_bytes"};
    static const Signature signature = {"split_request", 4, 4, 4, names};
    State *state = state_of(module);
    PyObject *arguments[4], *items, *index;
    Py_ssize_t limits[3];
    Survey survey = {0};
    Request request;
    Slice data;
    if (arguments_take(&signature, given, count, keywords, arguments) < 0 || !is_bound(state->KNOWN)
        || open_bytes(arguments[0], &data) < 0) {
        return NULL;
    }
    for (int i = 0; i < 3; i++) {
        if ((limits[i] = read_limit(arguments[i + 1])) == -1 && PyErr_Occurred()) {
            return NULL;
        }
    }
    if (!judge_request(state, data, limits, &request, &survey)) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    if (collect(state, request.fields, survey.fields, &items, &index) < 0) {
        return NULL;
    }
    PyObject *method = decode(request.method), *path = decode(request.path), *version = decode(request.version);
    return Py_BuildValue("(NNNNNn)", method, path, version, items, index, request.fields.end + 2 - data.at);
}
