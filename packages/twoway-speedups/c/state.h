/* What the module holds for one interpreter. */
#ifndef TWOWAY_STATE_H
#define TWOWAY_STATE_H

#include "compat.h"

/* What twoway.frames hands over: its classes, and helpers for what is rare. bind() takes exactly these names. */
#define FOR_EACH_BOUND(X)                                                                                              \
    X(Close) X(Fragment) X(Frame) X(FrameError) X(Opcode) X(PayloadTooBig) X(Ping) X(Pong) X(ProtocolError)            \
    X(TooManyFragments) X(check_limit) X(describe) X(plan) X(survey) X(verdicts)

/* What twoway.protocol hands over by bind_protocol(), and what is looked up on its classes. */
#define FOR_EACH_PROTOCOL_BOUND(X) X(BINARY) X(OPEN) X(ProtocolPath) X(TEXT) X(check_marks) X(convert)
#define FOR_EACH_PROTOCOL_FUNCTION(X) X(receive_data) X(send_binary) X(send_text)

/* What twoway.deflate hands over by bind_deflate(), and what is looked up on its classes. */
#define FOR_EACH_DEFLATE_BOUND(X) X(DeflatePath) X(Deflater) X(END) X(Inflater) X(InvalidPayloadError)
#define FOR_EACH_DEFLATE_FUNCTION(X) X(decode_payload) X(encode_payload)

/* What twoway.asyncio hands over by bind_asyncio(), and what is looked up on its classes. */
#define FOR_EACH_ASYNCIO_BOUND(X)                                                                                      \
    X(AsyncioPath) X(CancelledError) X(SocketPath) X(Task) X(current_task) X(done) X(free_descriptor) X(monotonic)
#define FOR_EACH_ASYNCIO_FUNCTION(X) X(__anext__) X(_send_shared) X(data_received) X(recv) X(send)

/* What twoway.threading hands over by bind_threading(), and what is looked up on its classes. */
#define FOR_EACH_THREADING_BOUND(X) X(ThreadingPath) X(clock)
#define FOR_EACH_THREADING_FUNCTION(X) X(recv) X(send)

/* What twoway.http hands over by bind_http(). */
#define FOR_EACH_HTTP_BOUND(X) X(KNOWN) X(check_request) X(split_host)
#define FOR_EACH_HTTP_NAME(X) X(_index) X(headers) X(method) X(version)
#define KNOWN_SLOTS 128

/* Headers of a request for WebSocket: their names in lower case, in this order. */
enum {
    HEADER_UPGRADE, HEADER_CONNECTION, HEADER_KEY, HEADER_VERSION, HEADER_ORIGIN, HEADER_AUTHORIZATION, HEADERS
};

/* Our own. */
#define FOR_EACH_TYPE(X)                                                                                               \
    X(asyncio_path) X(call) X(deflate_path) X(deflater) X(frame_decoder) X(inbox) X(inflater) X(message_decoder)       \
    X(protocol_path) X(socket_path) X(threading_path) X(utf8_decoder) X(waiter)

/* Names of attributes, interned. */
#define FOR_EACH_NAME(X)                                                                                               \
    X(_blame) X(_drop) X(_feed_on) X(_finish) X(_flush_joined) X(_give_up) X(_leave) X(_lose) X(_pause_reading)        \
    X(_read_eof) X(_read_out) X(_read_ready) X(_received) X(_sent) X(_start_message) X(_take) X(_wake) X(_write_rest)  \
    X(_wrote) X(acquire) X(break_off) X(buffer_updated) X(call_soon) X(close) X(compress) X(context) X(data)           \
    X(data_received) X(decode_payload) X(decompress) X(deflate) X(encode_payload) X(eof) X(fin) X(final) X(first)      \
    X(flush) X(forget) X(frame) X(get_buffer) X(inflate) X(is_closing) X(opcode) X(parse) X(release) X(rsv1) X(rsv2)   \
    X(rsv3) X(size) X(throw) X(unused_data) X(urandom) X(write)

#define KEY_SIZE 4
#define POOL_SIZE (1024 * KEY_SIZE)

typedef struct {
#define DECLARE(name) PyObject *name;
    FOR_EACH_BOUND(DECLARE)
    FOR_EACH_PROTOCOL_BOUND(DECLARE)
    FOR_EACH_DEFLATE_BOUND(DECLARE)
    FOR_EACH_ASYNCIO_BOUND(DECLARE)
    FOR_EACH_THREADING_BOUND(DECLARE)
    FOR_EACH_HTTP_BOUND(DECLARE)
#undef DECLARE
    struct {
#define DECLARE(name) PyObject *name;
        FOR_EACH_PROTOCOL_FUNCTION(DECLARE)
    } protocol;
    struct {
        FOR_EACH_DEFLATE_FUNCTION(DECLARE)
    } deflate;
    struct {
        FOR_EACH_ASYNCIO_FUNCTION(DECLARE)
    } asyncio;
    struct {
        FOR_EACH_THREADING_FUNCTION(DECLARE)
#undef DECLARE
    } threading;
    struct {
#define DECLARE(name) PyTypeObject *name;
        FOR_EACH_TYPE(DECLARE)
#undef DECLARE
    } types;
    struct {
#define DECLARE(name) PyObject *name;
        FOR_EACH_NAME(DECLARE)
        FOR_EACH_HTTP_NAME(DECLARE)
#undef DECLARE
    } names;
    PyObject *headers[HEADERS];
    PyObject *known[KNOWN_SLOTS]; /* items of KNOWN, borrowed from it: no name is made where there is one */
    PyObject *opcodes[16]; /* members of Opcode by value, NULL for reserved ones */
    PyObject *os;
    Lock pool_lock;
    int keys_left; /* keys in the pool that nobody has had */
    uint8_t pool[POOL_SIZE];
} State;

/* Whether a package has handed over what it has to; else RuntimeError is set. */
static inline bool is_bound(const PyObject *anything)
{
    if (LIKELY(anything != NULL)) {
        return true;
    }
    PyErr_SetString(PyExc_RuntimeError, "twoway.speedups is of no use alone: import what its classes are twins of");
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
