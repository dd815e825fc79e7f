/* Bytes that arrive in pieces, in one object that becomes the result. */
#ifndef TWOWAY_PILE_H
#define TWOWAY_PILE_H

#include "compat.h"

typedef struct {
    PyObject *bytes; /* owned; of more bytes than are used; NULL while there are none */
    Py_ssize_t used;
} Pile;

static inline uint8_t *pile_data(const Pile *pile)
{
    return pile->bytes == NULL ? NULL : (uint8_t *)PyBytes_AS_STRING(pile->bytes);
}

/*
 * Give the place for the next `size` bytes, which then count as used; NULL with MemoryError set.
 *
 * `coming` is what the peer says will follow. Room is made for it, but never for more than has arrived already: a
 * header announces gigabytes for free.
 */
uint8_t *pile_extend(Pile *pile, Py_ssize_t size, uint64_t coming);

/* Give all bytes and be empty; NULL with MemoryError set. */
PyObject *pile_take(Pile *pile);

void pile_drop(Pile *pile);

#endif
