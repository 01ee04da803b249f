/* esipa_asn1.c -- the ASN.1 binding: what stands in the body is the message. */
#include "front/esipa_asn1.h"

#include <string.h>

#define PATH       "/gsma/rsp2/asn1"
#define MEDIA_TYPE "application/x-gsma-rsp-asn1"

static const struct door_binding binding = { .clause = "SGP.32 6.1.1", .media_type = MEDIA_TYPE };

void esipa_asn1_handle(void *arg, struct http_exchange *x)
{
    const char *allow = NULL;
    bool here = strcmp(x->req.path, PATH) == 0 && !*x->req.query;
    int status = here ? door_refusal(&x->req, MEDIA_TYPE, &allow) : 404;
    door_serve(arg, &binding, NULL, x, status, allow);
}
