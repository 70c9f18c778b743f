# src/http: sources and unit tests of this room.
libgnomon_a_SOURCES += \
	src/http/args.c src/http/cors.c src/http/dispatch.c src/http/endpoint.h src/http/etag.c \
	src/http/fcgi.c src/http/fcgi.h src/http/http.h src/http/http_priv.h \
	src/http/limit.c src/http/limit.h src/http/once.c src/http/pages.c src/http/reply.c src/http/route.c src/http/variant.c
