# src/account: sources and unit tests of this room.
libgnomon_a_SOURCES += \
	src/account/account.h \
	src/account/account_priv.h \
	src/account/factor_api.c \
	src/account/oauth.c src/account/oauth_priv.h \
	src/account/oauth_api.c \
	src/account/oauth_job.c \
	src/account/profile_api.c \
	src/account/sign_in.c
