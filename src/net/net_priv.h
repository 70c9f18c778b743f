/* What the files of this room share. */
#ifndef GNOMON_NET_NET_PRIV_H
#define GNOMON_NET_NET_PRIV_H

#include <stdbool.h>

/* Starts libcurl, the first time. */
bool net__begin(void);

/* curl_easy_cleanup, for mem_adopt. */
void net__close(void *curl);

/* The host of a URL of one of these schemes ("http https"), without brackets;
 * NULL when it is none. */
char *net__host(void *owner, const char *url, const char *schemes);

#endif
