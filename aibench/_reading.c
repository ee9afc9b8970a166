/* Files read whole, one after the other, with no Python between the system calls.

   The promise and the same loop in Python are in reading.py. The stable ABI has buffers since
   Python 3.11, so that one build serves this Python and all later ones. */

#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PROMISE 1 /* reading.py has the number of the promise that it expects */
#define STAMPS 4  /* clock readings of a file: before it, opened, read, closed */
#define BLOCK 64  /* files whose names and sizes are taken at once, while the GIL is held */

enum end { GOES_ON, AT_ALARM, CAME_SHORT, FAILED };

typedef struct {
    int root, flags, look, dry;
    int64_t alarm;
    Py_buffer views[1 + STAMPS]; /* what is filled: the buffer, then the stamps */
    PyObject *names[BLOCK];
    const char *paths[BLOCK];
    int64_t sizes[BLOCK];
    Py_ssize_t place; /* of the file that is read now, in lists and stamps */
    int fd, error;    /* error is an errno; 0 where a signal's handler has raised */
    int64_t count;
    PyThreadState *thread;
} Stretch;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void stamp(Stretch *s, int which, int64_t time) {
    ((int64_t *)s->views[1 + which].buf)[s->place] = time;
}

/* Whether a call that failed is made again: after a signal whose handlers in Python have run and
   raised nothing (PEP 475). */
static int again(Stretch *s) {
    s->error = errno;
    if (s->error != EINTR)
        return 0;
    PyEval_RestoreThread(s->thread);
    int raised = PyErr_CheckSignals();
    s->thread = PyEval_SaveThread();
    if (raised)
        s->error = 0;
    return !raised;
}

static enum end opened(Stretch *s, const char *path) {
    struct stat seen;
    do
        s->fd = openat(s->root, path, s->flags | O_CLOEXEC, 0777);
    while (s->fd < 0 && again(s));
    if (s->fd < 0)
        return FAILED;
    int failed = 0;
    if (s->look)
        do
            failed = fstat(s->fd, &seen);
        while (failed && again(s));
    return failed ? FAILED : GOES_ON;
}

/* By readv, as Python does it, so that nobody has to tell one form from the other. */
static enum end got(Stretch *s) {
    struct iovec buffer = {s->views[0].buf, (size_t)s->views[0].len};
    do
        s->count = readv(s->fd, &buffer, 1);
    while (s->count < 0 && again(s));
    return s->count < 0 ? FAILED : GOES_ON;
}

/* See close(2): the descriptor is gone even where this fails, so it is not tried again. */
static enum end closed(Stretch *s) {
    int failed = close(s->fd);
    s->fd = -1;
    s->error = errno;
    return failed ? FAILED : GOES_ON;
}

/* One file. Where it came short its descriptor stays open. */
static enum end read_file(Stretch *s, const char *path, int64_t expected) {
    int64_t t0 = now();
    if (!s->dry && opened(s, path))
        return FAILED;
    int64_t t1 = now();
    if (s->dry)
        s->count = expected < s->views[0].len ? expected : s->views[0].len;
    else if (got(s))
        return FAILED;
    stamp(s, 0, t0);
    stamp(s, 1, t1);
    if (s->count != expected)
        return CAME_SHORT;
    int64_t t2 = now();
    if (!s->dry && closed(s))
        return FAILED;
    int64_t t3 = now();
    stamp(s, 2, t2);
    stamp(s, 3, t3);
    s->place++;
    return t3 < s->alarm ? GOES_ON : AT_ALARM;
}

/* How many of the ``files`` were taken, whose names are held; -1 with an exception. Another thread
   may have changed the lists since they were first looked at. */
static int taken(Stretch *s, PyObject *names, PyObject *sizes, Py_ssize_t files) {
    int count = 0;
    while (count < BLOCK && count < files - s->place) {
        PyObject *name = PyList_GetItem(names, s->place + count);
        PyObject *size = PyList_GetItem(sizes, s->place + count);
        if (!name || !size)
            break;
        if (!PyBytes_Check(name) || !PyLong_Check(size)) {
            PyErr_SetString(PyExc_TypeError, "names are bytes and sizes are integers");
            break;
        }
        s->sizes[count] = PyLong_AsLongLong(size);
        if (PyErr_Occurred() || PyBytes_AsStringAndSize(name, (char **)&s->paths[count], NULL))
            break;
        Py_INCREF(name);
        s->names[count++] = name;
    }
    if (!PyErr_Occurred())
        return count;
    while (count)
        Py_DECREF(s->names[--count]);
    return -1;
}

/* The files of one block, which are let go of; FAILED with an exception. */
static enum end read_block(Stretch *s, int count) {
    enum end end = GOES_ON;
    int done = 0;
    s->thread = PyEval_SaveThread();
    while (done < count && !(end = read_file(s, s->paths[done], s->sizes[done])))
        done++;
    if (end == FAILED && s->fd >= 0)
        close(s->fd);
    PyEval_RestoreThread(s->thread);
    if (end == FAILED && s->error) {
        errno = s->error;
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, s->names[done]);
    }
    while (count)
        Py_DECREF(s->names[--count]);
    return end;
}

static PyObject *read_all(Stretch *s, PyObject *names, PyObject *sizes, Py_ssize_t files) {
    enum end end = GOES_ON;
    while (!end) {
        int count = taken(s, names, sizes, files);
        if (count < 0)
            return NULL;
        if (count == 0)
            break;
        s->fd = s->dry ? 0 : -1;
        end = read_block(s, count);
        if (end == FAILED || (end != CAME_SHORT && PyErr_CheckSignals()))
            return NULL;
    }
    int came_short = end == CAME_SHORT;
    return Py_BuildValue("niL", s->place, came_short ? s->fd : -1,
                         (long long)(came_short ? s->count : 0));
}

/* Whether a buffer has room for ``count`` integers of 64 bits, where they may lie in memory. */
static int holds(const Py_buffer *view, Py_ssize_t count) {
    int integers = view->itemsize == 8 && view->format && strlen(view->format) == 1 &&
                   strchr("lq", *view->format);
    return count == 0 || (integers && (uintptr_t)view->buf % 8 == 0 && view->len / 8 >= count);
}

static PyObject *read_with(Stretch *s, PyObject *args) {
    PyObject *names, *sizes, *into, *found = NULL;
    long long alarm;
    if (!PyArg_ParseTuple(args, "iipO!O!O!nL", &s->root, &s->flags, &s->look, &PyList_Type,
                          &names, &PyList_Type, &sizes, &PyTuple_Type, &into, &s->place, &alarm))
        return NULL;
    s->alarm = alarm;
    Py_ssize_t files = PyList_Size(names);
    if (PyList_Size(sizes) != files || s->place < 0 || s->place > files ||
        PyTuple_Size(into) != 1 + STAMPS) {
        PyErr_SetString(PyExc_ValueError,
                        "as many sizes as names, a place among them, a buffer and four stamps");
        return NULL;
    }
    int held = 0, fits = 1;
    while (held < 1 + STAMPS && fits) {
        int kind = held ? PyBUF_WRITABLE | PyBUF_FORMAT | PyBUF_ND : PyBUF_WRITABLE;
        if (PyObject_GetBuffer(PyTuple_GetItem(into, held), &s->views[held], kind))
            break;
        fits = held == 0 || holds(&s->views[held], files);
        held++;
    }
    if (!fits)
        PyErr_SetString(PyExc_ValueError, "stamps are int64, and as many as there are names");
    else if (held == 1 + STAMPS)
        found = read_all(s, names, sizes, files);
    while (held)
        PyBuffer_Release(&s->views[--held]);
    return found;
}

static PyObject *read_files(PyObject *module, PyObject *args) {
    (void)module;
    Stretch stretch = {.dry = 0};
    return read_with(&stretch, args);
}

static PyObject *dry_files(PyObject *module, PyObject *args) {
    (void)module;
    Stretch stretch = {.dry = 1};
    return read_with(&stretch, args);
}

static PyMethodDef methods[] = {
    {"read_files", read_files, METH_VARARGS, "Read files whole; see reading.ReadFiles."},
    {"dry_files", dry_files, METH_VARARGS, "The same without a system call: all files come whole."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_reading", "Files read whole, compiled.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__reading(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "PROMISE", PROMISE)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
