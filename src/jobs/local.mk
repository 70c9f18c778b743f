# src/jobs: sources and unit tests of this room.
libgnomon_a_SOURCES += src/jobs/jobs.c src/jobs/jobs.h src/jobs/jobs_priv.h \
	src/jobs/ai_job.c src/jobs/follow.c src/jobs/mail_job.c src/jobs/sprint_job.c \
	src/jobs/webhook_job.c
