/* What the module holds for one interpreter. */
#ifndef TWOWAY_STATE_H
#define TWOWAY_STATE_H

#include "compat.h"

/* What twoway.frames hands over: its classes, and helpers for what is rare. bind() takes exactly these names. */
#define FOR_EACH_BOUND(X)                                                                                              \
    X(Close) X(Fragment) X(Frame) X(FrameError) X(Opcode) X(PayloadTooBig) X(Ping) X(Pong) X(ProtocolError)            \
    X(TooManyFragments) X(check_limit) X(describe) X(plan) X(survey) X(verdicts)

/* Names of attributes, interned. */
#define FOR_EACH_NAME(X) X(data) X(decode_payload) X(fin) X(opcode) X(parse) X(rsv1) X(rsv2) X(rsv3) X(urandom)

#define KEY_SIZE 4
#define POOL_SIZE (1024 * KEY_SIZE)

typedef struct {
#define DECLARE(name) PyObject *name;
    FOR_EACH_BOUND(DECLARE)
#undef DECLARE
    struct {
#define DECLARE(name) PyObject *name;
        FOR_EACH_NAME(DECLARE)
#undef DECLARE
    } names;
    PyObject *opcodes[16]; /* members of Opcode by value, NULL for reserved ones */
    PyObject *os;
    Lock pool_lock;
    int keys_left; /* keys in the pool that nobody has had */
    uint8_t pool[POOL_SIZE];
} State;

/* Whether bind() was called; else RuntimeError is set. */
static inline bool is_bound(const State *state)
{
    if (LIKELY(state->Close != NULL)) {
        return true;
    }
    PyErr_SetString(PyExc_RuntimeError, "twoway.speedups is of no use alone: import twoway.frames");
    return false;
}

/* Set the error of a call that comes while another one is at work; give -1. */
static inline int refuse_second_user(void)
{
    PyErr_SetString(PyExc_RuntimeError, "used by another call at the same time: it needs a lock");
    return -1;
}

/* Set the error of a call on an object whose __init__ did not run. */
static inline void refuse_no_init(void) { PyErr_SetString(PyExc_RuntimeError, "__init__() was not called"); }

extern PyModuleDef module_definition;

static inline State *state_of(PyObject *module) { return (State *)PyModule_GetState(module); }

#endif
