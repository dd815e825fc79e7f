/* Masking: RFC 6455 section 5.3. */
#ifndef TWOWAY_MASK_H
#define TWOWAY_MASK_H

#include "state.h"

/* XOR `size` bytes into `out`, which must not overlap them. */
void mask_copy(uint8_t *out, const uint8_t *data, size_t size, const uint8_t key[KEY_SIZE]);

/* The same, and tell whether the result is ASCII only. */
bool mask_copy_ascii(uint8_t *out, const uint8_t *data, size_t size, const uint8_t key[KEY_SIZE]);

/* Turn a key so that it fits the bytes after the next `size` ones. */
void mask_turn(uint8_t key[KEY_SIZE], uint64_t size);

/* Take a key that was never handed out before, or read the caller's; -1 with an exception set. */
int mask_new_key(State *state, uint8_t key[KEY_SIZE]);
int mask_read_key(PyObject *object, uint8_t key[KEY_SIZE]);

#define APPLY_MASK_DOC                                                                                                 \
    "apply_mask($module, /, data, key, offset=0)\n--\n\n"                                                              \
    "XOR a payload with a masking key; masking and unmasking are the same call."
PyObject *apply_mask(PyObject *module, PyObject *const *given, Py_ssize_t count, PyObject *keywords);

#define NEW_MASKING_KEY_DOC                                                                                            \
    "new_masking_key($module, /)\n--\n\n"                                                                              \
    "Take a fresh masking key from the operating system's strong source."
PyObject *new_masking_key(PyObject *module, PyObject *unused);

#define FORGET_KEYS_DOC                                                                                                \
    "forget_keys($module, /)\n--\n\n"                                                                                  \
    "Empty the pool of masking keys; a forked child must not use those of its parent."
PyObject *forget_keys(PyObject *module, PyObject *unused);

#endif
