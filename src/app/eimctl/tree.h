/* tree.h -- a decoded message for people: an indented tree with names, tags and readable values. */
#ifndef EIMCTL_TREE_H
#define EIMCTL_TREE_H

#include <stdio.h>

#include "asn1/der.h"

/* tree_print -- the value v of type t. Texts of strangers are made harmless; long octets are cut (--json has them whole). */
void tree_print(FILE *f, const struct der_type *t, const void *v);

#endif
