/* Frames to bytes: RFC 6455 sections 5.2 and 5.3. */
#ifndef TWOWAY_ENCODE_H
#define TWOWAY_ENCODE_H

#include "state.h"

#define LONGEST_PLAIN_HEADER 10

#define ENCODE_FRAME_DOC                                                                                               \
    "encode_frame($module, /, opcode, payload, fin=True, rsv=0, masked=False, key=None)\n--\n\n"                       \
    "Serialize a frame: header, masking key and payload in one object."
PyObject *encode_frame(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords);

/* Make the frame of a whole message; text may be str or its UTF-8, which is not checked. */
PyObject *encode_message(State *state, bool text, bool masked, PyObject *message);

/* Write the header of a whole message that is not masked; gives its length. */
size_t encode_message_header(uint8_t *out, bool text, size_t length);

/* Make a frame; `first` is its first byte. */
PyObject *encode_payload(State *state, uint8_t first, bool masked, const uint8_t *payload, Py_ssize_t size);

#define ENCODE_HEADER_DOC                                                                                              \
    "encode_header($module, /, opcode, length, fin=True, rsv=0, masked=False)\n--\n\n"                                 \
    "Serialize the header of a frame up to the payload length."
PyObject *encode_header(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords);

#define SERIALIZE_FRAME_DOC                                                                                            \
    "serialize_frame($module, /, frame, *, masked, key=None)\n--\n\n"                                                  \
    "Serialize a `Frame`."
PyObject *serialize_frame(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords);

#endif
