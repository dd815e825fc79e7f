/*
 * load: drives WebSocket servers and clients over loopback, and is the server that shows the limit. Linux.
 *
 *     cc -O2 -o load load.c                          without TLS
 *     cc -O2 -DWITH_TLS -o load load.c -lssl -lcrypto
 *
 *     load MODE --port N [--connections N] [--size BYTES] [--depth N] [--seconds S] [--count N] [--pid N] [--file F] [--tls]
 *
 * Servers; they print a line when they are ready, and run until they are killed:
 *     echo         answers each message with itself
 *     push         sends messages of SIZE bytes to whoever connects, for SECONDS, then closes
 * Clients; they print one line of JSON:
 *     load         CONNECTIONS with DEPTH messages of SIZE bytes in flight on each, for SECONDS, of an echo server
 *     replay       the same with the compressed messages of FILE, one after the other; see the end of this comment
 *     flood        sends messages of SIZE bytes for SECONDS, then the text "end", and waits for their number
 *     broadcast    opens CONNECTIONS; each of COUNT messages that the first one sends must come to all of them
 *     handshakes   opens a connection and drops it, again and again, for SECONDS
 *     idle         opens CONNECTIONS, prints a line, and holds them until the standard input ends; with FILE each of
 *                  them exchanges the first message of it
 *
 * With --pid the CPU time (user and system, all threads) that this process takes during the measurement is in the answer.
 * A first part of the time, WARM_UP of it, is not measured where messages are answered. Only 127.0.0.1 is contacted.
 *
 * FILE holds payloads as they are on the wire, each after its length in four bytes, big endian. They are compressed with
 * permessage-deflate (RFC 7692) one after the other, with context takeover and a window of 12 bits. Replaying the file from
 * its beginning is right, too, for its first messages refer to nothing that came before.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

#define WARM_UP 0.2
#define GRACE 10 /* for the first answer that counts, on a machine that has other things to do; seconds */
#define READ_SIZE (256 << 10)
#define HEAD_SIZE 14 /* the largest header of a frame, with its key */
#define EVENTS 256
#define SAMPLES (1 << 20)
#define LARGE 32768 /* where a copy costs more than a system call */

enum { CONTINUATION = 0x0, TEXT = 0x1, BINARY = 0x2, CLOSE = 0x8, PING = 0x9, PONG = 0xA };
enum { FIN = 0x80, RSV1 = 0x40, MASKED = 0x80 };

/* ---- Options ---- */

static struct {
    const char *mode, *file;
    long port, connections, size, depth, count, pid, tls;
    double seconds;
} options = {.connections = 1, .size = 256, .depth = 1, .count = 1000, .seconds = 1};

static void fail(const char *what) {
    if (errno) {
        perror(what);
    } else {
        fprintf(stderr, "%s\n", what);
    }
    exit(1);
}

static void complain(const char *what) {
    errno = 0;
    fail(what);
}

static void read_options(int count, char **words) {
    struct {
        const char *name;
        long *number;
    } numbers[] = {
        {"--port", &options.port},   {"--connections", &options.connections}, {"--size", &options.size},
        {"--depth", &options.depth}, {"--count", &options.count},             {"--pid", &options.pid},
    };
    if (count < 2) complain("usage: see the head of load.c");
    options.mode = words[1];
    for (int i = 2; i < count; i++) {
        if (!strcmp(words[i], "--tls")) {
            options.tls = 1;
            continue;
        }
        if (i + 1 == count) complain("an option has no value");
        const char *name = words[i], *value = words[++i];
        int known = 0;
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            if (!strcmp(name, numbers[k].name)) {
                *numbers[k].number = atol(value);
                known = 1;
            }
        }
        if (!strcmp(name, "--seconds")) {
            options.seconds = atof(value);
        } else if (!strcmp(name, "--file")) {
            options.file = value;
        } else if (!known) {
            complain("there is no such option");
        }
    }
}

/* ---- Clocks ---- */

static double seconds_of(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time)) fail("clock_gettime");
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double now(void) { return seconds_of(CLOCK_MONOTONIC); }

/* CPU seconds of the measured process; 0 without one. */
static double cpu(void) {
    clockid_t clock;
    if (!options.pid) return 0;
    errno = clock_getcpuclockid((pid_t)options.pid, &clock);
    if (errno) fail("clock_getcpuclockid");
    return seconds_of(clock);
}

typedef struct {
    double began, cpu_began, took, cpu_took;
} Measurement;

static void begin(Measurement *m) {
    m->cpu_began = cpu();
    m->began = now();
}

static void end(Measurement *m) {
    m->took = now() - m->began;
    m->cpu_took = cpu() - m->cpu_began;
}

static void print_result(const Measurement *m, long messages, const char *more) {
    double each = messages ? m->cpu_took / (double)messages * 1e6 : 0;
    printf("{\"mode\": \"%s\", \"messages\": %ld, \"seconds\": %.4f, \"per_second\": %.1f", options.mode, messages, m->took,
           (double)messages / m->took);
    if (options.pid) printf(", \"cpu_us\": %.4f", each);
    printf("%s}\n", more);
    fflush(stdout);
}

/* ---- Buffers: what is used is between start and end ---- */

typedef struct {
    uint8_t *bytes;
    size_t start, end, room;
} Buffer;

static void make_room(Buffer *b, size_t size) {
    if (b->start == b->end) b->start = b->end = 0;
    if (b->room - b->end >= size) return;
    memmove(b->bytes, b->bytes + b->start, b->end - b->start);
    b->end -= b->start;
    b->start = 0;
    if (b->room - b->end >= size) return;
    b->room = (b->end + size) * 2;
    b->bytes = realloc(b->bytes, b->room);
    if (!b->bytes) fail("realloc");
}

static void append(Buffer *b, const void *bytes, size_t size) {
    make_room(b, size);
    memcpy(b->bytes + b->end, bytes, size);
    b->end += size;
}

/* ---- Frames (RFC 6455, section 5.2) ---- */

typedef struct {
    uint8_t first, *key, *payload; /* key is NULL without a mask */
    size_t length, whole;          /* of the payload, and with its header */
} Frame;

/* Reads the frame at the start of the buffer; tells whether all of it is there. */
static int read_frame(const Buffer *b, Frame *f) {
    uint8_t *p = b->bytes + b->start;
    size_t there = b->end - b->start, head = 2;
    if (there < 2) return 0;
    size_t length = p[1] & 0x7F, extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    head += extended + (p[1] & MASKED ? 4 : 0);
    if (there < head) return 0;
    if (extended) {
        length = 0;
        for (size_t i = 0; i < extended; i++) length = length << 8 | p[2 + i];
    }
    if (there - head < length) return 0;
    *f = (Frame){p[0], p[1] & MASKED ? p + head - 4 : NULL, p + head, length, head + length};
    return 1;
}

static size_t write_head(uint8_t *p, int first, size_t length, const uint8_t *key) {
    size_t extended = length < 126 ? 0 : length < 65536 ? 2 : 8, head = 2 + extended;
    p[0] = (uint8_t)first;
    p[1] = (uint8_t)((key ? MASKED : 0) | (extended == 0 ? length : extended == 2 ? 126 : 127));
    for (size_t i = 0; i < extended; i++) p[2 + i] = (uint8_t)((uint64_t)length >> (8 * (extended - 1 - i)));
    if (key) memcpy(p + head, key, 4);
    return head + (key ? 4 : 0);
}

static void apply_mask(uint8_t *bytes, size_t length, const uint8_t key[4]) {
    uint64_t word, keys;
    size_t i = 0;
    for (size_t k = 0; k < 8; k++) ((uint8_t *)&keys)[k] = key[k & 3];
    for (; i + 8 <= length; i += 8) {
        memcpy(&word, bytes + i, 8);
        word ^= keys;
        memcpy(bytes + i, &word, 8);
    }
    for (; i < length; i++) bytes[i] ^= key[i & 3];
}

static const uint8_t KEY[4] = {0x5A, 0xC3, 0x17, 0x9E};

static void append_frame(Buffer *b, int first, const void *payload, size_t length, int masked) {
    make_room(b, HEAD_SIZE + length);
    b->end += write_head(b->bytes + b->end, first, length, masked ? KEY : NULL);
    if (length) memcpy(b->bytes + b->end, payload, length);
    if (masked) apply_mask(b->bytes + b->end, length, KEY);
    b->end += length;
}

static uint8_t *make_text(size_t size) {
    uint8_t *text = malloc(size + 1);
    if (!text) fail("malloc");
    for (size_t i = 0; i < size; i++) text[i] = (uint8_t)('a' + i % 26);
    return text;
}

/* ---- The opening handshake's hash: SHA-1 (FIPS 180-4) of at most 119 bytes, and base64 ---- */

static uint32_t rotate(uint32_t word, int bits) { return word << bits | word >> (32 - bits); }

static void sha1(const char *text, size_t length, uint8_t digest[20]) {
    static const uint32_t constants[4] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t padded[128] = {0};
    size_t blocks = length < 56 ? 1 : 2;
    memcpy(padded, text, length);
    padded[length] = 0x80;
    padded[blocks * 64 - 2] = (uint8_t)(length >> 5);
    padded[blocks * 64 - 1] = (uint8_t)(length << 3);
    for (size_t block = 0; block < blocks; block++) {
        uint32_t w[80], v[5];
        for (int t = 0; t < 16; t++) {
            const uint8_t *p = padded + block * 64 + t * 4;
            w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        }
        for (int t = 16; t < 80; t++) w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        memcpy(v, h, sizeof v);
        for (int t = 0; t < 80; t++) {
            uint32_t mixed = t < 20                ? (v[1] & v[2]) | (~v[1] & v[3])
                             : t >= 40 && t < 60 ? (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3])
                                                 : v[1] ^ v[2] ^ v[3];
            uint32_t next = rotate(v[0], 5) + mixed + v[4] + constants[t / 20] + w[t];
            v[4] = v[3], v[3] = v[2], v[2] = rotate(v[1], 30), v[1] = v[0], v[0] = next;
        }
        for (int i = 0; i < 5; i++) h[i] += v[i];
    }
    for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* The value of Sec-WebSocket-Accept for a key (RFC 6455, section 4.2.2). */
static void make_accept(const char *key, char accept[29]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char joined[60];
    uint8_t digest[21] = {0};
    memcpy(joined, key, 24);
    memcpy(joined + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    sha1(joined, sizeof joined, digest);
    for (int i = 0; i < 28; i++) {
        int bit = i * 6, byte = bit / 8;
        int pair = digest[byte] << 8 | (byte < 20 ? digest[byte + 1] : 0);
        accept[i] = digits[pair >> (10 - bit % 8) & 63];
    }
    accept[27] = '=';
    accept[28] = 0;
}

/* ---- Connections ---- */

typedef struct {
    int fd, shaken, closing;
    Buffer in, out;
    double *sent;         /* when the messages in flight were sent, a ring of DEPTH */
    long asked, answered; /* messages */
    double until;         /* when to stop pushing; 0 when that is done */
#ifdef WITH_TLS
    SSL *tls;
#endif
} Connection;

/* Reads once; returns the bytes, 0 at the end, -1 when there are none now. */
static ssize_t receive(Connection *c) {
    make_room(&c->in, READ_SIZE);
    uint8_t *where = c->in.bytes + c->in.end;
    size_t room = c->in.room - c->in.end;
    ssize_t got;
#ifdef WITH_TLS
    if (c->tls) {
        int read = SSL_read(c->tls, where, (int)room);
        if (read <= 0) return SSL_get_error(c->tls, read) == SSL_ERROR_WANT_READ ? -1 : 0;
        c->in.end += (size_t)read;
        return read;
    }
#endif
    got = recv(c->fd, where, room, 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR ? -1 : 0;
    c->in.end += (size_t)got;
    return got;
}

/* Writes what it can; tells whether the connection is still good. */
static int transmit(Connection *c) {
    while (c->out.start < c->out.end) {
        const uint8_t *what = c->out.bytes + c->out.start;
        size_t size = c->out.end - c->out.start;
        ssize_t put;
#ifdef WITH_TLS
        if (c->tls) {
            int written = SSL_write(c->tls, what, (int)size);
            if (written <= 0) return SSL_get_error(c->tls, written) == SSL_ERROR_WANT_WRITE;
            c->out.start += (size_t)written;
            continue;
        }
#endif
        put = send(c->fd, what, size, MSG_NOSIGNAL);
        if (put < 0) return errno == EAGAIN || errno == EINTR;
        c->out.start += (size_t)put;
    }
    return 1;
}

static void set_quick(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static struct sockaddr_in loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void start_tls(Connection *c) {
#ifdef WITH_TLS
    static SSL_CTX *context;
    if (!context) {
        context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    c->tls = SSL_new(context);
    SSL_set_fd(c->tls, c->fd);
    if (SSL_connect(c->tls) != 1) {
        ERR_print_errors_fp(stderr);
        complain("no TLS");
    }
#else
    (void)c;
    complain("built without TLS");
#endif
}

/* Connects and shakes hands, waiting for it; then the socket waits no more. */
static void open_connection(Connection *c, int compressed) {
    struct sockaddr_in address = loopback();
    char request[512], *stop = NULL;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    set_quick(c->fd);
    if (options.tls) start_tls(c);
    int length = snprintf(request, sizeof request,
                          "GET / HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                          options.port,
                          compressed ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" : "");
    append(&c->out, request, (size_t)length);
    if (!transmit(c)) fail("send");
    while (!stop) {
        if (receive(c) <= 0) complain("the server hung up in the opening handshake");
        stop = memmem(c->in.bytes + c->in.start, c->in.end - c->in.start, "\r\n\r\n", 4);
    }
    char *answer = (char *)c->in.bytes + c->in.start;
    if (memcmp(answer + 8, " 101", 4)) complain("the server refused the opening handshake");
    *stop = 0;
    if (compressed && !strcasestr(answer, "permessage-deflate")) complain("the server does not compress");
    c->in.start = (size_t)((uint8_t *)stop + 4 - c->in.bytes);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->shaken = 1;
}

static int watch(int poll, Connection *c) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    return epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
}

static Connection *open_connections(int poll, int compressed) {
    Connection *all = calloc((size_t)options.connections, sizeof *all);
    for (long i = 0; i < options.connections; i++) {
        open_connection(&all[i], compressed);
        all[i].sent = calloc((size_t)options.depth, sizeof(double));
        if (watch(poll, &all[i])) fail("epoll_ctl");
    }
    return all;
}

/* Gives the next data message that is here; answers pings; ends the program when the server closes. */
static int next_message(Connection *c, Frame *f) {
    while (read_frame(&c->in, f)) {
        int opcode = f->first & 0x0F;
        c->in.start += f->whole;
        if (opcode == TEXT || opcode == BINARY) return 1;
        if (opcode == PING) append_frame(&c->out, FIN | PONG, f->payload, f->length, 1);
        if (opcode == CLOSE) {
            fprintf(stderr, "the server closes with %d\n", f->length < 2 ? 1005 : f->payload[0] << 8 | f->payload[1]);
            exit(1);
        }
        if (opcode == CONTINUATION) complain("the server sends fragments");
    }
    return 0;
}

/* ---- Servers ---- */

static int answer_handshake(Connection *c) {
    char *text = (char *)c->in.bytes + c->in.start, accept[29], response[256];
    char *stop = memmem(text, c->in.end - c->in.start, "\r\n\r\n", 4);
    if (!stop) return 1;
    *stop = 0;
    char *key = strcasestr(text, "\nsec-websocket-key:");
    if (!key) return 0;
    key += strlen("\nsec-websocket-key:");
    key += strspn(key, " ");
    if (strcspn(key, "\r") != 24) return 0;
    make_accept(key, accept);
    int length = snprintf(response, sizeof response,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n\r\n",
                          accept);
    append(&c->out, response, (size_t)length);
    c->in.start = (size_t)((uint8_t *)stop + 4 - c->in.bytes);
    c->shaken = 1;
    return 1;
}

/* Sends a large payload from where it is: the header of a client's frame leaves room for that of a server's. */
static int echo_in_place(Connection *c, const Frame *f) {
    uint8_t head[HEAD_SIZE];
    size_t size = write_head(head, f->first, f->length, NULL);
    if (f->length < LARGE || c->out.start < c->out.end || !f->key) return 0;
#ifdef WITH_TLS
    if (c->tls) return 0;
#endif
    memcpy(f->payload - size, head, size);
    ssize_t put = send(c->fd, f->payload - size, size + f->length, MSG_NOSIGNAL);
    size_t sent = put < 0 ? 0 : (size_t)put;
    append(&c->out, f->payload - size + sent, size + f->length - sent);
    return 1;
}

static void answer_frames(Connection *c, int echo) {
    Frame f;
    while (read_frame(&c->in, &f)) {
        int opcode = f.first & 0x0F;
        c->in.start += f.whole;
        if (f.key) apply_mask(f.payload, f.length, f.key);
        if (opcode == CLOSE) {
            append_frame(&c->out, FIN | CLOSE, f.payload, f.length, 0);
            c->closing = 1;
        } else if (opcode == PING) {
            append_frame(&c->out, FIN | PONG, f.payload, f.length, 0);
        } else if (opcode != PONG && echo && !echo_in_place(c, &f)) {
            append_frame(&c->out, f.first, f.payload, f.length, 0);
        }
    }
}

/* Pushes as much as the socket takes, some frames at a time. */
static int push(Connection *c, const Buffer *frames) {
    const uint8_t normal[2] = {1000 >> 8, 1000 & 0xFF};
    while (c->out.start == c->out.end && c->until) {
        append(&c->out, frames->bytes, frames->end);
        if (now() > c->until) {
            append_frame(&c->out, FIN | CLOSE, normal, 2, 0);
            c->until = 0;
        }
        if (!transmit(c)) return 0;
    }
    return 1;
}

static int serve_connection(Connection *c, const Buffer *frames) {
    for (;;) {
        ssize_t got = receive(c);
        if (got == 0) return 0;
        if (got < 0) break;
        if (!c->shaken && !answer_handshake(c)) return 0;
        if (c->shaken) answer_frames(c, !frames);
    }
    if (!transmit(c)) return 0;
    if (frames && c->shaken && !push(c, frames)) return 0;
    return !(c->closing && c->out.start == c->out.end);
}

static void serve(int pushing) {
    struct sockaddr_in address = loopback();
    struct epoll_event events[EVENTS], listening = {.events = EPOLLIN};
    int poll = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    long joined = 1 + 65536 / (options.size + 1);
    uint8_t *text = make_text((size_t)options.size);
    Buffer frames = {0};
    for (long i = 0; i < joined; i++) append_frame(&frames, FIN | TEXT, text, (size_t)options.size, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) fail("listen");
    if (epoll_ctl(poll, EPOLL_CTL_ADD, listener, &listening)) fail("epoll_ctl");
    puts("ready");
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            Connection *c = events[i].data.ptr;
            if (c) {
                if (serve_connection(c, pushing ? &frames : NULL)) continue;
                close(c->fd);
                free(c->in.bytes);
                free(c->out.bytes);
                free(c);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (fd < 0) continue;
            c = calloc(1, sizeof *c);
            c->fd = fd;
            c->until = now() + options.seconds;
            set_quick(fd);
            if (watch(poll, c)) fail("epoll_ctl");
        }
    }
}

/* ---- Clients of echo servers ---- */

typedef struct {
    Buffer bytes;       /* frames, ready to be sent */
    size_t *starts;     /* of each frame; the end of the last one follows */
    long count;
    const uint8_t *text; /* what must come back; NULL for compressed messages */
} Messages;

static void add_message(Messages *m, int first, const void *payload, size_t length) {
    m->starts = realloc(m->starts, (size_t)(m->count + 2) * sizeof *m->starts);
    m->starts[m->count++] = m->bytes.end;
    append_frame(&m->bytes, first, payload, length, 1);
    m->starts[m->count] = m->bytes.end;
}

static Messages plain_messages(void) {
    Messages m = {0};
    m.text = make_text((size_t)options.size);
    add_message(&m, FIN | TEXT, m.text, (size_t)options.size);
    return m;
}

static Messages compressed_messages(void) {
    Messages m = {0};
    uint8_t head[4];
    FILE *file = fopen(options.file ? options.file : "", "rb");
    if (!file) fail("--file");
    while (fread(head, 1, 4, file) == 4) {
        size_t length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        uint8_t *payload = malloc(length + 1);
        if (fread(payload, 1, length, file) != length) complain("the file is cut off");
        add_message(&m, FIN | RSV1 | TEXT, payload, length);
        free(payload);
    }
    if (!m.count) complain("the file is empty");
    fclose(file);
    return m;
}

static void ask(Connection *c, const Messages *m, double when) {
    long which = c->asked % m->count;
    append(&c->out, m->bytes.bytes + m->starts[which], m->starts[which + 1] - m->starts[which]);
    c->sent[c->asked++ % options.depth] = when;
}

/* Ends the program unless this is the answer; the first and the last word are looked at. */
static void check(const Messages *m, const Frame *f) {
    size_t size = (size_t)options.size, some = size < 8 ? size : 8;
    if (!m->text) {
        if (!(f->first & RSV1)) complain("the server does not compress");
    } else if (f->first & RSV1 || f->length != size || memcmp(f->payload, m->text, some) ||
               memcmp(f->payload + size - some, m->text + size - some, some)) {
        complain("this is no echo");
    }
}

static int by_value(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

typedef struct {
    double *samples;
    size_t number;
    long messages, bytes;
} Answers;

static void take_answers(Connection *c, const Messages *m, Answers *answers) {
    Frame f;
    for (;;) {
        ssize_t got = receive(c);
        if (got == 0) complain("the server hung up");
        if (got < 0) break;
        double when = now();
        while (next_message(c, &f)) {
            check(m, &f);
            if (answers->number < SAMPLES) answers->samples[answers->number++] = when - c->sent[c->answered % options.depth];
            c->answered++;
            answers->messages++;
            answers->bytes += (long)f.length;
            ask(c, m, when);
        }
    }
    if (!transmit(c)) complain("the server hung up");
}

static void load(int compressed) {
    struct epoll_event events[EVENTS];
    int poll = epoll_create1(0), measuring = 0;
    Messages messages = compressed ? compressed_messages() : plain_messages();
    Connection *all = open_connections(poll, compressed);
    Answers answers = {.samples = malloc(SAMPLES * sizeof(double))};
    Measurement m = {0};
    double start = now(), warm = start + options.seconds * WARM_UP, stop = warm + options.seconds, time = start;
    for (long i = 0; i < options.connections; i++) {
        for (long d = 0; d < options.depth; d++) ask(&all[i], &messages, start);
        if (!transmit(&all[i])) complain("the server hung up");
    }
    while (time < stop || (!answers.number && time < stop + GRACE)) {
        int ready = epoll_wait(poll, events, EVENTS, 100);
        for (int i = 0; i < ready; i++) take_answers(events[i].data.ptr, &messages, &answers);
        time = now();
        if (!measuring && time >= warm) {
            measuring = 1;
            answers.number = 0;
            answers.messages = answers.bytes = 0;
            begin(&m);
        }
    }
    end(&m);
    if (!answers.number) complain("nothing came back");
    qsort(answers.samples, answers.number, sizeof(double), by_value);
    char more[200];
    snprintf(more, sizeof more, ", \"p50_us\": %.1f, \"p99_us\": %.1f, \"bytes\": %.1f",
             answers.samples[answers.number / 2] * 1e6, answers.samples[answers.number * 99 / 100] * 1e6,
             (double)answers.bytes / (double)answers.messages);
    print_result(&m, answers.messages, more);
}

/* ---- Other clients ---- */

/* Waits until a message is here; the socket waits, too. */
static void await_message(Connection *c, Frame *f) {
    while (!next_message(c, f)) {
        ssize_t got = receive(c);
        if (got == 0) complain("the server hung up");
    }
    transmit(c);
}

static void set_waiting(Connection *c) { fcntl(c->fd, F_SETFL, 0); }

static void flood(void) {
    Connection c = {0};
    Frame f;
    Measurement m;
    uint8_t *text = make_text((size_t)options.size);
    long joined = 1 + 65536 / (options.size + 1), sent = 0;
    Buffer frames = {0};
    for (long i = 0; i < joined; i++) append_frame(&frames, FIN | TEXT, text, (size_t)options.size, 1);
    open_connection(&c, 0);
    set_waiting(&c);
    begin(&m);
    for (double stop = now() + options.seconds; now() < stop; sent += joined) {
        append(&c.out, frames.bytes, frames.end);
        if (!transmit(&c)) complain("the server hung up");
    }
    append_frame(&c.out, FIN | TEXT, "end", 3, 1);
    if (!transmit(&c)) complain("the server hung up");
    await_message(&c, &f);
    end(&m);
    char answer[32] = {0};
    memcpy(answer, f.payload, f.length < 31 ? f.length : 31);
    if (atol(answer) != sent) complain("the server did not get all messages");
    print_result(&m, sent, "");
}

static void broadcast(void) {
    struct epoll_event events[EVENTS];
    int poll = epoll_create1(0);
    Connection *all = open_connections(poll, 0);
    uint8_t *text = make_text((size_t)options.size);
    Messages messages = {.text = text};
    Measurement m = {0};
    Frame f;
    long warm = options.count / 5 + 1;
    usleep(200000); /* until the last handlers have begun */
    for (long round = 0; round < options.count + warm; round++) {
        long left = options.connections;
        if (round == warm) begin(&m);
        append_frame(&all[0].out, FIN | TEXT, text, (size_t)options.size, 1);
        transmit(&all[0]);
        while (left > 0) {
            int ready = epoll_wait(poll, events, EVENTS, 10000);
            if (!ready) complain("a broadcast did not come to all");
            for (int i = 0; i < ready; i++) {
                Connection *c = events[i].data.ptr;
                ssize_t got;
                while ((got = receive(c)) > 0) {
                    while (next_message(c, &f)) {
                        check(&messages, &f);
                        left--;
                    }
                }
                if (got == 0) complain("the server hung up");
                transmit(c);
            }
        }
    }
    end(&m);
    print_result(&m, options.count * options.connections, "");
}

static void handshakes(void) {
    struct linger drop = {1, 0};
    Measurement m = {0};
    long number = 0;
    int measuring = 0;
    double start = now(), warm = start + options.seconds * WARM_UP, stop = warm + options.seconds, time = start;
    while (time < stop) {
        Connection c = {0};
        open_connection(&c, 0);
        setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &drop, sizeof drop);
        close(c.fd);
        free(c.in.bytes);
        free(c.out.bytes);
        number++;
        time = now();
        if (!measuring && time >= warm) {
            measuring = 1;
            number = 0;
            begin(&m);
        }
    }
    end(&m);
    print_result(&m, number, "");
}

static void idle(void) {
    int poll = epoll_create1(0), compressed = options.file != NULL;
    Messages messages = compressed ? compressed_messages() : plain_messages();
    Connection *all = open_connections(poll, compressed);
    char ignored[64];
    Frame f;
    for (long i = 0; compressed && i < options.connections; i++) {
        set_waiting(&all[i]);
        ask(&all[i], &messages, 0);
        if (!transmit(&all[i])) complain("the server hung up");
        await_message(&all[i], &f);
        check(&messages, &f);
    }
    printf("{\"mode\": \"idle\", \"connections\": %ld}\n", options.connections);
    fflush(stdout);
    while (read(0, ignored, sizeof ignored) > 0) continue;
}

int main(int count, char **words) {
    read_options(count, words);
    signal(SIGPIPE, SIG_IGN);
    const char *mode = options.mode;
    if (!strcmp(mode, "echo")) serve(0);
    else if (!strcmp(mode, "push")) serve(1);
    else if (!strcmp(mode, "load")) load(0);
    else if (!strcmp(mode, "replay")) load(1);
    else if (!strcmp(mode, "flood")) flood();
    else if (!strcmp(mode, "broadcast")) broadcast();
    else if (!strcmp(mode, "handshakes")) handshakes();
    else if (!strcmp(mode, "idle")) idle();
    else complain("there is no such mode");
    return 0;
}
