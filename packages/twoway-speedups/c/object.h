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

/*
 * Define new() of a class that is a twin of the one of the same name, which its package must have handed over; `begin`
 * sets what does not begin as 0, if anything. The module's State is kept in the field `module`.
 */
#define DEFINE_NEW(Class, begin)                                                                                       \
    static PyObject *new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))                   \
    {                                                                                                                  \
        PyObject *module = PyType_GetModuleByDef(type, &module_definition);                                            \
        if (module == NULL || !is_bound(state_of(module)->Class)) {                                                    \
            return NULL;                                                                                               \
        }                                                                                                              \
        Class *self = (Class *)make_instance(type);                                                                    \
        if (self != NULL) {                                                                                            \
            self->module = state_of(module);                                                                           \
            begin;                                                                                                     \
        }                                                                                                              \
        return (PyObject *)self;                                                                                       \
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
