/* Shared inside db/ only. */
#ifndef GNOMON_DB_PRIV_H
#define GNOMON_DB_PRIV_H

#include <libpq-fe.h>

#include "db/db.h"

/* Takes over a result of a SELECT; belongs to owner. */
struct rows *db__rows(void *owner, PGresult *result);

#endif
