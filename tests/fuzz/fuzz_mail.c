/*
 * Any bytes as what people put into a mail: names, subject, text, addresses.
 * The headers end where they should, no line is longer than SMTP allows, and
 * every line that begins a header is one of ours.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "net/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const ours[] = {
    "Date: ", "From: ", "To: ", "Subject: ", "Message-ID:", "Auto-Submitted: ",
    "List-Unsubscribe:", "List-Unsubscribe-Post: ", "MIME-Version: ",
    "Content-Type: ", "Content-Transfer-Encoding: ", " "};

static void
is_ours(const char *line)
{
	for (size_t i = 0; i < nitems(ours); i++)
		if (text_starts(line, ours[i]))
			return;
	assert(0);
}

static void
check(const struct buf *out)
{
	const char *line = out->data;
	bool in_head = true;

	assert(strlen(out->data) == out->len);
	while (*line) {
		const char *end = strstr(line, "\r\n");

		assert(end && end - line <= 998);
		assert(!memchr(line, '\n', (size_t)(end - line)));
		assert(!memchr(line, '\r', (size_t)(end - line)));
		if (end == line)
			in_head = false;
		if (in_head)
			is_ours(line);
		else
			assert(*line != '.');
		line = end + 2;
	}
	assert(!in_head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *owner = mem_scope(NULL, "fuzz");
	const char *fields[8];
	struct net_mail m;
	struct buf *out = buf_new(owner, 1 << 24);
	size_t at = 0;

	/* the fields stand one after the other, a NUL between them */
	for (size_t i = 0; i < nitems(fields); i++) {
		size_t n = 0;

		while (at + n < size && data[at + n])
			n++;
		fields[i] = mem_dup_n(owner, (const char *)data + at, n);
		at += at + n < size ? n + 1 : n;
	}
	m = (struct net_mail){.from = fields[0],
	    .to = fields[1],
	    .to_name = fields[2],
	    .subject = fields[3],
	    .text = fields[4],
	    .html = *fields[5] ? fields[5] : NULL,
	    .id = fields[6],
	    .unsubscribe = fields[7]};
	if (net_mail_write(owner, &m, out))
		check(out);
	m.from = m.to = "a@example.org";
	out = buf_new(owner, 1 << 24);
	assert(net_mail_write(owner, &m, out));
	check(out);
	mem_drop(&owner);
	return 0;
}
