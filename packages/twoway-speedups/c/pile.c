#include "pile.h"

uint8_t *pile_extend(Pile *pile, Py_ssize_t size, uint64_t coming)
{
    if (size > PY_SSIZE_T_MAX / 4 - pile->used) {
        PyErr_NoMemory();
        return NULL;
    }
    Py_ssize_t needed = pile->used + size;
    Py_ssize_t room = needed + (coming < (uint64_t)needed ? (Py_ssize_t)coming : needed);
    if (pile->bytes == NULL) {
        pile->bytes = PyBytes_FromStringAndSize(NULL, room);
    } else if (PyBytes_GET_SIZE(pile->bytes) < needed) {
        _PyBytes_Resize(&pile->bytes, room); /* on failure there is nothing left */
    }
    if (pile->bytes == NULL) {
        pile->used = 0;
        return NULL;
    }
    uint8_t *place = pile_data(pile) + pile->used;
    pile->used = needed;
    return place;
}

PyObject *pile_take(Pile *pile)
{
    PyObject *bytes = pile->bytes;
    Py_ssize_t used = pile->used;
    pile->bytes = NULL;
    pile->used = 0;
    if (bytes == NULL || used == 0) {
        Py_XDECREF(bytes);
        return PyBytes_FromStringAndSize(NULL, 0);
    }
    if (PyBytes_GET_SIZE(bytes) != used) {
        _PyBytes_Resize(&bytes, used);
    }
    return bytes;
}

void pile_drop(Pile *pile)
{
    pile->used = 0;
    Py_CLEAR(pile->bytes);
}
