/* What every message goes through in permessage-deflate: twins of classes of twoway.deflate. RFC 7692 section 7.2. */
#ifndef TWOWAY_DEFLATE_PATH_H
#define TWOWAY_DEFLATE_PATH_H

#include "state.h"

/* Attributes are those that the Python code of the references sets and reads; NULL for those that are not set. */

typedef struct {
    PyObject_HEAD
    PyObject *active, *count, *history, *history_size, *idle, *keep, *keep_after, *make;
} Deflater;

typedef struct {
    PyObject_HEAD
    PyObject *bits, *engine, *history, *make, *stream;
    char failed, takeover;
    Py_ssize_t final_blocks, size;
} Inflater;

typedef struct {
    PyObject_HEAD
    State *module;
    PyObject *decide, *deflater, *inflater;
    char compressing, inflating;
    Py_ssize_t threshold;
    bool derived; /* our own: whether a subclass has a way of its own */
} DeflatePath;

/* Whether an extension compresses and decompresses here; NULL is none. */
static inline bool is_deflate_path(const State *module, PyObject *extension)
{
    return extension != NULL && PyObject_TypeCheck(extension, module->types.deflate_path)
        && !((DeflatePath *)extension)->derived;
}

/* Let pass what an engine gives if it is bytes, else NULL with an exception set; takes and gives a reference. */
static inline PyObject *check_bytes(PyObject *result)
{
    if (result != NULL && !PyBytes_Check(result)) {
        PyErr_Format(PyExc_TypeError, "an engine must give bytes, not %.100s", Py_TYPE(result)->tp_name);
        Py_CLEAR(result);
    }
    return result;
}

/*
 * Compress a whole message.
 *
 * Gives bytes whose first `size` are the payload; NULL with an exception set.
 */
PyObject *deflater_deflate(Deflater *self, const State *module, PyObject *data, Py_ssize_t *size);

/* Decompress a whole message; `limit` is an int or None. Gives bytes, NULL with an exception set. */
PyObject *inflater_inflate(Inflater *self, const State *module, PyObject *data, PyObject *limit);

/* Make the frame of a whole message, compressed or not; `compress` is True, False or None. */
PyObject *deflate_encode(DeflatePath *self, bool text, bool masked, PyObject *data, PyObject *compress);

/* Decompress a whole message whose frame has RSV1 and no other reserved bit. */
PyObject *deflate_decode(DeflatePath *self, PyObject *data, PyObject *limit);

extern PyType_Spec deflater_spec, inflater_spec, deflate_path_spec;

#endif
