/* Files of the source tree carried inside the binaries. */
#ifndef GNOMON_GEN_EMBED_H
#define GNOMON_GEN_EMBED_H

#include <stddef.h>

struct embedded {
	const char *name; /* "0001_ground.sql"; NULL ends the list */
	const char *path; /* as given to sqlgen */
	const char *text;
};

extern const struct embedded embedded_migrations[];
extern const struct embedded embedded_demo[];
extern const struct embedded embedded_schemas[];

#endif
