#include "view.h"

/* Copy what has strides, as bytes(memoryview(...)) does. */
static int open_copy(View *view, PyObject *object)
{
    if (!PyErr_ExceptionMatches(PyExc_BufferError)) {
        return -1;
    }
    PyErr_Clear();
    view->copy = PyBytes_FromObject(object);
    if (view->copy == NULL) {
        return -1;
    }
    view->data = (const uint8_t *)PyBytes_AS_STRING(view->copy);
    view->size = PyBytes_GET_SIZE(view->copy);
    return 0;
}

int view_open_any(View *view, PyObject *object)
{
    view->copy = NULL;
    view->exported = false;
    if (!PyObject_CheckBuffer(object)) {
        PyErr_Format(PyExc_TypeError, "a bytes-like object is required, not '%.100s'", Py_TYPE(object)->tp_name);
        return -1;
    }
    if (PyObject_GetBuffer(object, &view->buffer, PyBUF_SIMPLE) < 0) {
        return open_copy(view, object);
    }
    view->exported = true;
    view->data = view->buffer.buf;
    view->size = view->buffer.len;
    return 0;
}
