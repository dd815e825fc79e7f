/* Strict UTF-8 that fails at the first bad byte: RFC 6455 section 8.1, RFC 3629 section 4. */
#ifndef TWOWAY_UTF8_H
#define TWOWAY_UTF8_H

#include "state.h"

/* Give how many bytes from the start are whole characters; `bad` tells whether what follows can never become one. */
size_t utf8_check(const uint8_t *data, size_t size, bool *bad);

/* Decode a whole text, unmasking it if there is a key; NULL with InvalidPayloadError or MemoryError set. */
PyObject *utf8_decode(State *state, const uint8_t *data, Py_ssize_t size, const uint8_t *key);

/* Raise InvalidPayloadError for bytes that are not UTF-8; `position` is where they begin in their text. */
void utf8_refuse(State *state, const uint8_t *data, size_t size, uint64_t position);

#define DECODE_UTF8_DOC                                                                                                \
    "decode_utf8($module, /, data)\n--\n\n"                                                                            \
    "Decode a whole text."
PyObject *decode_utf8(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords);

extern PyType_Spec utf8_decoder_spec;

#endif
