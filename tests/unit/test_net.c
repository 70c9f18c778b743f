/* net/: which addresses are public, and mail as it is written; requests against
 * a server of one connection that lives in this test. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "net/net.h"

union any {
	struct sockaddr address;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static union any
address_of(const char *text)
{
	union any a = {0};

	if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		return a;
	}
	assert_int_equal(inet_pton(AF_INET6, text, &a.v6.sin6_addr), 1);
	a.v6.sin6_family = AF_INET6;
	return a;
}

static void
only_addresses_of_the_internet_are_public(void **state)
{
	static const struct {
		const char *address;
		bool is_public;
	} cases[] = {
	    {"8.8.8.8", true},
	    {"1.1.1.1", true},
	    {"100.63.255.255", true},
	    {"100.128.0.0", true},
	    {"172.15.0.1", true},
	    {"172.32.0.1", true},
	    {"169.253.1.1", true},
	    {"223.255.255.254", true},
	    {"2606:4700::1111", true},
	    {"2a00:1450:4001::200e", true},
	    {"64:ff9b::8.8.8.8", true},
	    {"::ffff:8.8.8.8", true},
	    {"2002:808:808::1", true},
	    {"0.0.0.0", false},
	    {"10.0.0.1", false},
	    {"100.64.0.1", false},
	    {"100.127.255.255", false},
	    {"127.0.0.1", false},
	    {"127.255.255.255", false},
	    {"169.254.169.254", false},
	    {"172.16.0.1", false},
	    {"172.31.255.255", false},
	    {"192.0.2.1", false},
	    {"192.168.1.1", false},
	    {"198.18.0.1", false},
	    {"198.19.255.255", false},
	    {"224.0.0.1", false},
	    {"239.1.1.1", false},
	    {"240.0.0.1", false},
	    {"255.255.255.255", false},
	    {"::", false},
	    {"::1", false},
	    {"::127.0.0.1", false},
	    {"::ffff:127.0.0.1", false},
	    {"::ffff:10.1.2.3", false},
	    {"::ffff:169.254.169.254", false},
	    {"64:ff9b::127.0.0.1", false},
	    {"64:ff9b:1::1", false},
	    {"2002:7f00:1::1", false},
	    {"2002:a01:203::1", false},
	    {"2001::1", false},
	    {"2001:db8::1", false},
	    {"100::1", false},
	    {"fc00::1", false},
	    {"fdff::1", false},
	    {"fe80::1", false},
	    {"fec0::1", false},
	    {"ff02::1", false},
	};
	union any unix_socket = {.address.sa_family = AF_UNIX};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		union any a = address_of(cases[i].address);

		if (net_is_public(&a.address) != cases[i].is_public)
			fail_msg("%s", cases[i].address);
	}
	assert_false(net_is_public(&unix_socket.address));
}

static void
a_list_names_hosts_addresses_and_blocks(void **state)
{
	static const struct {
		const char *list, *host, *address;
		bool found;
	} cases[] = {
	    {"hooks.local", "hooks.local", "10.0.0.1", true},
	    {"hooks.local", "HOOKS.local", "10.0.0.1", true},
	    {"hooks.local", "hooks.local.evil", "10.0.0.1", false},
	    {"a,10.1.0.0/16", "b", "10.1.2.3", true},
	    {"10.1.0.0/16", "b", "::ffff:10.1.2.3", true},
	    {"10.1.0.0/16", "b", "10.2.0.1", false},
	    {"10.1.0.0/20", "b", "10.1.15.255", true},
	    {"10.1.0.0/20", "b", "10.1.16.0", false},
	    {"127.0.0.1", "b", "127.0.0.1", true},
	    {"127.0.0.1", "b", "127.0.0.2", false},
	    {"::1", "b", "::1", true},
	    {"fd00::/8", "b", "fd12::1", true},
	    {"fd00::/8", "b", "127.0.0.1", false},
	    {"0.0.0.0/0", "b", "127.0.0.1", true},
	    {"10.0.0.0/33", "b", "10.0.0.1", false},
	    {"10.0.0.0/-1", "b", "10.0.0.1", false},
	    {"", "b", "10.0.0.1", false},
	};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		union any a = address_of(cases[i].address);

		if (net_is_listed(cases[i].list, cases[i].host, &a.address) !=
		    cases[i].found)
			fail_msg("%s in %s", cases[i].address, cases[i].list);
	}
	assert_false(net_is_listed(NULL, "b", NULL));
	assert_true(net_is_listed("b", "b", NULL));
}

static void
addresses_of_mail_are_checked(void **state)
{
	static const struct {
		const char *mailbox, *address;
	} cases[] = {
	    {"a@example.org", "a@example.org"},
	    {"Ann <ann+x@example.org>", "ann+x@example.org"},
	    {"\"A <b>\" <ann@example.org>", "ann@example.org"},
	    {"", NULL},
	    {"@", NULL},
	    {"a@", NULL},
	    {"@b", NULL},
	    {"a@b@c", NULL},
	    {"a b@c", NULL},
	    {"a@b\r\nRCPT TO:c@d", NULL},
	    {"a@b>\r\nDATA", NULL},
	    {"a@b,c@d", NULL},
	    {"<a@b", NULL},
	    {"a@b>", NULL},
	    {"\xc3\xa9@b.org", NULL},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		char *found = net_mail_address(*state, cases[i].mailbox);

		if (!cases[i].address)
			assert_null(found);
		else
			assert_string_equal(found, cases[i].address);
	}
}

static const char *
written(void *owner, const struct net_mail *mail)
{
	struct buf *out = buf_new(owner, 1 << 20);

	assert_true(net_mail_write(owner, mail, out));
	return out->data;
}

static void
a_mail_is_text_and_html(void **state)
{
	struct net_mail mail = {.from = "Gnomon <gnomon@example.org>",
	    .to = "ann@example.org",
	    .to_name = "Ann \"A\" Smith",
	    .subject = "Verify your address",
	    .text = "Caf\xc3\xa9 = 1\n.\nFrom here \n",
	    .html = "<p>Caf\xc3\xa9</p>\n",
	    .id = "01a1-7",
	    .date = 1795165302,
	    .unsubscribe = "https://g.example.org/unsubscribe?token=a.b"};

	assert_string_equal(written(*state, &mail),
	    "Date: Fri, 20 Nov 2026 09:01:42 +0000\r\n"
	    "From: \"Gnomon\"\r\n <gnomon@example.org>\r\n"
	    "To: \"Ann \\\"A\\\" Smith\"\r\n <ann@example.org>\r\n"
	    "Subject: Verify your address\r\n"
	    "Message-ID:\r\n <01a1-7@example.org>\r\n"
	    "Auto-Submitted: auto-generated\r\n"
	    "List-Unsubscribe:\r\n"
	    " <https://g.example.org/unsubscribe?token=a.b>\r\n"
	    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/alternative; "
	    "boundary=\"=_gnomon_alternative\"\r\n\r\n"
	    "--=_gnomon_alternative\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "Caf=C3=A9 =3D 1\r\n=2E\r\n=46rom here=20\r\n\r\n"
	    "--=_gnomon_alternative\r\n"
	    "Content-Type: text/html; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "<p>Caf=C3=A9</p>\r\n\r\n"
	    "--=_gnomon_alternative--\r\n");
}

static void
nothing_in_a_mail_can_begin_a_header(void **state)
{
	static const char evil[] = "x\r\nBcc: evil@example.org\r\n\r\nbody\x01";
	struct net_mail mail = {.from = "Gnomon <gnomon@example.org>",
	    .to = "ann@example.org",
	    .to_name = evil,
	    .subject = evil,
	    .text = "x\n",
	    .id = evil,
	    .unsubscribe = "https://x/>\r\nBcc: evil@example.org"};
	const char *text = written(*state, &mail);

	assert_null(strstr(text, "\nBcc"));
	assert_null(strstr(text, "\x01"));
	assert_null(strstr(text, "List-Unsubscribe"));
	mail.from = evil;
	assert_false(net_mail_write(*state, &mail, buf_new(*state, 1000)));
}

static void
words_of_other_scripts_are_encoded_whole(void **state)
{
	struct net_mail mail = {.from = "g@example.org",
	    .to = "a@example.org",
	    .subject =
		"\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82, "
		"\xd0\xbf\xd1\x80\xd0\xbe\xd0\xb2\xd0\xb5\xd1\x80\xd1\x8c\xd1"
		"\x82\xd0\xb5 \xd0\xb0\xd0\xb4\xd1\x80\xd0\xb5\xd1\x81",
	    .text = "x"};
	const char *text = written(*state, &mail);

	/* 43 bytes: two words, cut between characters */
	assert_non_null(strstr(text,
	    "Subject: =?UTF-8?B?"
	    "0J/RgNC40LLQtdGCLCDQv9GA0L7QstC10YDRjNGC0LUg0LDQtNGA0LU=?=\r\n"
	    " =?UTF-8?B?0YE=?=\r\n"));
	for (const char *c = text; c && *c; c = strstr(c, "\r\n")) {
		c += *c == '\r' ? 2 : 0;
		assert_true(strcspn(c, "\r") <= 78);
	}
}

static void
long_lines_are_folded(void **state)
{
	char *line = mem_array(*state, char, 5001);
	struct net_mail mail = {.from = "g@example.org",
	    .to = "a@example.org",
	    .subject = line,
	    .text = line};
	const char *text;

	memset(line, 'e', 5000);
	text = written(*state, &mail);
	for (const char *c = text; c && *c; c = strstr(c, "\r\n")) {
		c += *c == '\r' ? 2 : 0;
		assert_true(strcspn(c, "\r") <= 78);
	}
}

/* ---- requests: a server that takes one connection, says something and ends */

struct server {
	int port;
	pid_t pid;
};

/* A web server listens before it speaks; a mail server (greets) says its reply
 * to whoever comes. */
static struct server
serve_as(const char *reply, unsigned seconds, bool greets)
{
	struct sockaddr_in here = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), link;
	struct server s;
	char rubbish[4096];

	assert_int_equal(bind(fd, (void *)&here, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (void *)&here, &n), 0);
	s.port = ntohs(here.sin_port);
	s.pid = fork();
	if (s.pid == 0) {
		alarm(20);
		link = accept(fd, NULL, NULL);
		if (!greets && read(link, rubbish, sizeof(rubbish)) < 0)
			_exit(1);
		sleep(seconds);
		if (write(link, reply, strlen(reply)) < 0)
			_exit(1);
		_exit(0);
	}
	close(fd);
	return s;
}

static struct server
serve(const char *reply, unsigned seconds)
{
	return serve_as(reply, seconds, false);
}

static void
stop(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

static enum err
ask(void *owner, const struct net_request *rq, const struct server *s,
    struct net_reply *out)
{
	struct op *op = op_new(owner, "test", NULL);
	struct net_request copy = *rq;
	const char *port = strstr(rq->url, "PORT");

	copy.url = mem_fmt(op, "%.*s%d%s", (int)(port - rq->url), rq->url,
	    s ? s->port : 1, port + 4);
	return net_http(op, &copy, out);
}

static void
a_reply_comes_with_status_type_and_body(void **state)
{
	struct server s = serve("HTTP/1.1 410 Gone\r\nContent-Type: text/x\r\n"
				"Retry-After: 7\r\nContent-Length: 2\r\n\r\nno",
	    0);
	struct net_request rq = {
	    .url = "http://127.0.0.1:PORT/a", .body = "{}"};
	struct net_reply reply;

	rq.body_n = 2;
	assert_int_equal(ask(*state, &rq, &s, &reply), ERR_OK);
	assert_int_equal(reply.status, 410);
	assert_string_equal(reply.content_type, "text/x");
	assert_string_equal(reply.body, "no");
	assert_int_equal(reply.retry_after_s, 7);
	stop(&s);
}

static void
a_request_is_bounded(void **state)
{
	static const char long_reply[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
	struct net_request rq = {
	    .url = "http://127.0.0.1:PORT/", .reply_max = 9, .timeout_ms = 500};
	struct net_reply reply;
	struct server s = serve(long_reply, 0);

	assert_int_equal(ask(*state, &rq, &s, &reply), ERR_UNREACHABLE);
	stop(&s);
	rq.is_cut = true;
	s = serve(long_reply, 0);
	assert_int_equal(ask(*state, &rq, &s, &reply), ERR_OK);
	assert_string_equal(reply.body, "012345678");
	stop(&s);
	s = serve(long_reply, 10);
	assert_int_equal(ask(*state, &rq, &s, &reply), ERR_UNREACHABLE);
	assert_true(reply.took_ms >= 400 && reply.took_ms < 5000);
	stop(&s);
}

static bool
take_some(void *data, const struct net_reply *head, const char *bytes, size_t n)
{
	struct buf *got = data;

	buf_fmt(got, "%d ", head->status);
	buf_add(got, bytes, n);
	return got->len < 10;
}

static bool
is_over_at_once(void *data)
{
	(void)data;
	return true;
}

static void
how_an_exchange_ended_is_told(void **state)
{
	static const struct {
		const char *reply; /* NULL: nobody listens */
		unsigned seconds;
		enum net_end end;
		bool was_sent, is_over;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, NET_WHOLE,
		true, false},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", 0, NET_CUT, true,
		false},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n"
	     "012345678901234567890123456789",
		0, NET_STOPPED, true, false},
	    {"SSH-2.0\r\n", 0, NET_CUT, true, false},
	    {"", 0, NET_CUT, true, false},
	    {"", 5, NET_LATE, true, false},
	    {"", 5, NET_STOPPED, true, true},
	    {NULL, 0, NET_NO_CONNECTION, false, false},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct buf *got = buf_new(*state, 1000);
		struct net_request rq = {.url = "http://127.0.0.1:PORT/",
		    .timeout_ms = 700,
		    .take = take_some,
		    .is_over = cases[i].is_over ? is_over_at_once : NULL,
		    .data = got};
		struct server s = {.pid = 0};
		struct net_reply reply;
		enum err e;

		if (cases[i].reply)
			s = serve(cases[i].reply, cases[i].seconds);
		e = ask(*state, &rq, cases[i].reply ? &s : NULL, &reply);
		assert_int_equal(
		    e, cases[i].end == NET_WHOLE ? ERR_OK : ERR_UNREACHABLE);
		assert_int_equal(reply.end, cases[i].end);
		if (!cases[i].is_over)
			assert_int_equal(reply.was_sent, cases[i].was_sent);
		if (cases[i].end == NET_WHOLE) {
			assert_string_equal(got->data, "200 ok");
			assert_int_equal(reply.body_n, 0);
		}
		if (s.pid)
			stop(&s);
	}
}

static void
a_redirect_is_followed_only_when_asked(void **state)
{
	struct net_request rq = {.url = "http://127.0.0.1:PORT/"};
	struct net_reply reply;
	struct server s = serve("HTTP/1.1 302 Found\r\nLocation: "
				"file:///etc/passwd\r\n\r\n",
	    0);

	assert_int_equal(ask(*state, &rq, &s, &reply), ERR_OK);
	assert_int_equal(reply.status, 302);
	stop(&s);
	rq.redirects = 3;
	s = serve(
	    "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", 0);
	assert_int_equal(ask(*state, &rq, &s, &reply), ERR_UNREACHABLE);
	stop(&s);
}

static void
a_public_request_reaches_no_private_address(void **state)
{
	static const char *const urls[] = {"http://127.0.0.1:PORT/",
	    "http://localhost:PORT/", "http://[::1]:PORT/",
	    "http://0.0.0.0:PORT/", "http://[::ffff:127.0.0.1]:PORT/",
	    "http://2130706433:PORT/", "http://0x7f.1:PORT/",
	    "http://10.0.0.1:PORT/", "http://169.254.169.254:PORT/"};
	struct net_request rq = {.is_public = true, .timeout_ms = 2000};
	struct net_reply reply;
	struct server s;

	for (size_t i = 0; i < nitems(urls); i++) {
		rq.url = urls[i];
		if (ask(*state, &rq, NULL, &reply) != ERR_ADDRESS_REFUSED)
			fail_msg("%s", urls[i]);
	}
	rq.url = "http://127.0.0.1:PORT/";
	rq.allowed = "10.0.0.0/8,127.0.0.1";
	s = serve("HTTP/1.1 204 No Content\r\n\r\n", 0);
	assert_int_equal(ask(*state, &rq, &s, &reply), ERR_OK);
	assert_int_equal(reply.status, 204);
	stop(&s);
}

static void
what_is_no_request_is_refused(void **state)
{
	static const char *const split[] = {"X-A: b\r\nX-C: d", NULL};
	static const char *const urls[] = {"file:///etc/passwd", "ftp://a/b",
	    "gopher://a", "a", "", "http://", "javascript:alert(1)"};
	struct net_request rq = {.url = "http://127.0.0.1:PORT/"};
	struct net_reply reply;

	rq.headers = split;
	assert_int_equal(ask(*state, &rq, NULL, &reply), ERR_VALIDATION_FAILED);
	rq.headers = NULL;
	for (size_t i = 0; i < nitems(urls); i++) {
		struct op *op = op_new(*state, "test", NULL);

		rq.url = urls[i];
		assert_int_equal(
		    net_http(op, &rq, &reply), ERR_VALIDATION_FAILED);
	}
}

static void
a_mail_server_that_will_not_talk_costs_no_mail(void **state)
{
	struct net_mail mail = {.from = "a@example.org",
	    .to = "b@example.org",
	    .subject = "S",
	    .text = "T"};
	struct server s =
	    serve_as("554 5.3.2 not accepting mail now\r\n", 0, true);
	struct op *op = op_new(*state, "test", NULL);

	assert_int_equal(
	    net_mail(op, mem_fmt(op, "smtp://127.0.0.1:%d", s.port), &mail),
	    ERR_UNREACHABLE);
	stop(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(only_addresses_of_the_internet_are_public),
	    unit(a_list_names_hosts_addresses_and_blocks),
	    unit(addresses_of_mail_are_checked),
	    unit(a_mail_is_text_and_html),
	    unit(nothing_in_a_mail_can_begin_a_header),
	    unit(words_of_other_scripts_are_encoded_whole),
	    unit(long_lines_are_folded),
	    unit(a_reply_comes_with_status_type_and_body),
	    unit(a_request_is_bounded),
	    unit(how_an_exchange_ended_is_told),
	    unit(a_redirect_is_followed_only_when_asked),
	    unit(a_public_request_reaches_no_private_address),
	    unit(what_is_no_request_is_refused),
	    unit(a_mail_server_that_will_not_talk_costs_no_mail),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
