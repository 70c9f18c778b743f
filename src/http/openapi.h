/*
 * The API as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0),
 * made from the route table, the schemas of sql/api and err.def, and from
 * nothing else: every route that is no page and no form is in it. The help
 * pages are made from the document.
 */
#ifndef GNOMON_HTTP_OPENAPI_H
#define GNOMON_HTTP_OPENAPI_H

#include <stdbool.h>

struct endpoint;
struct json_object;

/* Whether an endpoint belongs to the API: pages and forms do not. */
bool openapi_has(const struct endpoint *e);

/* The document; belongs to owner. */
struct json_object *openapi_make(void *owner);

#endif
