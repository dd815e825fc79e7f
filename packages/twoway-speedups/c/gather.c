#include "gather.h"

#include <limits.h>

#ifndef _WIN32
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* Python ignores SIGPIPE */
#endif

bool gather_open(Gather *gather, PyObject *message)
{
    bool text = PyUnicode_CheckExact(message);
    if (text && PyUnicode_IS_COMPACT_ASCII(message)) {
        gather->payload = PyUnicode_1BYTE_DATA(message);
        gather->size = (size_t)PyUnicode_GET_LENGTH(message);
    } else if (PyBytes_CheckExact(message)) {
        gather->payload = (const uint8_t *)PyBytes_AS_STRING(message);
        gather->size = (size_t)PyBytes_GET_SIZE(message);
    } else {
        return false;
    }
    if (gather->size <= LARGE_MESSAGE) { /* nearly always */
        return false;
    }
    gather->used = encode_message_header(gather->header, text, gather->size);
    return true;
}

#ifdef _WIN32

Py_ssize_t gather_write(const Gather *Py_UNUSED(gather), int Py_UNUSED(fd)) { return 0; }

#else

Py_ssize_t gather_write(const Gather *gather, int fd)
{
    struct iovec pieces[2] = {
        {(void *)gather->header, gather->used},
        {(void *)gather->payload, gather->size < INT_MAX ? gather->size : INT_MAX},
    };
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    Py_ssize_t written;
    Py_BEGIN_ALLOW_THREADS
    do {
        written = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (written < 0 && errno == EINTR);
    Py_END_ALLOW_THREADS
    return written;
}

#endif

PyObject *gather_rest(const Gather *gather, size_t written)
{
    size_t header = written < gather->used ? gather->used - written : 0;
    size_t skipped = written - (gather->used - header);
    PyObject *rest = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(header + gather->size - skipped));
    if (rest != NULL) {
        uint8_t *out = (uint8_t *)PyBytes_AS_STRING(rest);
        memcpy(out, gather->header + gather->used - header, header);
        memcpy(out + header, gather->payload + skipped, gather->size - skipped);
    }
    return rest;
}
