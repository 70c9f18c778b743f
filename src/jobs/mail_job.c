/*
 * mail:send: a mail that a transaction left in the queue (gnomon.queue_mail); and
 * those that an account gets of itself (account_mails), which belong to no
 * workspace and so to no queue.
 *
 * The payload names whom it is for, a template and what that shows. A template
 * is two files, templates/mail/<name>.txt, which begins with the line "Subject:
 * …", and .html. Both see the payload's data; in it
 *
 *   "link": {"path":"/reset","seal":"…"}   becomes the whole address, with
 *                                          ?token= and the sealed text
 *   "unsubscribe"                          likewise, with /; mail programs
 *                                          are told it, too (RFC 8058)
 *   publicUrl                              where this server is found
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "auth/auth.h"
#include "base/config.h"
#include "base/log.h"
#include "base/text.h"
#include "gen/queries.h"
#include "jobs/jobs_priv.h"
#include "net/net.h"
#include "view/mustache.h"
#include "view/templates.h"

enum {
	PART_MAX = 1 << 20,
	AT_ONCE = 20, /* mails of accounts, before the queue's turn */
};

static const char subject_mark[] = "Subject: ";

static const char *
member(struct json_object *o, const char *key)
{
	const char *text =
	    json_object_get_string(json_object_object_get(o, key));

	return text ? text : "";
}

static const char *
public_url(void *owner)
{
	const char *url = config_get(CONFIG_PUBLIC_URL);
	size_t n = strlen(url);

	if (!n)
		return mem_fmt(owner, "http://127.0.0.1:%lld",
		    (long long)config_int(CONFIG_PORT));
	return mem_dup_n(owner, url, n - (url[n - 1] == '/'));
}

/* {"path":…,"seal":…} becomes an address. */
static void
put_link(struct op *op, struct json_object *data, const char *name,
    const char *before_seal)
{
	struct json_object *link = json_object_object_get(data, name);
	const char *path = member(link, "path"), *seal = member(link, "seal");

	if (!json_object_is_type(link, json_type_object))
		return;
	json_object_object_add(data, name,
	    json_object_new_string(mem_fmt(op, "%s%s%s%s", public_url(op), path,
		*seal ? before_seal : "", *seal ? auth_seal(op, seal) : "")));
}

/* The page that stops such mails, and for mail programs the address that does
 * so by a POST: the same below /api/v1. */
static const char *
put_unsubscribe(struct op *op, struct json_object *data)
{
	const char *page;
	size_t n = strlen(public_url(op));

	put_link(op, data, "unsubscribe", "/");
	page = member(data, "unsubscribe");
	return *page ? mem_fmt(op, "%s/api/v1%s", public_url(op), page + n)
		     : NULL;
}

/* The HTML templates, read once. */
static enum err
pages(struct op *op, const struct templates **out)
{
	static struct templates *set;
	char *why = NULL;

	if (!set &&
	    templates_load(NULL,
		mem_fmt(op, "%s/templates", config_get(CONFIG_GNOMON_SHARE)),
		&set, &why)) {
		op_fail(op, ERR_INTERNAL, "%s", why);
		mem_drop(&why);
		return op->err;
	}
	*out = set;
	return ERR_OK;
}

/* A template's text as the file has it; its first line and what follows the
 * empty line are parsed apart, so that nothing in the data can move one into the
 * other. */
static enum err
read_text(struct op *op, const char *name, struct mustache **out_subject,
    struct mustache **out_text)
{
	char *path = mem_fmt(op, "%s/templates/mail/%s.txt",
	    config_get(CONFIG_GNOMON_SHARE), name);
	char *text = mem_array(op, char, PART_MAX + 1), *why, *end;
	FILE *file = fopen(path, "re");
	size_t n = sizeof(subject_mark) - 1;

	if (!file)
		return op_fail(
		    op, ERR_INTERNAL, "%s: %s", path, strerror(errno));
	(void)fread(text, 1, PART_MAX, file);
	fclose(file);
	end = strstr(text, "\n\n");
	if (!text_starts(text, subject_mark) || !end)
		return op_fail(op, ERR_INTERNAL,
		    "%s does not begin with Subject: and an empty line", path);
	if (mustache_parse(
		op, text + n, (size_t)(end - text) - n, out_subject, &why) ||
	    mustache_parse(op, end + 2, strlen(end + 2), out_text, &why))
		return op_fail(op, ERR_INTERNAL, "%s, %s", path, why);
	return ERR_OK;
}

static enum err
pour(struct op *op, const struct mustache *m, struct json_object *data,
    const char **out)
{
	struct buf *b = buf_new(op, PART_MAX);

	if (mustache_render(m, data, NULL, b))
		return op_fail(op, ERR_INTERNAL, "a mail is too long");
	*out = b->data;
	return ERR_OK;
}

static enum err
write_text(struct op *op, const char *name, struct json_object *data,
    struct net_mail *mail)
{
	struct mustache *subject, *text;
	enum err e = read_text(op, name, &subject, &text);

	if (!e)
		e = pour(op, subject, data, &mail->subject);
	return e ? e : pour(op, text, data, &mail->text);
}

static enum err
write_html(struct op *op, const char *name, struct json_object *data,
    struct net_mail *mail)
{
	struct buf *b = buf_new(op, PART_MAX);
	const struct templates *set;
	enum err e = pages(op, &set);

	if (!e && templates_render(set, mem_fmt(op, "mail/%s", name), data, b))
		e = op_fail(op, ERR_INTERNAL, "mail %s cannot be poured", name);
	mail->html = b->data;
	return e;
}

/* A name as the files have it: nothing that leads elsewhere. */
static bool
is_template(const char *name)
{
	return *name &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name);
}

/* Whom it is for; *out_to is NULL for an account that is gone. */
static enum err
find_address(struct op *op, struct json_object *payload, const char **out_to,
    const char **out_name)
{
	const char *user = member(payload, "user");
	struct rows *rows;
	enum err e;

	*out_to = *member(payload, "to") ? member(payload, "to") : NULL;
	*out_name = "";
	if (!text_is_uuid(user))
		return ERR_OK;
	e = q_mail_address(op, user, &rows);
	if (!e && rows_count(rows) == 0)
		*out_to = NULL;
	if (e || rows_count(rows) == 0)
		return e;
	*out_name = rows_get(op, rows, 0, "name");
	if (!*out_to)
		*out_to = rows_get(op, rows, 0, "email");
	return ERR_OK;
}

enum err
jobs__send_mail(struct op *op, const struct job *job)
{
	const char *template = member(job->payload, "template");
	struct json_object *data = json_object_object_get(job->payload, "data");
	struct net_mail mail = {.from = config_get(CONFIG_MAIL_FROM),
	    .id = job->id,
	    .date = time(NULL)};
	enum err e = find_address(op, job->payload, &mail.to, &mail.to_name);

	if (e)
		return e;
	if (!*config_get(CONFIG_SMTP_URL) || !mail.to) {
		log_info("mail_not_sent", LOG_S("job", job->id),
		    LOG_S("template", template),
		    LOG_S("why",
			mail.to ? "mail is off: SMTP_URL is not set"
				: "the account is gone"));
		return ERR_OK;
	}
	if (!net_mail_address(op, mail.to))
		return op_fail(op, ERR_MAIL_REFUSED, "no address of a mail");
	if (!is_template(template) ||
	    !json_object_is_type(data, json_type_object))
		return op_fail(op, ERR_INTERNAL, "mail without template");
	put_link(op, data, "link", "?token=");
	mail.unsubscribe = put_unsubscribe(op, data);
	json_object_object_add(
	    data, "publicUrl", json_object_new_string(public_url(op)));
	if (!json_object_object_get_ex(data, "name", NULL))
		json_object_object_add(
		    data, "name", json_object_new_string(mail.to_name));
	e = write_text(op, template, data, &mail);
	if (!e)
		e = write_html(op, template, data, &mail);
	return e ? e : net_mail(op, config_get(CONFIG_SMTP_URL), &mail);
}

/* Sends one mail of an account; *out_done is false when none is due. */
static enum err
send_account_mail(struct op *op, bool *out_done)
{
	struct op *mine;
	struct job job;
	struct rows *rows;
	enum err e = q_claim_account_mail(op, &rows), how;

	*out_done = !e && rows_count(rows) > 0;
	if (!*out_done)
		return e;
	job = (struct job){.id = rows_get(op, rows, 0, "id"),
	    .payload = op_json(
		op, json_tokener_parse(rows_get(op, rows, 0, "payload")))};
	mine = op_new(op, job.id, op->db);
	how = jobs__send_mail(mine, &job);
	if (how)
		log_error("account_mail_failed", LOG_S("mail", job.id),
		    LOG_S("error", err_info(how)->word),
		    LOG_S("why", mine->why));
	mem_drop(&mine);
	return q_end_account_mail(op, job.id,
	    how && how != ERR_MAIL_REFUSED ? "true" : "false", NULL);
}

enum err
jobs__send_account_mails(struct op *op)
{
	bool done = true;
	enum err e = ERR_OK;

	for (int i = 0; !e && done && i < AT_ONCE; i++) {
		struct op *one = op_new(op, op->id, op->db);

		e = send_account_mail(one, &done);
		if (e)
			op_fail(op, e, "%s", one->why);
		mem_drop(&one);
	}
	return e;
}
