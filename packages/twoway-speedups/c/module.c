/* twoway.speedups._frames: compiled twins of functions and classes of twoway.frames. */
#include "encode.h"
#include "mask.h"
#include "reader.h"
#include "utf8.h"

#ifndef TWOWAY_VERSION
#error "hatch_build.py says which version this is"
#endif
#define TEXT_OF_TOKENS(tokens) #tokens
#define TEXT_OF(macro) TEXT_OF_TOKENS(macro)

#define BIND_DOC                                                                                                       \
    "bind($module, /, **names)\n--\n\n"                                                                                \
    "Take the classes and helpers of twoway.frames, which this module does not import by itself."

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

/* What was bound before is not given back: a decoder of another thread may be about to use it. */
static PyObject *bind(PyObject *module, PyObject *args, PyObject *kwargs)
{
    State *state = state_of(module);
    if (!PyArg_ParseTuple(args, ":bind")) {
        return NULL;
    }
#define TAKE(name)                                                                                                     \
    PyObject *given_##name = kwargs == NULL ? NULL : PyDict_GetItemString(kwargs, #name);                              \
    if (given_##name == NULL) {                                                                                        \
        return PyErr_Format(PyExc_TypeError, "bind() missing argument '" #name "'");                                   \
    }
    FOR_EACH_BOUND(TAKE)
#undef TAKE
#define TAKE(name) state->name = Py_NewRef(given_##name);
    FOR_EACH_BOUND(TAKE)
#undef TAKE
    if (find_opcodes(state) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef functions[] = {
    {"apply_mask", FAST(apply_mask), APPLY_MASK_DOC},
    {"decode_utf8", FAST(decode_utf8), DECODE_UTF8_DOC},
    {"encode_frame", FAST(encode_frame), ENCODE_FRAME_DOC},
    {"encode_header", FAST(encode_header), ENCODE_HEADER_DOC},
    {"serialize_frame", FAST(serialize_frame), SERIALIZE_FRAME_DOC},
    {"new_masking_key", new_masking_key, METH_NOARGS, NEW_MASKING_KEY_DOC},
    {"forget_keys", forget_keys, METH_NOARGS, FORGET_KEYS_DOC},
    {"bind", (PyCFunction)(void (*)(void))bind, METH_VARARGS | METH_KEYWORDS, BIND_DOC},
    {NULL, NULL, 0, NULL},
};

static int add_classes(PyObject *module)
{
    PyType_Spec *specs[] = {&frame_decoder_spec, &message_decoder_spec, &utf8_decoder_spec};
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        PyObject *type = PyType_FromModuleAndSpec(module, specs[i], NULL);
        int status = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
        Py_XDECREF(type);
        if (status < 0) {
            return -1;
        }
    }
    return 0;
}

static int intern_names(State *state)
{
#define INTERN(name)                                                                                                   \
    if ((state->names.name = PyUnicode_InternFromString(#name)) == NULL) {                                             \
        return -1;                                                                                                     \
    }
    FOR_EACH_NAME(INTERN)
#undef INTERN
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
#undef CLEAR
#define CLEAR(name) Py_CLEAR(state->names.name);
    FOR_EACH_NAME(CLEAR)
#undef CLEAR
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
    .m_doc = "Compiled twins of functions and classes of twoway.frames.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__frames(void) { return PyModuleDef_Init(&module_definition); }
