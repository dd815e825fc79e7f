/* Large frames without a copy: header and payload are written from where they are. */
#ifndef TWOWAY_GATHER_H
#define TWOWAY_GATHER_H

#include "encode.h"

/* Below that, one object for the whole frame costs less; bytes. */
#define LARGE_MESSAGE 32768

typedef struct {
    uint8_t header[LONGEST_PLAIN_HEADER];
    size_t used; /* bytes of the header */
    const uint8_t *payload;
    size_t size;
} Gather;

/* Prepare a message to be sent so; false where that does not pay. The message must outlive it. */
bool gather_open(Gather *gather, PyObject *message);

/* Write to a socket without waiting; gives the number of bytes, -1 with errno set. On Windows nothing is done. */
Py_ssize_t gather_write(const Gather *gather, int fd);

/* Give what is left of the frame after so many bytes of it. */
PyObject *gather_rest(const Gather *gather, size_t written);

#endif
