/* The coroutines of recv(), __anext__() and send(). */
#ifndef TWOWAY_CALL_H
#define TWOWAY_CALL_H

#include "asyncio_path.h"

/* Make one; arguments may be NULL. NULL with an exception set. */
PyObject *call_recv(AsyncioPath *connection, PyObject *decode);
PyObject *call_anext(AsyncioPath *connection);
PyObject *call_send(AsyncioPath *connection, PyObject *message, PyObject *text, PyObject *compress);

extern PyType_Spec call_spec;

#endif
