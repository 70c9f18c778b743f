/* Mail: written here, handed to a mail server by libcurl. */
#include "net/net.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "net/net_priv.h"

enum {
	MAIL_MAX = 8 << 20, /* bytes of a whole mail */
	ADDRESS_MAX = 254,
	WORD_BYTES = 42, /* of text in one encoded word: 56 of base64 */
	LINE_MAX_ = 76, /* RFC 2045 section 6.7 */
	ID_MAX = 64,
	LINK_MAX = 900, /* a line may have 998, RFC 5322 section 2.1.1 */
};

/* ---- addresses and header text */

static bool
is_atext(char c)
{
	return c > ' ' && c < 0x7f && !strchr("<>()[]\\,;:\"@", c);
}

static bool
is_address(const char *text, size_t n)
{
	const char *at = memchr(text, '@', n);

	if (n > ADDRESS_MAX || !at || at == text || at == text + n - 1)
		return false;
	for (const char *c = text; c < text + n; c++)
		if (c != at && !is_atext(*c))
			return false;
	return true;
}

char *
net_mail_address(void *owner, const char *mailbox)
{
	const char *open = strrchr(mailbox, '<');
	size_t n = strlen(mailbox);

	if (open) {
		if (n < 2 || mailbox[n - 1] != '>')
			return NULL;
		mailbox = open + 1;
		n = strlen(mailbox) - 1;
	}
	return is_address(mailbox, n) ? mem_dup_n(owner, mailbox, n) : NULL;
}

static const char digits64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
add_base64(struct buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i += 3) {
		unsigned long v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 |
			    (i + k < n ? (unsigned char)text[i + k] : 0u);
		for (size_t k = 0; k < 4; k++)
			buf_char(out,
			    i + k > n ? '=' : digits64[v >> (18 - 6 * k) & 63]);
	}
}

/* One line: what would end it, or is not text, is a space. */
static char *
one_line(void *owner, const char *text)
{
	char *line = mem_dup(owner, text);

	for (char *c = line; *c;) {
		size_t n = text_utf8_width(c, strlen(c));

		if (n < 2 && (n == 0 || *c < ' ' || *c == 0x7f))
			*c = ' ';
		c += n ? n : 1;
	}
	return line;
}

static bool
is_plain(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c < ' ' || *c >= 0x7f)
			return false;
	return !strstr(text, "=?") && strlen(text) <= LINE_MAX_;
}

/* Encoded words (RFC 2047), none of which cuts a character. */
static void
add_words(struct buf *out, const char *text)
{
	for (size_t left = strlen(text); left;) {
		size_t n = 0, w;

		while (n < left && (w = text_utf8_width(text + n, left - n)) &&
		    n + w <= WORD_BYTES)
			n += w;
		buf_text(out, "=?UTF-8?B?");
		add_base64(out, text, n);
		buf_text(out, n < left ? "?=\r\n " : "?=");
		text += n;
		left -= n;
	}
}

/* A header with any text; nothing in it can begin another one. */
static void
add_header(void *owner, struct buf *out, const char *name, const char *text)
{
	char *line = one_line(owner, text);

	buf_fmt(out, "%s: ", name);
	if (is_plain(line))
		buf_text(out, line);
	else
		add_words(out, line);
	buf_text(out, "\r\n");
}

/* A header with a mailbox: a name, which may be "", and a checked address. */
static void
add_mailbox(void *owner, struct buf *out, const char *header, const char *name,
    const char *address)
{
	char *line = one_line(owner, name);

	buf_fmt(out, "%s: ", header);
	if (!*line) {
		buf_fmt(out, "%s\r\n", address);
		return;
	}
	if (is_plain(line)) {
		buf_char(out, '"');
		for (const char *c = line; *c; c++) {
			if (*c == '"' || *c == '\\')
				buf_char(out, '\\');
			buf_char(out, *c);
		}
		buf_char(out, '"');
	} else {
		add_words(out, line);
	}
	buf_fmt(out, "\r\n <%s>\r\n", address);
}

/* ---- bodies */

/* Quoted-printable (RFC 2045 section 6.7): lines of at most 76, ending in CRLF,
 * and none that a mail server could take for the end. */
static void
add_quoted(struct buf *out, const char *text)
{
	size_t column = 0;

	for (const char *c = text; *c; c++) {
		bool is_safe;

		if (*c == '\n' || (*c == '\r' && c[1] == '\n')) {
			c += *c == '\r';
			buf_text(out, "\r\n");
			column = 0;
			continue;
		}
		if (column > LINE_MAX_ - 4) {
			buf_text(out, "=\r\n");
			column = 0;
		}
		/* a dot or "From " at the start of a line means something to
		 * some mail server; a space at the end gets lost */
		is_safe = *c > ' ' && *c < 0x7f && *c != '=' &&
		    (column > 0 || (*c != '.' && *c != 'F'));
		is_safe = is_safe ||
		    (*c == ' ' && c[1] && c[1] != '\n' && c[1] != '\r');
		if (is_safe)
			buf_char(out, *c);
		else
			buf_fmt(out, "=%02X", (unsigned char)*c);
		column += is_safe ? 1 : 3;
	}
	buf_text(out, "\r\n");
}

static void
add_part(struct buf *out, const char *type, const char *text)
{
	buf_fmt(out,
	    "Content-Type: %s; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
	    type);
	add_quoted(out, text);
}

/* No line of a quoted-printable body holds "=_", so this ends none early. */
static void
add_alternatives(struct buf *out, const struct net_mail *m)
{
	static const char boundary[] = "=_gnomon_alternative";

	buf_fmt(out,
	    "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n",
	    boundary);
	buf_fmt(out, "--%s\r\n", boundary);
	add_part(out, "text/plain", m->text);
	buf_fmt(out, "--%s\r\n", boundary);
	add_part(out, "text/html", m->html);
	buf_fmt(out, "--%s--\r\n", boundary);
}

/* ---- the whole */

static void
add_date(struct buf *out, int64_t date)
{
	static const char *const days[] = {
	    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = date;
	struct tm t;

	gmtime_r(&seconds, &t);
	buf_fmt(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n",
	    days[t.tm_wday], t.tm_mday, months[t.tm_mon], t.tm_year + 1900,
	    t.tm_hour, t.tm_min, t.tm_sec);
}

/* The name before <address>, without quotes around it. */
static char *
name_of(void *owner, const char *mailbox)
{
	const char *open = strrchr(mailbox, '<');
	size_t n = open ? (size_t)(open - mailbox) : 0;

	while (n && mailbox[n - 1] == ' ')
		n--;
	if (n > 1 && mailbox[0] == '"' && mailbox[n - 1] == '"')
		return mem_dup_n(owner, mailbox + 1, n - 2);
	return mem_dup_n(owner, mailbox, n);
}

/* An address as it may stand between < and > of List-Unsubscribe. */
static bool
is_link(const char *url)
{
	if (!text_starts(url, "https://") && !text_starts(url, "http://"))
		return false;
	if (strlen(url) > LINK_MAX)
		return false;
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '<' || *c == '>' ||
		    *c == ',')
			return false;
	return true;
}

/* The id as it may stand in Message-ID. */
static char *
id_of(void *owner, const char *id)
{
	char *safe =
	    mem_dup_n(owner, id ? id : "", id ? strnlen(id, ID_MAX) : 0);

	for (char *c = safe; *c; c++)
		if (!is_atext(*c))
			*c = '-';
	return safe;
}

bool
net_mail_write(void *owner, const struct net_mail *m, struct buf *out)
{
	char *from = net_mail_address(owner, m->from);
	char *to = net_mail_address(owner, m->to);

	if (!from || !to)
		return false;
	add_date(out, m->date);
	add_mailbox(owner, out, "From", name_of(owner, m->from), from);
	add_mailbox(owner, out, "To", m->to_name ? m->to_name : "", to);
	add_header(owner, out, "Subject", m->subject);
	buf_fmt(out, "Message-ID:\r\n <%s@%s>\r\n", id_of(owner, m->id),
	    strchr(from, '@') + 1);
	buf_text(out, "Auto-Submitted: auto-generated\r\n");
	if (m->unsubscribe && is_link(m->unsubscribe))
		buf_fmt(out,
		    "List-Unsubscribe:\r\n <%s>\r\n"
		    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
		    m->unsubscribe);
	buf_text(out, "MIME-Version: 1.0\r\n");
	if (m->html)
		add_alternatives(out, m);
	else
		add_part(out, "text/plain", m->text);
	return !out->full;
}

/* ---- on the wire */

struct post {
	const struct buf *mail;
	size_t at;
	char error[CURL_ERROR_SIZE];
};

static size_t
give(char *room, size_t size, size_t n, void *data)
{
	struct post *p = data;
	size_t left = p->mail->len - p->at, some = size * n;

	if (some > left)
		some = left;
	memcpy(room, p->mail->data + p->at, some);
	p->at += some;
	return some;
}

static void
free_list(void *list)
{
	curl_slist_free_all(list);
}

static bool
is_this_machine(const char *host)
{
	return strcasecmp(host, "localhost") == 0 ||
	    text_starts(host, "127.") || strcmp(host, "::1") == 0;
}

static void
set_up(CURL *curl, struct post *p, const char *url, const char *host,
    const char *from, struct curl_slist *to)
{
	bool has_password = strchr(url, '@') != NULL;

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, p->error);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)NET_CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, 15L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)NET_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_USE_SSL,
	    (long)(is_this_machine(host) ? CURLUSESSL_NONE
		    : has_password       ? CURLUSESSL_ALL
					 : CURLUSESSL_TRY));
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from);
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(curl, CURLOPT_READDATA, p);
	curl_easy_setopt(
	    curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)p->mail->len);
}

/* Neither a wrong password of ours nor a server that will not talk to us (a 5xx in
 * place of its greeting) is the mail's fault: it is tried again. */
static enum err
verdict(struct op *op, CURL *curl, CURLcode rc, const struct post *p)
{
	const char *why = *p->error ? p->error : curl_easy_strerror(rc);
	bool is_mails = rc == CURLE_SEND_ERROR; /* MAIL, RCPT, DATA refused */
	long code = 0;

	if (rc == CURLE_OK)
		return ERR_OK;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	if (code >= 500 && code < 600 && (is_mails || p->at > 0) &&
	    code != 530 && code != 534 && code != 535 && code != 538 &&
	    rc != CURLE_LOGIN_DENIED && rc != CURLE_USE_SSL_FAILED &&
	    rc != CURLE_OPERATION_TIMEDOUT)
		return op_fail(op, ERR_MAIL_REFUSED, "%ld: %s", code, why);
	return op_fail(op, ERR_UNREACHABLE, "mail server: %ld: %s", code, why);
}

enum err
net_mail(struct op *op, const char *url, const struct net_mail *mail)
{
	struct post *p = mem_new(op, struct post);
	struct buf *text = buf_new(p, MAIL_MAX);
	char *host = net__host(p, url, "smtp smtps");
	char *from = net_mail_address(p, mail->from);
	char *to = net_mail_address(p, mail->to);
	struct curl_slist *rcpt;
	CURL *curl;
	enum err e;

	if (!host)
		return op_fail(op, ERR_INTERNAL,
		    "SMTP_URL must be smtp://host:port or smtps://host:port");
	if (!net_mail_write(p, mail, text))
		return op_fail(
		    op, ERR_VALIDATION_FAILED, "no address of a mail");
	p->mail = text;
	curl = net__begin() ? mem_adopt(p, curl_easy_init(), net__close) : NULL;
	if (!curl)
		return op_fail(op, ERR_INTERNAL, "libcurl does not start");
	rcpt = curl_slist_append(NULL, mem_fmt(p, "<%s>", to));
	mem_adopt(p, rcpt, free_list);
	set_up(curl, p, url, host, mem_fmt(p, "<%s>", from), rcpt);
	e = verdict(op, curl, curl_easy_perform(curl), p);
	mem_drop(&p);
	return e;
}
