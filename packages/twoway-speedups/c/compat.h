/* What differs between versions of Python and between compilers. */
#ifndef TWOWAY_COMPAT_H
#define TWOWAY_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#else
#define LIKELY(condition) (condition)
#define UNLIKELY(condition) (condition)
#endif

/* A flag that one thread at a time holds. With the GIL nothing comes between reading and writing it. */
#ifdef Py_GIL_DISABLED
#ifdef _MSC_VER
#include <intrin.h>
typedef volatile long Flag;
static inline bool flag_take(Flag *flag) { return !_InterlockedExchange(flag, 1); }
static inline void flag_release(Flag *flag) { _InterlockedExchange(flag, 0); }
static inline void flag_raise(Flag *flag) { _InterlockedExchange(flag, 1); }
static inline bool flag_is_up(Flag *flag) { return _InterlockedOr(flag, 0) != 0; }
#else
#include <stdatomic.h>
typedef atomic_int Flag;
static inline bool flag_take(Flag *flag) { return !atomic_exchange_explicit(flag, 1, memory_order_acquire); }
static inline void flag_release(Flag *flag) { atomic_store_explicit(flag, 0, memory_order_release); }
static inline void flag_raise(Flag *flag) { atomic_store_explicit(flag, 1, memory_order_release); }
static inline bool flag_is_up(Flag *flag) { return atomic_load_explicit(flag, memory_order_acquire) != 0; }
#endif
#else
typedef int Flag;
static inline bool flag_take(Flag *flag)
{
    bool free = !*flag;
    *flag = 1;
    return free;
}
static inline void flag_release(Flag *flag) { *flag = 0; }
static inline void flag_raise(Flag *flag) { *flag = 1; }
static inline bool flag_is_up(Flag *flag) { return *flag != 0; }
#endif

/* A lock for a few instructions that call nothing; the GIL is one already. */
#ifdef Py_GIL_DISABLED
typedef PyMutex Lock;
#define LOCK_ACQUIRE(lock) PyMutex_Lock(lock)
#define LOCK_RELEASE(lock) PyMutex_Unlock(lock)
#define LOCK_RESET(lock) memset((lock), 0, sizeof(Lock))
#else
typedef char Lock;
#define LOCK_ACQUIRE(lock) ((void)(lock))
#define LOCK_RELEASE(lock) ((void)(lock))
#define LOCK_RESET(lock) ((void)(lock))
#endif

/* A lock of an object against other calls of its methods and attributes; the GIL is one already. */
#ifndef Py_BEGIN_CRITICAL_SECTION
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION() }
#endif

/* Make an instance whose arguments are for __init__; abstract classes are refused. */
static inline PyObject *make_instance(PyTypeObject *type)
{
    PyObject *nothing = PyTuple_New(0);
    PyObject *self = nothing == NULL ? NULL : PyBaseObject_Type.tp_new(type, nothing, NULL);
    Py_XDECREF(nothing);
    return self;
}

/* Take the exception that is set, without its traceback; it must be set. */
static inline PyObject *take_exception(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *exception = PyErr_GetRaisedException();
#else
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    PyErr_NormalizeException(&type, &exception, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
#endif
    PyException_SetTraceback(exception, Py_None);
    return exception;
}

/* Raise an exception that exists already; takes the reference, also NULL when another one is set. */
static inline void raise_exception(PyObject *exception)
{
    if (exception != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
    }
}

#endif
