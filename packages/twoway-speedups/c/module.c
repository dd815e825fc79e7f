/* twoway.speedups._frames: compiled twins of twoway.frames, and of what messages and handshakes go through above it. */
#include "asyncio_path.h"
#include "call.h"
#include "deflate_path.h"
#include "encode.h"
#include "handshake.h"
#include "http_head.h"
#include "mask.h"
#include "reader.h"
#include "socket_path.h"
#include "threading_path.h"
#include "utf8.h"
#include "waiter.h"

#ifndef TWOWAY_VERSION
#error "hatch_build.py says which version this is"
#endif
#define TEXT_OF_TOKENS(tokens) #tokens
#define TEXT_OF(macro) TEXT_OF_TOKENS(macro)

#define BIND_DOC(suffix, portion)                                                                                      \
    "bind" suffix "($module, /, **names)\n--\n\n"                                                                      \
    "Take the classes and helpers of twoway." portion ", which this module does not import by itself."

/* Look up the members of Opcode by their value. */
static int find_opcodes(State *state)
{
    static const int values[] = {0, 1, 2, 8, 9, 10};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        PyObject *member = PyObject_CallFunction(state->Opcode, "i", values[i]);
        if (member == NULL) {
            return -1;
        }
        state->opcodes[values[i]] = member;
    }
    return 0;
}

/* Look up an argument of a bind function; NULL with TypeError set. Borrowed. */
static PyObject *find(PyObject *kwargs, const char *name)
{
    PyObject *value = kwargs == NULL ? NULL : PyDict_GetItemString(kwargs, name);
    if (value == NULL) {
        PyErr_Format(PyExc_TypeError, "bind() missing argument '%s'", name);
    }
    return value;
}

/* What was bound before is not given back: an object of another thread may be about to use it. */
#define CHECK(name)                                                                                                    \
    if (find(kwargs, #name) == NULL) {                                                                                 \
        return NULL;                                                                                                   \
    }
#define TAKE(name) state->name = Py_NewRef(find(kwargs, #name));

static PyObject *bind(PyObject *module, PyObject *args, PyObject *kwargs)
{
    State *state = state_of(module);
    if (!PyArg_ParseTuple(args, ":bind")) {
        return NULL;
    }
    FOR_EACH_BOUND(CHECK)
    FOR_EACH_BOUND(TAKE)
    return find_opcodes(state) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *bind_protocol(PyObject *module, PyObject *args, PyObject *kwargs)
{
    State *state = state_of(module);
    if (!PyArg_ParseTuple(args, ":bind_protocol")) {
        return NULL;
    }
    FOR_EACH_PROTOCOL_BOUND(CHECK)
#define LOOK_UP(name)                                                                                                  \
    if ((state->protocol.name = PyObject_GetAttrString(find(kwargs, "ProtocolPath"), #name)) == NULL) {                \
        return NULL;                                                                                                   \
    }
    FOR_EACH_PROTOCOL_FUNCTION(LOOK_UP)
#undef LOOK_UP
    FOR_EACH_PROTOCOL_BOUND(TAKE)
    Py_RETURN_NONE;
}

static PyObject *bind_deflate(PyObject *module, PyObject *args, PyObject *kwargs)
{
    State *state = state_of(module);
    if (!PyArg_ParseTuple(args, ":bind_deflate")) {
        return NULL;
    }
    FOR_EACH_DEFLATE_BOUND(CHECK)
#define LOOK_UP(name)                                                                                                  \
    if ((state->deflate.name = PyObject_GetAttrString(find(kwargs, "DeflatePath"), #name)) == NULL) {                  \
        return NULL;                                                                                                   \
    }
    FOR_EACH_DEFLATE_FUNCTION(LOOK_UP)
#undef LOOK_UP
    FOR_EACH_DEFLATE_BOUND(TAKE)
    Py_RETURN_NONE;
}

static PyObject *bind_asyncio(PyObject *module, PyObject *args, PyObject *kwargs)
{
    State *state = state_of(module);
    if (!PyArg_ParseTuple(args, ":bind_asyncio")) {
        return NULL;
    }
    FOR_EACH_ASYNCIO_BOUND(CHECK)
#define LOOK_UP(name)                                                                                                  \
    if ((state->asyncio.name = PyObject_GetAttrString(find(kwargs, "AsyncioPath"), #name)) == NULL) {                  \
        return NULL;                                                                                                   \
    }
    FOR_EACH_ASYNCIO_FUNCTION(LOOK_UP)
#undef LOOK_UP
    FOR_EACH_ASYNCIO_BOUND(TAKE)
    Py_RETURN_NONE;
}

static PyObject *bind_threading(PyObject *module, PyObject *args, PyObject *kwargs)
{
    State *state = state_of(module);
    if (!PyArg_ParseTuple(args, ":bind_threading")) {
        return NULL;
    }
    FOR_EACH_THREADING_BOUND(CHECK)
#define LOOK_UP(name)                                                                                                  \
    if ((state->threading.name = PyObject_GetAttrString(find(kwargs, "ThreadingPath"), #name)) == NULL) {                  \
        return NULL;                                                                                                   \
    }
    FOR_EACH_THREADING_FUNCTION(LOOK_UP)
#undef LOOK_UP
    FOR_EACH_THREADING_BOUND(TAKE)
    Py_RETURN_NONE;
}

static PyObject *bind_http(PyObject *module, PyObject *args, PyObject *kwargs)
{
    State *state = state_of(module);
    if (!PyArg_ParseTuple(args, ":bind_http")) {
        return NULL;
    }
    FOR_EACH_HTTP_BOUND(CHECK)
    FOR_EACH_HTTP_BOUND(TAKE)
    remember_known(state);
    Py_RETURN_NONE;
}

#undef CHECK
#undef TAKE

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef functions[] = {
    {"apply_mask", FAST(apply_mask), APPLY_MASK_DOC},
    {"decode_utf8", FAST(decode_utf8), DECODE_UTF8_DOC},
    {"encode_frame", FAST(encode_frame), ENCODE_FRAME_DOC},
    {"encode_header", FAST(encode_header), ENCODE_HEADER_DOC},
    {"serialize_frame", FAST(serialize_frame), SERIALIZE_FRAME_DOC},
    {"check_request", FAST(check_request), CHECK_REQUEST_DOC},
    {"split_fields", FAST(split_fields), SPLIT_FIELDS_DOC},
    {"split_request", FAST(split_request), SPLIT_REQUEST_DOC},
    {"new_masking_key", new_masking_key, METH_NOARGS, NEW_MASKING_KEY_DOC},
    {"forget_keys", forget_keys, METH_NOARGS, FORGET_KEYS_DOC},
    {"bind", (PyCFunction)(void (*)(void))bind, METH_VARARGS | METH_KEYWORDS, BIND_DOC("", "frames")},
    {"bind_protocol", (PyCFunction)(void (*)(void))bind_protocol, METH_VARARGS | METH_KEYWORDS,
     BIND_DOC("_protocol", "protocol")},
    {"bind_deflate", (PyCFunction)(void (*)(void))bind_deflate, METH_VARARGS | METH_KEYWORDS,
     BIND_DOC("_deflate", "deflate")},
    {"bind_asyncio", (PyCFunction)(void (*)(void))bind_asyncio, METH_VARARGS | METH_KEYWORDS,
     BIND_DOC("_asyncio", "asyncio")},
    {"bind_threading", (PyCFunction)(void (*)(void))bind_threading, METH_VARARGS | METH_KEYWORDS,
     BIND_DOC("_threading", "threading")},
    {"bind_http", (PyCFunction)(void (*)(void))bind_http, METH_VARARGS | METH_KEYWORDS, BIND_DOC("_http", "http")},
    {NULL, NULL, 0, NULL},
};

/* Make a class; `is_public` says whether the module has it as an attribute. */
static int add_class(PyObject *module, PyType_Spec *spec, PyTypeObject **place, bool is_public)
{
    *place = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *place == NULL || (is_public && PyModule_AddType(module, *place) < 0) ? -1 : 0;
}

static int add_classes(PyObject *module)
{
    State *state = state_of(module);
    return add_class(module, &frame_decoder_spec, &state->types.frame_decoder, true) < 0
        || add_class(module, &message_decoder_spec, &state->types.message_decoder, true) < 0
        || add_class(module, &utf8_decoder_spec, &state->types.utf8_decoder, true) < 0
        || add_class(module, &inbox_spec, &state->types.inbox, true) < 0
        || add_class(module, &protocol_path_spec, &state->types.protocol_path, true) < 0
        || add_class(module, &deflater_spec, &state->types.deflater, true) < 0
        || add_class(module, &inflater_spec, &state->types.inflater, true) < 0
        || add_class(module, &deflate_path_spec, &state->types.deflate_path, true) < 0
        || add_class(module, &asyncio_path_spec, &state->types.asyncio_path, true) < 0
#ifndef _WIN32
        || add_class(module, &socket_path_spec, &state->types.socket_path, true) < 0
#endif
        || add_class(module, &threading_path_spec, &state->types.threading_path, true) < 0
        || add_class(module, &call_spec, &state->types.call, false) < 0
        || add_class(module, &waiter_spec, &state->types.waiter, false) < 0 ? -1 : 0;
}

static int intern_names(State *state)
{
#define INTERN(name)                                                                                                   \
    if ((state->names.name = PyUnicode_InternFromString(#name)) == NULL) {                                             \
        return -1;                                                                                                     \
    }
    FOR_EACH_NAME(INTERN)
    FOR_EACH_HTTP_NAME(INTERN)
#undef INTERN
    static const char *const headers[HEADERS] = {
        "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "origin", "authorization",
    };
    for (int i = 0; i < HEADERS; i++) {
        if ((state->headers[i] = PyUnicode_InternFromString(headers[i])) == NULL) {
            return -1;
        }
    }
    return 0;
}

/* A forked child must not use the keys that its parent is going to use (RFC 6455 section 10.3: unpredictable). */
static int forget_keys_at_fork(PyObject *module, State *state)
{
    if (!PyObject_HasAttrString(state->os, "register_at_fork")) {
        return 0;
    }
    PyObject *none = PyTuple_New(0), *kwargs = PyDict_New(), *result = NULL;
    PyObject *hook = PyObject_GetAttrString(module, "forget_keys");
    PyObject *function = PyObject_GetAttrString(state->os, "register_at_fork");
    if (none && kwargs && hook && function && PyDict_SetItemString(kwargs, "after_in_child", hook) == 0) {
        result = PyObject_Call(function, none, kwargs);
    }
    Py_XDECREF(none);
    Py_XDECREF(kwargs);
    Py_XDECREF(hook);
    Py_XDECREF(function);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int execute(PyObject *module)
{
    State *state = state_of(module);
    state->os = PyImport_ImportModule("os");
    if (state->os == NULL || intern_names(state) < 0 || add_classes(module) < 0
        || forget_keys_at_fork(module, state) < 0) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "VERSION", TEXT_OF(TWOWAY_VERSION));
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = state_of(module);
#define VISIT(name) Py_VISIT(state->name);
    FOR_EACH_BOUND(VISIT)
    FOR_EACH_PROTOCOL_BOUND(VISIT)
    FOR_EACH_DEFLATE_BOUND(VISIT)
    FOR_EACH_ASYNCIO_BOUND(VISIT)
    FOR_EACH_THREADING_BOUND(VISIT)
    FOR_EACH_HTTP_BOUND(VISIT)
#undef VISIT
#define VISIT(name) Py_VISIT(state->protocol.name);
    FOR_EACH_PROTOCOL_FUNCTION(VISIT)
#undef VISIT
#define VISIT(name) Py_VISIT(state->deflate.name);
    FOR_EACH_DEFLATE_FUNCTION(VISIT)
#undef VISIT
#define VISIT(name) Py_VISIT(state->asyncio.name);
    FOR_EACH_ASYNCIO_FUNCTION(VISIT)
#undef VISIT
#define VISIT(name) Py_VISIT(state->threading.name);
    FOR_EACH_THREADING_FUNCTION(VISIT)
#undef VISIT
#define VISIT(name) Py_VISIT(state->types.name);
    FOR_EACH_TYPE(VISIT)
#undef VISIT
    for (int i = 0; i < 16; i++) {
        Py_VISIT(state->opcodes[i]);
    }
    Py_VISIT(state->os);
    return 0;
}

static int clear(PyObject *module)
{
    State *state = state_of(module);
#define CLEAR(name) Py_CLEAR(state->name);
    FOR_EACH_BOUND(CLEAR)
    FOR_EACH_PROTOCOL_BOUND(CLEAR)
    FOR_EACH_DEFLATE_BOUND(CLEAR)
    FOR_EACH_ASYNCIO_BOUND(CLEAR)
    FOR_EACH_THREADING_BOUND(CLEAR)
    FOR_EACH_HTTP_BOUND(CLEAR)
#undef CLEAR
#define CLEAR(name) Py_CLEAR(state->protocol.name);
    FOR_EACH_PROTOCOL_FUNCTION(CLEAR)
#undef CLEAR
#define CLEAR(name) Py_CLEAR(state->deflate.name);
    FOR_EACH_DEFLATE_FUNCTION(CLEAR)
#undef CLEAR
#define CLEAR(name) Py_CLEAR(state->asyncio.name);
    FOR_EACH_ASYNCIO_FUNCTION(CLEAR)
#undef CLEAR
#define CLEAR(name) Py_CLEAR(state->threading.name);
    FOR_EACH_THREADING_FUNCTION(CLEAR)
#undef CLEAR
#define CLEAR(name) Py_CLEAR(state->types.name);
    FOR_EACH_TYPE(CLEAR)
#undef CLEAR
#define CLEAR(name) Py_CLEAR(state->names.name);
    FOR_EACH_NAME(CLEAR)
    FOR_EACH_HTTP_NAME(CLEAR)
#undef CLEAR
    for (int i = 0; i < HEADERS; i++) {
        Py_CLEAR(state->headers[i]);
    }
    for (int i = 0; i < 16; i++) {
        Py_CLEAR(state->opcodes[i]);
    }
    Py_CLEAR(state->os);
    return 0;
}

static void release(void *module)
{
    State *state = state_of(module);
    memset(state->pool, 0, sizeof(state->pool));
    clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_frames",
    .m_doc = "Compiled twins of twoway.frames, and of what messages and handshakes go through above it.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__frames(void) { return PyModuleDef_Init(&module_definition); }
