#include "deflate_path.h"

#include <stddef.h>
#include <structmember.h>

#include "encode.h"
#include "object.h"
#include "reader.h"

/* Sending */

/* Whether to compress a message; -1 with an exception set. */
static int wants(DeflatePath *self, bool text, PyObject *data, PyObject *compress)
{
    if (compress != Py_None) {
        return compress == Py_True;
    }
    if (PyBytes_GET_SIZE(data) < self->threshold) {
        return 0;
    }
    if (is_unset(self->decide)) {
        return 1;
    }
    PyObject *opcode = self->module->opcodes[text ? OPCODE_TEXT : OPCODE_BINARY], *arguments[] = {opcode, data};
    PyObject *decide = Py_NewRef(self->decide);
    PyObject *result = PyObject_Vectorcall(decide, arguments, 2, NULL);
    int status = result == NULL ? -1 : PyObject_IsTrue(result);
    Py_DECREF(decide);
    Py_XDECREF(result);
    return status;
}

static PyObject *deflate(DeflatePath *self, PyObject *data, Py_ssize_t *size)
{
    if (self->deflater == NULL || !PyObject_TypeCheck(self->deflater, self->module->types.deflater)) {
        PyErr_SetString(PyExc_AttributeError, "_deflater");
        return NULL;
    }
    PyObject *deflater = Py_NewRef(self->deflater);
    PyObject *payload = deflater_deflate((Deflater *)deflater, self->module, data, size);
    Py_DECREF(deflater);
    return payload;
}

PyObject *deflate_encode(DeflatePath *self, bool text, bool masked, PyObject *data, PyObject *compress)
{
    int first = FIN | (text ? OPCODE_TEXT : OPCODE_BINARY);
    int wanted = wants(self, text, data, compress);
    if (wanted < 0) {
        return NULL;
    }
    self->compressing = (char)wanted;
    Py_ssize_t size = PyBytes_GET_SIZE(data);
    PyObject *payload = wanted ? deflate(self, data, &size) : Py_NewRef(data);
    if (payload == NULL) {
        return NULL;
    }
    const uint8_t *octets = (const uint8_t *)PyBytes_AS_STRING(payload);
    PyObject *frame = encode_payload(self->module, (uint8_t)(wanted ? first | RSV1 : first), masked, octets, size);
    Py_DECREF(payload);
    return frame;
}

/* Receiving */

PyObject *deflate_decode(DeflatePath *self, PyObject *data, PyObject *limit)
{
    if (self->inflater == NULL || !PyObject_TypeCheck(self->inflater, self->module->types.inflater)) {
        PyErr_SetString(PyExc_AttributeError, "_inflater");
        return NULL;
    }
    self->inflating = 1;
    PyObject *inflater = Py_NewRef(self->inflater);
    PyObject *payload = inflater_inflate((Inflater *)inflater, self->module, data, limit);
    Py_DECREF(inflater);
    return payload;
}

/* The class: what it does not have, it gets from the reference. */

/* Find out whether a class has the method of the reference; -1 with an exception set. */
static int has_own(PyTypeObject *type, PyObject *name, PyObject *reference)
{
    PyObject *method = PyObject_GetAttr((PyObject *)type, name);
    Py_XDECREF(method);
    return method == NULL ? -1 : method != reference;
}

static PyObject *new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    PyObject *object = PyType_GetModuleByDef(type, &module_definition);
    if (object == NULL || !is_bound(state_of(object)->DeflatePath)) {
        return NULL;
    }
    State *module = state_of(object);
    int encodes = has_own(type, module->names.encode_payload, module->deflate.encode_payload);
    int decodes = has_own(type, module->names.decode_payload, module->deflate.decode_payload);
    DeflatePath *self = encodes < 0 || decodes < 0 ? NULL : (DeflatePath *)make_instance(type);
    if (self != NULL) {
        self->module = module;
        self->derived = encodes || decodes;
    }
    return (PyObject *)self;
}

#define FOR_EACH_OBJECT(X) X(decide) X(deflater) X(inflater)

DEFINE_LIFE(DeflatePath, FOR_EACH_OBJECT)

#define MEMBER(name) {"_" #name, T_OBJECT_EX, offsetof(DeflatePath, name), 0, NULL},

static PyMemberDef members[] = {
    FOR_EACH_OBJECT(MEMBER)
    {"_compressing", T_BOOL, offsetof(DeflatePath, compressing), 0, NULL},
    {"_inflating", T_BOOL, offsetof(DeflatePath, inflating), 0, NULL},
    {"_threshold", T_PYSSIZET, offsetof(DeflatePath, threshold), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Be the part of `PerMessageDeflate` that compresses and decompresses messages."},
    {Py_tp_new, new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec deflate_path_spec = {
    .name = "twoway.deflate.DeflatePath",
    .basicsize = sizeof(DeflatePath),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
