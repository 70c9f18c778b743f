/*
 * A workspace as a file, one JSON object a line:
 *
 *   {"gnomon": "workspace", "format": 1, "schema": 17, "leftOut": {…}}
 *   {"stand": "00000000-…", "kind": "person", "id": "…", "word": "a@b.org", "name": …}
 *   {"people": ["a@b.org", …]}                            content begins
 *   {"r": {"title": …, …}, "t": "stories"}
 *   {"end": true, "rows": 1234, "sha256": "…"}
 *
 * The ids that are other ones elsewhere (the workspace's, its projects',
 * people's) are replaced in every row, wherever they stand, by stand-ins,
 * numbered in the order of keys and addresses. So the content is the same
 * wherever the workspace lives, and sha256, over the bytes of its lines, too.
 */
#ifndef GNOMON_CTL_WORKSPACE_FILE_H
#define GNOMON_CTL_WORKSPACE_FILE_H

#include <stddef.h>

struct buf;
struct json_object;

enum { WORKSPACE_FORMAT = 1, WORKSPACE_LINE_MAX = 256 << 20 };

/* Appends a line with every id that ids knows replaced by what it is there. */
void workspace_swap(struct buf *out, const char *line, struct json_object *ids);

/* gnomonctl import without a project: brings a workspace's file in. */
int ctl_import_workspace(const char *workspace, const char *path);

#endif
