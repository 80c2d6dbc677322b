/* A URI under way: its text and where its parts lie in it. */
#ifndef RESOLVE_URI_PARTS_H
#define RESOLVE_URI_PARTS_H

#include <conduit/uri.h>

#include "resolve/internal.h"

/* Parts that are not there have `at` NULL. */
struct uri_parts {
    struct slice text;
    struct slice scheme, userinfo, host, port, path, query, fragment;
    struct slice zone; /* of an IPv6 literal: % and the scope, the end of `host` */
    bool brackets;     /* around the host; they do not belong to it */
    struct cdt_text_error *error;
};

/* Fills in the error and returns -EINVAL. */
int uri_wrong(const struct uri_parts *parts, const char *at, const char *sentence);

/* Finds the parts of parts->text, and refuses bytes that no URI has. */
int uri_split(struct uri_parts *parts);

/* Whether the parts are what RFC 3986 allows. */
int uri_check(const struct uri_parts *parts);

/* Decodes the host into `host`, of at least CDT_ADDR_TEXT bytes and more than the text has. */
int uri_read_host(const struct uri_parts *parts, char *host, enum cdt_uri_host *kind,
                  struct cdt_addr *addr);

#endif
