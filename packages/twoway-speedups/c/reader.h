/* Finding frames in a byte stream: what both decoders have in common. RFC 6455 sections 5.2 to 5.5. */
#ifndef TWOWAY_READER_H
#define TWOWAY_READER_H

#include "mask.h"
#include "state.h"

#define FIN 0x80
#define MASK 0x80
#define RSV 0x70
#define RSV1 0x40
#define OPCODE 0x0F
#define CONTROL 0x08 /* opcodes from here on */
#define LONGEST_HEADER 14
#define MAX_CONTROL_SIZE 125

enum { OPCODE_CONT = 0, OPCODE_TEXT = 1, OPCODE_BINARY = 2, OPCODE_CLOSE = 8, OPCODE_PING = 9 };

/* A part of a payload as it came. */
typedef struct {
    const uint8_t *data;
    Py_ssize_t size;
    const uint8_t *key; /* NULL where it is not masked */
} Chunk;

typedef struct Reader Reader;

/* What becomes of the frames. */
typedef struct {
    /* Judge a frame by its header, before any of its payload is kept; -1 with an exception set. */
    int (*begin)(Reader *reader, uint64_t length);
    /* Take a part of the current payload; `final` says that the frame ends with it; -1 with an exception set. */
    int (*receive)(Reader *reader, const Chunk *chunk, bool final);
    /* Drop what is kept of an unfinished message: the stream has ended. */
    void (*forget)(Reader *reader);
} Kind;

/* The beginning of every decoder: an object and where its stream stands. */
struct Reader {
    PyObject_HEAD
    const Kind *kind;
    State *state;        /* of the module, which the type keeps alive */
    PyObject *verdicts;  /* two tuples of 256: outside and inside of a message, by first byte; None allows it */
    PyObject *error;     /* what was wrong with the stream; set once */
    PyObject *items;     /* list of what is complete and was not given yet; NULL for nothing */
    uint64_t left;       /* payload bytes of the current frame still to come */
    int wrong_mask;      /* mask bit that the other side must not send (section 5.1); -1 where both may come */
    Flag busy;           /* whether a call is at work */
    Flag stopped;        /* nothing that comes later counts (sections 5.5.1 and 7.1.7) */
    bool in_frame;
    bool in_message;
    bool is_masked;      /* the current frame */
    uint8_t first;       /* its first byte */
    uint8_t key[KEY_SIZE]; /* turned to fit the next byte */
    uint8_t rest_size;
    uint8_t rest[LONGEST_HEADER]; /* a header that is not complete */
};

static inline bool reader_in_final_frame(const Reader *reader) { return (reader->first & FIN) != 0; }

/* Keep what feed() is going to give; takes the reference, NULL if an exception is set already. */
int reader_keep(Reader *reader, PyObject *item);

/* Read a limit: None is UINT64_MAX, NULL leaves the default; -1 with TypeError or ValueError set. */
int reader_limit(const State *state, const char *name, PyObject *value, uint64_t *limit);

/* Raise PayloadTooBig. */
void reader_refuse_size(const Reader *reader, const char *what, uint64_t size, uint64_t limit);

/* Copy a part of a payload, unmasked. */
static inline void chunk_copy(uint8_t *out, const Chunk *chunk)
{
    if (chunk->key != NULL) {
        mask_copy(out, chunk->data, (size_t)chunk->size, chunk->key);
    } else if (chunk->size) {
        memcpy(out, chunk->data, (size_t)chunk->size);
    }
}

/*
 * Call `set_up` between taking and giving back the decoder, and once only: what is in use is never replaced.
 * `set_up` ends with reader_begin(), which steals `verdicts`, NULL if an exception is set already.
 */
int reader_init(PyObject *self, PyObject *args, PyObject *kwargs, int (*set_up)(Reader *, PyObject *, PyObject *));
int reader_begin(Reader *reader, const Kind *kind, PyObject *masked, PyObject *verdicts);

/* Take the next bytes of the stream; gives a list, NULL with an exception set. */
PyObject *reader_take(Reader *reader, const uint8_t *data, Py_ssize_t size);

/* Slots that the classes have in common. */
int reader_traverse(PyObject *self, visitproc visit, void *arg);
int reader_clear(PyObject *self);
extern PyMethodDef reader_methods[];
extern PyGetSetDef reader_attributes[];

extern PyType_Spec frame_decoder_spec, message_decoder_spec;

#endif
