# What an installation needs beside the programs: units, the site, the pages.
systemdunitdir = $(prefix)/lib/systemd/system
dist_systemdunit_DATA = \
	scripts/systemd/gnomon-web.service \
	scripts/systemd/gnomon-web.socket \
	scripts/systemd/gnomon-web-slow.socket \
	scripts/systemd/gnomon-worker.service \
	scripts/systemd/gnomon-tick.service \
	scripts/systemd/gnomon-tick.timer \
	scripts/systemd/gnomon-agent@.service \
	scripts/systemd/gnomon-agent-sprint_risk.timer \
	scripts/systemd/gnomon-agent-backlog_hygiene.timer

nginxdir = $(pkgdatadir)/nginx
dist_nginx_DATA = \
	nginx/gnomon.conf \
	nginx/gnomon-http.conf \
	nginx/gnomon-server.conf \
	nginx/dev.conf.in

nginxerrorsdir = $(nginxdir)/errors
dist_nginxerrors_DATA = \
	nginx/errors/insecure.html \
	nginx/errors/too_large.html \
	nginx/errors/too_large.json \
	nginx/errors/unavailable.html \
	nginx/errors/unavailable.json

dist_pkglibexec_SCRIPTS = scripts/stack

EXTRA_DIST += \
	scripts/bench scripts/check-style scripts/common.sh scripts/hooks/pre-commit scripts/packages \
	scripts/quickstart scripts/tap.awk scripts/test \
	scripts/systemd/gnomon.sysusers.conf \
	scripts/systemd/gnomon.tmpfiles.conf \
	templates

# The two with one name each, and templates as a whole tree. Installed files
# name the folders of this installation.
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(prefix)/lib/sysusers.d" \
		"$(DESTDIR)$(prefix)/lib/tmpfiles.d" \
		"$(DESTDIR)$(pkgdatadir)"
	$(INSTALL_DATA) $(srcdir)/scripts/systemd/gnomon.sysusers.conf \
		"$(DESTDIR)$(prefix)/lib/sysusers.d/gnomon.conf"
	$(INSTALL_DATA) $(srcdir)/scripts/systemd/gnomon.tmpfiles.conf \
		"$(DESTDIR)$(prefix)/lib/tmpfiles.d/gnomon.conf"
	rm -rf "$(DESTDIR)$(pkgdatadir)/templates"
	cp -R $(srcdir)/templates "$(DESTDIR)$(pkgdatadir)/templates"
	chmod -R u+w,a+rX "$(DESTDIR)$(pkgdatadir)/templates"

install-data-hook:
	for unit in $(dist_systemdunit_DATA); do \
		sed -i 's|/usr/bin/gnomon|$(bindir)/gnomon|' \
			"$(DESTDIR)$(systemdunitdir)/$${unit##*/}" || exit 1; \
	done
	sed -i 's|/usr/share/gnomon|$(pkgdatadir)|' \
		"$(DESTDIR)$(nginxdir)/gnomon.conf"

uninstall-local:
	rm -rf "$(DESTDIR)$(pkgdatadir)/templates" \
		"$(DESTDIR)$(prefix)/lib/sysusers.d/gnomon.conf" \
		"$(DESTDIR)$(prefix)/lib/tmpfiles.d/gnomon.conf"
