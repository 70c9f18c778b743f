libgnomon_a_SOURCES += \
	src/base/buf.c src/base/buf.h \
	src/base/config.c src/base/config.h src/base/config.def \
	src/base/err.c src/base/err.h src/base/err.def \
	src/base/log.c src/base/log.h \
	src/base/mem.c src/base/mem.h \
	src/base/metrics.c src/base/metrics.h src/base/metrics.def \
	src/base/notify.c src/base/notify.h \
	src/base/op.c src/base/op.h \
	src/base/text.c src/base/text.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_base tests/unit/test_config tests/unit/test_metrics \
	tests/unit/test_notify
tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/unit/unit.h
tests_unit_test_base_LDADD = $(UNIT_LIBS)
tests_unit_test_config_SOURCES = tests/unit/test_config.c tests/unit/unit.h
tests_unit_test_config_LDADD = $(UNIT_LIBS)
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c tests/unit/unit.h
tests_unit_test_metrics_LDADD = $(UNIT_LIBS)
tests_unit_test_notify_SOURCES = tests/unit/test_notify.c tests/unit/unit.h
tests_unit_test_notify_LDADD = $(UNIT_LIBS)
endif
