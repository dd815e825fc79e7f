/* What classes whose instances hold other objects have in common. */
#ifndef TWOWAY_OBJECT_H
#define TWOWAY_OBJECT_H

#include "compat.h"

static inline bool is_unset(const PyObject *value) { return value == NULL || value == Py_None; }

/* Read a clock, a function without arguments; -1 with an exception set. */
static inline double read_clock(PyObject *clock)
{
    PyObject *time = PyObject_CallNoArgs(clock);
    double seconds = time == NULL ? -1 : PyFloat_AsDouble(time);
    Py_XDECREF(time);
    return seconds;
}

#define VISIT_FIELD(name) Py_VISIT(self->name);
#define CLEAR_FIELD(name) Py_CLEAR(self->name);

/* Define traverse(), clear() and dealloc() of a class; `fields` applies a macro to the name of each field. */
#define DEFINE_LIFE(Class, fields)                                                                                     \
    static int traverse(PyObject *object, visitproc visit, void *arg)                                                  \
    {                                                                                                                  \
        Class *self = (Class *)object;                                                                                 \
        Py_VISIT(Py_TYPE(object));                                                                                     \
        fields(VISIT_FIELD)                                                                                            \
        return 0;                                                                                                      \
    }                                                                                                                  \
                                                                                                                       \
    static int clear(PyObject *object)                                                                                 \
    {                                                                                                                  \
        Class *self = (Class *)object;                                                                                 \
        fields(CLEAR_FIELD)                                                                                            \
        return 0;                                                                                                      \
    }                                                                                                                  \
                                                                                                                       \
    static void dealloc(PyObject *object)                                                                              \
    {                                                                                                                  \
        PyTypeObject *type = Py_TYPE(object);                                                                          \
        PyObject_GC_UnTrack(object);                                                                                   \
        clear(object);                                                                                                 \
        type->tp_free(object);                                                                                         \
        Py_DECREF(type);                                                                                               \
    }

#endif
