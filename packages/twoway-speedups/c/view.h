/* Reading any bytes-like object as one run of bytes. */
#ifndef TWOWAY_VIEW_H
#define TWOWAY_VIEW_H

#include "compat.h"

typedef struct {
    const uint8_t *data;
    Py_ssize_t size;
    PyObject *copy;  /* owned; bytes made of what does not lie in one run */
    bool exported;   /* whether `buffer` is to be released */
    Py_buffer buffer;
} View;

/* Give 0, or -1 with TypeError set for what is not bytes-like. The object must outlive the view. */
int view_open_any(View *view, PyObject *object);

static inline int view_open(View *view, PyObject *object)
{
    if (LIKELY(PyBytes_CheckExact(object))) {
        view->data = (const uint8_t *)PyBytes_AS_STRING(object);
        view->size = PyBytes_GET_SIZE(object);
        view->copy = NULL;
        view->exported = false;
        return 0;
    }
    return view_open_any(view, object);
}

static inline void view_close(View *view)
{
    if (view->exported) {
        PyBuffer_Release(&view->buffer);
    }
    Py_XDECREF(view->copy);
}

#endif
