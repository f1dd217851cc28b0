/* How compiled modules reach classes that stay Python (events, postings, named tuples): put before what mypyc generates (decision 15).
 *
 * mypyc reads an attribute of its own classes at a place it knows. For all others it asks Python, which looks the name up in the class
 * each time; since 3.11 Python's own interpreter keeps the place beside each read, and so does this, in a table by class and name. And a named
 * tuple is made of its values, without its constructor in Python. A class's version tag is another one after any change of it or of its
 * bases, and 0 where it has none: so what is known of a class is never that of another one. What a class has is kept by it alone; and
 * whatever is allocated may have garbage collected, and its finalizers may change classes and these tables: so what is needed after
 * that is held meanwhile.
 */
#ifndef EISBACH_PYTHON_CLASSES_H
#define EISBACH_PYTHON_CLASSES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

#define ONCE static __attribute__((noinline, unused)) /* a copy at each call would take the place of small ones that gain more by it */

#ifndef Py_GIL_DISABLED /* the tables are written while the lock is held */

typedef struct {
    PyTypeObject *type;
    PyObject *name;
    unsigned int version;
    int is_item;          /* of a tuple: there are only as many as it has */
    Py_ssize_t place;     /* of an attribute: its offset in the object, or which item of the tuple; -1: neither */
    PyGetSetDef *getter;  /* of an attribute that C code tells */
    PyObject *method;     /* of a method: what the class has there, and keeps while its version is this one */
} known_name;

#define KNOWN_NAMES 2048
static known_name known_names[KNOWN_NAMES];

static inline known_name *where_known(PyTypeObject *type, PyObject *name) {
    return &known_names[(((uintptr_t)type >> 4) ^ ((uintptr_t)name >> 5) ^ ((uintptr_t)name >> 12)) % KNOWN_NAMES];
}

static inline int is_known(const known_name *one, PyTypeObject *type, PyObject *name) {
    return one->type == type && one->name == name && one->version == type->tp_version_tag;
}

/* Which item of a named tuple a class's attribute is; -1 where it is none. */
static Py_ssize_t item_of(PyObject *found) {
    static PyObject *getters = NULL;
    if (getters == NULL) {
        PyObject *collections = PyImport_ImportModule("_collections");
        getters = collections == NULL ? NULL : PyObject_GetAttrString(collections, "_tuplegetter");
        Py_XDECREF(collections);
    }
    Py_ssize_t item = -1;
    if (getters != NULL && (PyObject *)Py_TYPE(found) == getters) { /* it tells by what it would be made again: (class, (item, text)) */
        PyObject *made_by = PyObject_CallMethod(found, "__reduce__", NULL);
        if (made_by != NULL) {
            item = PyLong_AsSsize_t(PyTuple_GET_ITEM(PyTuple_GET_ITEM(made_by, 1), 0));
            Py_DECREF(made_by);
        }
    }
    PyErr_Clear();
    return item;
}

/* Note where objects of a class have what is called so, or that only Python knows. */
static void learn(known_name *one, PyTypeObject *type, PyObject *name) {
    PyObject *found = type->tp_getattro == PyObject_GenericGetAttr ? _PyType_Lookup(type, name) : NULL;
    known_name seen = {type, name, type->tp_version_tag, 0, -1, NULL, NULL};
    Py_XINCREF(found);
    if (found != NULL && seen.version != 0 && PyUnicode_CHECK_INTERNED(name)) {
        if (Py_IS_TYPE(found, &PyMemberDescr_Type) && PyType_IsSubtype(type, PyDescr_TYPE(found))) {
            PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
            if (member->type == T_OBJECT_EX && (member->flags & ~READONLY) == 0) {
                seen.place = member->offset;
            }
        } else if (Py_IS_TYPE(found, &PyGetSetDescr_Type) && PyType_IsSubtype(type, PyDescr_TYPE(found))) {
            seen.getter = ((PyGetSetDescrObject *)found)->d_getset;
        } else if (PyType_IsSubtype(type, &PyTuple_Type)) {
            seen.place = item_of(found);
            seen.is_item = seen.place >= 0;
        }
        if (type->tp_dictoffset == 0 && PyType_HasFeature(Py_TYPE(found), Py_TPFLAGS_METHOD_DESCRIPTOR)) {
            seen.method = found;
        }
    }
    int is_changed = seen.version != type->tp_version_tag; /* by the question itself */
    Py_XDECREF(found);
    if (!is_changed) {
        *one = seen;
    }
}

ONCE PyObject *known_attribute(PyObject *object, PyObject *name) {
    PyTypeObject *type = Py_TYPE(object);
    known_name *one = where_known(type, name);
    PyObject *value = NULL;
    if (!is_known(one, type, name)) {
        learn(one, type, name);
    } else if (one->is_item) {
        value = one->place < PyTuple_GET_SIZE(object) ? PyTuple_GET_ITEM(object, one->place) : NULL;
    } else if (one->place >= 0) {
        value = *(PyObject **)((char *)object + one->place);
    } else if (one->getter != NULL && one->getter->get != NULL) {
        return one->getter->get(object, one->getter->closure);
    } else if (one->method != NULL) {
        PyObject *method = Py_NewRef(one->method);
        value = Py_TYPE(method)->tp_descr_get(method, object, (PyObject *)type);
        Py_DECREF(method);
        return value;
    }
    if (value == NULL) {
        return PyObject_GetAttr(object, name);
    }
    Py_INCREF(value);
    return value;
}

ONCE PyObject *call_known_method(PyObject *name, PyObject *const *args, size_t count, PyObject *names) {
    PyTypeObject *type = Py_TYPE(args[0]);
    known_name *one = where_known(type, name);
    if (!is_known(one, type, name)) {
        learn(one, type, name);
        return PyObject_VectorcallMethod(name, args, count, names);
    }
    if (one->method == NULL) {
        return PyObject_VectorcallMethod(name, args, count, names);
    }
    PyObject *method = one->method;
    Py_INCREF(method); /* the call may change the class */
    PyObject *result = PyObject_Vectorcall(method, args, PyVectorcall_NARGS(count), names); /* not ours: the place before args[0] */
    Py_DECREF(method);
    return result;
}

typedef struct {
    PyTypeObject *type;
    unsigned int version;
    PyObject *fields;   /* the names of its items; NULL: it is made as Python says */
    PyObject *defaults; /* of those that may be left out */
} known_tuple;

#define KNOWN_TUPLES 256
static known_tuple known_tuples[KNOWN_TUPLES];

/* Whether the first of a class's bases that has a constructor has these names and defaults too, so that they are those of its arguments. */
static int are_of_constructor(PyTypeObject *type, PyObject *new_name, PyObject *fields_name, PyObject *fields, PyObject *defaults_name, PyObject *defaults) {
    for (Py_ssize_t place = 0; place < PyTuple_GET_SIZE(type->tp_mro); place++) {
        PyObject *has = ((PyTypeObject *)PyTuple_GET_ITEM(type->tp_mro, place))->tp_dict;
        if (has != NULL && PyDict_GetItemWithError(has, new_name) != NULL) {
            return PyDict_GetItemWithError(has, fields_name) == fields && PyDict_GetItemWithError(has, defaults_name) == defaults;
        }
    }
    return 0;
}

/* Note of a class whether `collections.namedtuple` wrote its constructor and nothing else takes part in making one. */
static void learn_tuple(known_tuple *one, PyTypeObject *type) {
    static PyObject *new_name = NULL, *fields_name = NULL, *defaults_name = NULL;
    if (new_name == NULL) {
        new_name = PyUnicode_InternFromString("__new__");
        fields_name = PyUnicode_InternFromString("_fields");
        defaults_name = PyUnicode_InternFromString("_field_defaults");
    }
    known_tuple seen = {type, 0, NULL, NULL};
    PyObject *made_by = new_name == NULL ? NULL : PyObject_GetAttr((PyObject *)type, new_name);
    if (made_by != NULL && PyFunction_Check(made_by) && Py_IS_TYPE(type, &PyType_Type) && type->tp_init == PyBaseObject_Type.tp_init) {
        PyObject *module = PyDict_GetItemString(PyFunction_GetGlobals(made_by), "__name__");
        const char *text = module == NULL ? NULL : PyUnicode_AsUTF8(module);
        PyObject *fields = _PyType_Lookup(type, fields_name), *defaults = _PyType_Lookup(type, defaults_name);
        if (text != NULL && strncmp(text, "namedtuple_", 11) == 0 && fields != NULL && PyTuple_Check(fields) && defaults != NULL && PyDict_Check(defaults)
            && are_of_constructor(type, new_name, fields_name, fields, defaults_name, defaults)) {
            seen.fields = fields;
            seen.defaults = defaults;
        }
    }
    Py_XDECREF(made_by);
    PyErr_Clear();
    seen.version = type->tp_version_tag;
    if (seen.version != 0) {
        *one = seen;
    }
}

/* Return a tuple of a class whose items are still to be put in. Since 3.14 a tuple keeps its hash, -1 as long as nobody has asked
 * for it: zeros, of which it is made, would be the hash of every one. */
static PyObject *made_empty(PyTypeObject *type, Py_ssize_t count) {
    PyObject *made = type->tp_alloc(type, count);
#if PY_VERSION_HEX >= 0x030E0000
    if (made != NULL) {
        ((PyTupleObject *)made)->ob_hash = -1;
    }
#endif
    return made;
}

/* Return a named tuple of these values; NULL without an error where Python shall make it, or say what is wrong with them. */
static PyObject *made_of(const known_tuple *one, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    Py_ssize_t count = PyTuple_GET_SIZE(one->fields), named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    PyObject *made = given > count ? NULL : made_empty(one->type, count);
    if (made == NULL) {
        PyErr_Clear();
        return NULL;
    }
    for (Py_ssize_t place = 0; place < given; place++) {
        PyTuple_SET_ITEM(made, place, Py_NewRef(args[place]));
    }
    Py_ssize_t place = given;
    for (Py_ssize_t next = 0; next < named; next++) { /* mostly in their order: each is looked for behind the one before */
        PyObject *name = PyTuple_GET_ITEM(names, next);
        Py_ssize_t left = count;
        while (left > 0 && (place >= count || PyTuple_GET_ITEM(one->fields, place) != name)) {
            place = place + 1 < count ? place + 1 : 0;
            left--;
        }
        if (left == 0 || PyTuple_GET_ITEM(made, place) != NULL) {
            Py_DECREF(made);
            return NULL;
        }
        PyTuple_SET_ITEM(made, place, Py_NewRef(args[given + next]));
    }
    for (place = given; place < count; place++) {
        if (PyTuple_GET_ITEM(made, place) == NULL) {
            PyObject *usual = PyDict_GetItemWithError(one->defaults, PyTuple_GET_ITEM(one->fields, place));
            if (usual == NULL) {
                PyErr_Clear();
                Py_DECREF(made);
                return NULL;
            }
            PyTuple_SET_ITEM(made, place, Py_NewRef(usual));
        }
    }
    return made;
}

typedef struct {
    PyObject *partial;  /* kept, so that no other one comes to stand at its place */
    PyTypeObject *type; /* of `partial(tuple.__new__, type)`; NULL: it is another one */
} known_partial;

#define KNOWN_PARTIALS 64
static known_partial known_partials[KNOWN_PARTIALS];
static PyObject *partials = NULL;

/* Note which class's tuples a partial makes, where it is one that does. */
static void learn_partial(known_partial *one, PyObject *partial) {
    PyObject *new = PyObject_GetAttrString((PyObject *)&PyTuple_Type, "__new__"), *func = PyObject_GetAttrString(partial, "func");
    PyObject *args = PyObject_GetAttrString(partial, "args"), *keywords = PyObject_GetAttrString(partial, "keywords");
    known_partial seen = {Py_NewRef(partial), NULL};
    if (new != NULL && func == new && args != NULL && PyTuple_Check(args) && PyTuple_GET_SIZE(args) == 1 && keywords != NULL && PyDict_Check(keywords) && PyDict_Size(keywords) == 0) {
        PyObject *type = PyTuple_GET_ITEM(args, 0);
        if (PyType_Check(type) && PyType_HasFeature((PyTypeObject *)type, Py_TPFLAGS_TUPLE_SUBCLASS) && type != (PyObject *)&PyTuple_Type) {
            seen.type = (PyTypeObject *)type;
        }
    }
    Py_XDECREF(new);
    Py_XDECREF(func);
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    PyErr_Clear();
    PyObject *before = one->partial;
    *one = seen;
    Py_XDECREF(before);
}

/* Return what a partial makes of one tuple; NULL without an error where Python shall make it. */
static PyObject *made_by(PyObject *partial, PyObject *items) {
    known_partial *one = &known_partials[((uintptr_t)partial >> 4) % KNOWN_PARTIALS];
    if (one->partial != partial) {
        learn_partial(one, partial);
        return NULL;
    }
    PyObject *made = one->type == NULL ? NULL : made_empty(one->type, PyTuple_GET_SIZE(items));
    if (made == NULL) {
        PyErr_Clear();
        return NULL;
    }
    for (Py_ssize_t place = 0; place < PyTuple_GET_SIZE(items); place++) {
        PyTuple_SET_ITEM(made, place, Py_NewRef(PyTuple_GET_ITEM(items, place)));
    }
    return made;
}

/* Return whether something called is a partial: the class is asked for once. */
static inline int is_partial(PyObject *called) {
    if (partials == NULL) {
        PyObject *functools = PyImport_ImportModule("functools");
        partials = functools == NULL ? NULL : PyObject_GetAttrString(functools, "partial");
        Py_XDECREF(functools);
        PyErr_Clear();
    }
    return (PyObject *)Py_TYPE(called) == partials;
}

ONCE PyObject *call_known(PyObject *called, PyObject *const *args, size_t count, PyObject *names) {
    if (PyType_Check(called) && PyType_HasFeature((PyTypeObject *)called, Py_TPFLAGS_TUPLE_SUBCLASS)) {
        PyTypeObject *type = (PyTypeObject *)called;
        known_tuple *one = &known_tuples[((uintptr_t)type >> 4) % KNOWN_TUPLES];
        if (one->type != type || one->version != type->tp_version_tag) {
            learn_tuple(one, type);
        } else if (one->fields != NULL) {
            known_tuple held = {type, one->version, Py_NewRef(one->fields), Py_NewRef(one->defaults)};
            PyObject *made = made_of(&held, args, PyVectorcall_NARGS(count), names);
            Py_DECREF(held.fields);
            Py_DECREF(held.defaults);
            if (made != NULL) {
                return made;
            }
        }
    } else if (PyVectorcall_NARGS(count) == 1 && names == NULL && PyTuple_CheckExact(args[0]) && is_partial(called)) {
        PyObject *made = made_by(called, args[0]);
        if (made != NULL) {
            return made;
        }
    }
    return PyObject_Vectorcall(called, args, count, names);
}

ONCE PyObject *call_known_with(PyObject *called, PyObject *args) {
    if (args != NULL && PyType_Check(called) && PyTuple_CheckExact(args)) {
        return call_known(called, &PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), NULL);
    }
    return PyObject_CallObject(called, args);
}

#define PyObject_GetAttr(object, name) known_attribute(object, name)
#define PyObject_VectorcallMethod(name, args, count, names) call_known_method(name, args, count, names)
#define PyObject_Vectorcall(called, args, count, names) call_known(called, args, count, names)
#define PyObject_CallObject(called, args) call_known_with(called, args)

#endif
#endif
