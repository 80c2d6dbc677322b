# conduit: build, test, install. `make help` lists the targets and the variables.

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

# ---- configuration: each combination has a folder of its own; the default one is build/ ----------
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
CFLAGS ?= $(if $(COVERAGE),-O0,-O2) -g
ifeq ($(origin CC),default)
CC     := $(CROSS)gcc
endif

# The engines of the room tls/. WOLFSSL is built (by `make deps`, as tls/wolfssl.switches says), system (the
# one that pkg-config finds) or none; OPENSSL is system or none.
WOLFSSL ?= built
OPENSSL ?= system
# IPSEC_MB is system or none: AES-GCM by intel-ipsec-mb under wolfSSL, which is for x86-64.
IPSEC_MB_HERE := $(if $(CROSS)$(filter none,$(WOLFSSL))$(filter-out x86_64,$(shell uname -m)),none,system)
IPSEC_MB ?= $(IPSEC_MB_HERE)
# The backend xen of the room vchan/: system (libxengnttab, libxenevtchn, libxenstore) or none.
XEN ?= system
$(foreach v,$(filter-out built system none,$(WOLFSSL)) $(filter-out system none,$(OPENSSL) $(IPSEC_MB) $(XEN)),$(error no such choice: $v))

empty  :=
comma  := ,
ARCH   := $(firstword $(subst -, ,$(CROSS)))
CONFIG := $(ARCH) $(filter-out cc gcc %-gcc,$(notdir $(firstword $(CC)))) $(SANITIZE) $(if $(COVERAGE),coverage) \
          $(patsubst %,wolfssl-%,$(filter-out built,$(WOLFSSL))) $(patsubst %,openssl-%,$(filter-out system,$(OPENSSL))) \
          $(patsubst %,ipsec-mb-%,$(filter-out $(IPSEC_MB_HERE),$(IPSEC_MB))) $(patsubst %,xen-%,$(filter-out system,$(XEN)))
CONFIG := $(subst $(empty) $(empty),-,$(strip $(CONFIG)))
BUILD  := build$(if $(CONFIG),/$(CONFIG))
OBJ    := $(BUILD)/obj

CPPFLAGS := -D_GNU_SOURCE -Iinclude -I.
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
CODEGEN  := -std=gnu11 -fPIC -fvisibility=hidden -fno-semantic-interposition -fno-plt -pthread \
            $(if $(COVERAGE),--coverage -fprofile-update=atomic) \
            $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
FOREIGN  := $(if $(CROSS),build/cross/usr)
CPPFLAGS += $(foreach f,$(FOREIGN),-isystem $f/include -isystem $f/include/$(CROSS:-=))
LDFLAGS  += $(foreach f,$(FOREIGN:%=%/lib/$(CROSS:-=)),-L$f -Wl,-rpath,$(CURDIR)/$f -Wl$(comma)--disable-new-dtags)
LIBS     := -lcares -luriparser -lidn2 # what the static library needs from others
TLS_C    := $(wildcard tls/*.c)
# What the files of tls/ and test/tls/ get besides. The archive of a wolfSSL built here becomes a part of our
# libraries; names.h gives its functions the names they have there.
ifeq ($(WOLFSSL),built)
WOLFSSL_NEED  := wolfssl$(CROSS:%-=-%)
WOLFSSL_DIR   := build/deps/$(WOLFSSL_NEED)
WOLFSSL_A     := $(WOLFSSL_DIR)/lib/libwolfssl.a
TLS_CPPFLAGS  := -DCDT_HAVE_WOLFSSL -DCDT_WOLFSSL_BUILT -isystem $(WOLFSSL_DIR)/include -include $(WOLFSSL_DIR)/names.h
TLS_LIBS      := -lm
else ifeq ($(WOLFSSL),system)
PKG_CONFIG    ?= $(CROSS)pkg-config
WOLFSSL_NEED  := libwolfssl
TLS_CPPFLAGS  := -DCDT_HAVE_WOLFSSL $(shell $(PKG_CONFIG) --cflags wolfssl 2>/dev/null)
TLS_LIBS      := $(shell $(PKG_CONFIG) --libs wolfssl 2>/dev/null || echo -lwolfssl)
endif
ifeq ($(IPSEC_MB),system)
IPSEC_MB_NEED := libipsec-mb
TLS_CPPFLAGS  += -DCDT_HAVE_IPSEC_MB
TLS_LIBS      += -lIPSec_MB
endif
ifeq ($(OPENSSL),system)
TLS_CPPFLAGS  += -DCDT_HAVE_OPENSSL
TLS_LIBS      += -lssl -lcrypto
endif
LIBS          += $(if $(TLS_C),$(TLS_LIBS))
ifeq ($(XEN),system)
XEN_NEED       := libxen
VCHAN_CPPFLAGS := -DCDT_HAVE_XEN
LIBS           += -lxengnttab -lxenevtchn -lxenstore
endif
COMPILE   = $(CC) $(CPPFLAGS) $(CODEGEN) $(CFLAGS) $(WARNINGS) $(if $(WERROR),-Werror)
LINK      = $(CC) $(CODEGEN) $(CFLAGS) $(LDFLAGS)
# The program and the shared library are optimised as a whole; tests take the plain half of the objects.
LTO      ?= $(if $(SANITIZE)$(COVERAGE)$(findstring clang,$(CC)),,-flto=auto -ffat-lto-objects)

VERSION := $(shell awk '/^.define CDT_VERSION_(MAJOR|MINOR|PATCH)[ \t]/ { v = v d $$3; d = "." } \
                        END { print v }' include/conduit/version.h 2>/dev/null)
SONAME  := libconduit.so.$(firstword $(subst ., ,$(VERSION)))

# ---- what is there to build ----------------------------------------------------------------------
ROOMS     := reactor flows tls vchan resolve context
SOURCES   := $(wildcard $(ROOMS:%=%/*.c))
OBJECTS   := $(SOURCES:%.c=$(OBJ)/%.o)
TOOLS     := $(patsubst %.c,$(OBJ)/%.o,$(wildcard tools/*.c))
EXAMPLES  := $(patsubst %.c,$(BUILD)/%,$(wildcard examples/*.c))
PEERS     := $(patsubst %.c,$(BUILD)/%,$(wildcard bench/peers/*.c))
LOOPS     := $(patsubst %.c,$(BUILD)/%,$(wildcard bench/loops/*.c))
OWN       := $(patsubst %.c,$(BUILD)/%,$(wildcard bench/own/*.c)) $(LOOPS)
BENCHES   := $(OWN) $(PEERS) $(BUILD)/bench/load
MEASURE   := $(OBJ)/bench/measure.o
LOAD      := $(patsubst %.c,$(OBJ)/%.o,$(wildcard bench/load/*.c)) $(MEASURE)
BUDGET    := $(BUILD)/bench/budget/core
FUZZERS   := $(patsubst %.c,$(BUILD)/%,$(wildcard test/fuzz/*.c))
SUPPORT   := $(patsubst %.c,$(OBJ)/%.o,$(wildcard test/support/*.c))
TESTROOMS := $(if $(CROSS),reactor flows tls vchan,$(filter-out fuzz support xen,$(patsubst test/%/,%,$(wildcard test/*/))))
named      = $(if $(T),$(foreach t,$1,$(if $(findstring $(T),$t),$t)),$1)
TESTS     := $(patsubst %.c,$(BUILD)/%,$(call named,$(wildcard $(TESTROOMS:%=test/%/test_*.c))))
SCRIPTS   := $(if $(CROSS),,$(call named,$(wildcard $(foreach e,sh py,$(TESTROOMS:%=test/%/test_*.$e)))))
WRAPPED   := $(shell sed 's/#.*//' test/fault/wrapped 2>/dev/null)
ALL_C     := $(SOURCES) $(wildcard tools/*.c examples/*.c bench/*.c bench/*/*.c test/*/*.c)
ALL_H     := $(wildcard include/conduit/*.h */*.h bench/*/*.h test/*/*.h)

# Examples and benchmarks that need other libraries; the peers of ours need none of those that we do.
$(filter-out %/conduit,$(PEERS) $(LOOPS)): private LIBS :=
$(OWN): private EXTRA = $(LTO)
$(addprefix $(BUILD)/,examples/libuv bench/loops/libuv bench/peers/libuv bench/peers/libuv_write): private EXTRA := -luv
$(BUILD)/bench/peers/conduit: private EXTRA := $(LTO)
$(addprefix $(BUILD)/bench/,peers/libev loops/libev): private EXTRA := -lev
$(BUILD)/bench/peers/libevent: private EXTRA := -levent_core
$(BUILD)/bench/loops/libevent: private EXTRA := -levent_pthreads -levent_core
$(BUILD)/bench/peers/libevent_bufferevent: private EXTRA := -levent_openssl -levent_core -lssl -lcrypto

# ---- the groups of ./packages that a goal needs, and what it builds -------------------------------
NEED_demo     := build $(WOLFSSL_NEED) $(IPSEC_MB_NEED) $(XEN_NEED) $(if $(findstring clang,$(CC)),clang)
NEED_test     := $(NEED_demo) test $(if $(CROSS),cross arm64,daemons model)
NEED_deps     := $(NEED_test)
NEED_test-xen := $(sort $(NEED_demo) libxen) # and what test/xen/run fetches
NEED_bench    := $(NEED_demo) bench relays
NEED_bench-page := bench
NEED_budget   := $(NEED_demo) budget
NEED_memcheck := $(NEED_test) valgrind
NEED_coverage := $(NEED_test) coverage
NEED_fuzz     := $(NEED_demo) clang
NEED_lint     := $(NEED_demo) test bench lint
NEED_format   := lint
DEPS ?= $(sort $(foreach g,$(MAKECMDGOALS),$(NEED_$g)))

.PHONY: all tests benches deps demo test test-xen memcheck bench bench-page budget fuzz fuzzers coverage format format-check lint install clean help FORCE
all: $(BUILD)/libconduit.a $(BUILD)/libconduit.so $(BUILD)/conduit $(EXAMPLES)
tests: all $(TESTS)
benches: $(BENCHES) $(BUDGET)

deps:
	@.ci/deps $(DEPS)

# ---- rules ---------------------------------------------------------------------------------------
# Files that keep a text, and change only when it does: what depends on them is rebuilt when a flag
# changes, or when a source goes away.
remember = @mkdir -p $(@D); echo '$1' | cmp -s - $@ || echo '$1' >$@
$(OBJ)/flags: FORCE $(if $(DEPS),| deps)
	$(call remember,$(COMPILE) $(LTO) $(LINK) $(LIBS) $(TLS_CPPFLAGS) $(TLS_LIBS) $(TEST_CRYPTO) $(VCHAN_CPPFLAGS))
$(OBJ)/objects: FORCE
	$(call remember,$(OBJECTS))

$(OBJ)/%.o: %.c $(OBJ)/flags
	@mkdir -p $(@D)
	$(COMPILE) $(if $(filter test/%,$<),,$(LTO)) -MMD -MP -c $< -o $@

# As with flags: a file made by another program, looked at again each time. It changes the headers as well.
$(WOLFSSL_A): FORCE $(if $(DEPS),| deps)
	@[ -e $@ ] || { echo 'there is no $@: run `make deps`, or choose WOLFSSL=system or none' >&2; exit 1; }
$(patsubst %.c,$(OBJ)/%.o,$(TLS_C) $(wildcard test/tls/*.c)): $(WOLFSSL_A)
$(OBJ)/tls/%.o $(OBJ)/test/tls/%.o: private CPPFLAGS += $(TLS_CPPFLAGS)
$(OBJ)/vchan/%.o $(OBJ)/test/vchan/%.o: private CPPFLAGS += $(VCHAN_CPPFLAGS)

$(BUILD)/libconduit.a: $(OBJECTS) $(OBJ)/objects $(if $(TLS_C),$(WOLFSSL_A))
	@rm -f $@
	$(if $(filter %.a,$^),cp $(filter %.a,$^) $@)
	$(CROSS)$(if $(LTO),gcc-)ar rcs $@ $(OBJECTS)

$(BUILD)/$(SONAME): $(OBJECTS) $(if $(TLS_C),$(WOLFSSL_A)) $(OBJ)/objects conduit.map
	$(LINK) $(LTO) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=conduit.map -Wl,-Bsymbolic-functions \
	    $(if $(SANITIZE),,-Wl,-z,defs) $(filter %.o %.a,$^) $(LIBS) -o $@

$(BUILD)/libconduit.so: $(BUILD)/$(SONAME)
	@ln -sfn $(SONAME) $@

$(BUILD)/conduit: $(TOOLS) $(BUILD)/libconduit.a
	$(LINK) $(LTO) $^ $(LIBS) -o $@

# Where another library is missing, a stand-in says so and exits 77; the runner counts it as skipped.
missing  = $(if $1,$(shell $(CC) -shared -x c /dev/null $1 -o /dev/null 2>/dev/null || echo missing))
stand-in = @echo '$(strip $(EXTRA)) is not installed' >$@.skipped; echo "SKIPPED $@: $$(cat $@.skipped)"; \
           printf '%s\n' '\#!/bin/sh' 'cat "$$0.skipped"; exit 77' >$@; chmod +x $@
$(EXAMPLES) $(filter-out %/load,$(BENCHES)): $(BUILD)/%: %.c $(BUILD)/libconduit.a $(OBJ)/flags
	@mkdir -p $(@D); rm -f $@.skipped
	$(if $(call missing,$(EXTRA)),$(stand-in),$(COMPILE) -MMD -MP -MF $@.d $(LDFLAGS) $(filter %.c %.o %.a,$^) \
	    $(LIBS) $(EXTRA) -o $@)
$(OWN): $(MEASURE)
$(patsubst %.skipped,%,$(wildcard $(foreach d,examples bench/own bench/loops bench/peers,$(BUILD)/$d/*.skipped))): FORCE

$(BUILD)/bench/load: $(LOAD) $(BUILD)/libconduit.a
	@mkdir -p $(@D)
	$(LINK) $(LTO) $^ $(LIBS) -o $@

# Without LTO: what it inlines where may change with any line, and the figures would jump.
$(BUDGET): $(patsubst %.c,$(OBJ)/%.o,$(wildcard bench/budget/*.c)) $(BUILD)/libconduit.a
	@mkdir -p $(@D)
	$(LINK) -fno-lto $^ $(LIBS) -o $@

$(BUILD)/test/%: $(OBJ)/test/%.o $(SUPPORT) $(BUILD)/libconduit.a
	@mkdir -p $(@D)
	$(LINK) -fno-lto $(WRAP) $(filter %.o %.a,$^) $(LIBS) -lcmocka -o $@
# Tests make certificates with libcrypto, also where OpenSSL is no backend.
TEST_CRYPTO := $(if $(TLS_LIBS),$(if $(filter -lcrypto,$(TLS_LIBS)),-lcrypto,$(if $(call missing,-lcrypto),,-lcrypto)))
TEST_CPPFLAGS := $(if $(TEST_CRYPTO),-DCDT_TEST_LIBCRYPTO)
$(OBJ)/test/tls/%.o: private CPPFLAGS += $(TEST_CPPFLAGS)
$(filter $(BUILD)/test/tls/%,$(TESTS)): $(WOLFSSL_A)
$(BUILD)/test/tls/%: private LIBS += $(TLS_LIBS) $(TEST_CRYPTO)
$(BUILD)/test/fault/%: private WRAP = $(WRAPPED:%=-Wl$(comma)--wrap=%)
$(filter $(BUILD)/test/fault/%,$(TESTS)): test/fault/wrapped
$(OBJ)/test/fault/%.o $(OBJ)/test/fuzz/%.o: private WARNINGS += -Wno-missing-prototypes

# What runs inside the Xen machine: a program over our library, and one that knows libxenvchan alone.
$(BUILD)/test/xen/suite: $(OBJ)/test/xen/suite.o $(BUILD)/libconduit.a
	@mkdir -p $(@D)
	$(LINK) -Wl,--as-needed $^ $(LIBS) -o $@
$(BUILD)/test/xen/peer: $(OBJ)/test/xen/peer.o
	@mkdir -p $(@D)
	$(LINK) $^ -lxenvchan -lxenevtchn -lxenstore -o $@

$(FUZZERS): $(BUILD)/test/fuzz/%: $(OBJ)/test/fuzz/%.o $(BUILD)/libconduit.a
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer $^ $(LIBS) -o $@

-include $(patsubst %.c,$(OBJ)/%.d,$(ALL_C)) $(EXAMPLES:=.d) $(patsubst %,%.d,$(filter-out %/load,$(BENCHES)))

# ---- running -------------------------------------------------------------------------------------
# Tests may look at CDT_TEST_EMULATED (not the real machine) and CDT_TEST_SLOW (take fewer rounds).
# Sanitizers of this age want predictable addresses; not every container allows to ask for them.
RUN  = BUILD='$(CURDIR)/$(BUILD)' CC='$(CC)' CROSS='$(CROSS)' CDT_VERSION='$(VERSION)' UBSAN_OPTIONS=print_stacktrace=1
RUN += $(if $(SANITIZE)$(CROSS),CDT_TEST_SLOW=1)
RUN += $(if $(CROSS),CDT_TEST_EMULATED=1 WRAPPER='qemu-$(ARCH) -L /usr/$(CROSS:-=)')
RUN += $(if $(SANITIZE),$(shell setarch -R true 2>/dev/null && echo setarch -R))

demo: $(BUILD)/conduit
	$(BUILD)/conduit demo

test: tests
	@$(RUN) test/run $(TESTS) $(SCRIPTS)

test-xen: $(addprefix $(BUILD)/,conduit test/xen/suite test/xen/peer)
	@BUILD='$(CURDIR)/$(BUILD)' test/xen/run

# The rest is too slow under valgrind, or made of several processes; it has descriptors of its own under
# a low limit, knows no pidfd, and is late for tests whose times are short.
UNFIT    := $(foreach t,flows/test_accept_starved flows/test_close flows/test_timeouts flows/test_stress \
            reactor/test_child reactor/test_run,$(BUILD)/test/$t)
MEMCHECK := $(filter-out $(UNFIT),$(filter $(BUILD)/test/reactor/% $(BUILD)/test/flows/%,$(TESTS)))
memcheck: $(MEMCHECK)
	@CDT_TEST_SLOW=1 WRAPPER=.ci/memcheck LOG='$(CURDIR)/$(BUILD)/log-memcheck' $(RUN) test/run $(MEMCHECK)

bench: all $(BENCHES) $(BUILD)/test/vchan/test_local_crash
	@$(RUN) CFLAGS='$(CFLAGS) $(LTO)' bench/run
bench-page: $(if $(DEPS),deps)
	@$(RUN) bench/page.py

budget: $(BUDGET)
	@$(if $(CONFIG),echo 'the budgets are not for a build of $(CONFIG)' >&2; exit 1;) $(RUN) bench/budget/run

FUZZ_TIME ?= 30
fuzz: $(if $(DEPS),deps)
	@$(MAKE) --no-print-directory CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzzers
fuzzers: $(FUZZERS)
	@set -e; for f in $(FUZZERS:$(BUILD)/test/fuzz/%=%); do echo "fuzzing $$f for $(FUZZ_TIME) s"; \
	    mkdir -p $(BUILD)/corpus/$$f test/fuzz/corpus/$$f; $(BUILD)/test/fuzz/$$f -max_total_time=$(FUZZ_TIME) \
	    -artifact_prefix=$(BUILD)/corpus/ $(BUILD)/corpus/$$f test/fuzz/corpus/$$f; done

coverage: $(if $(DEPS),deps)
	@mkdir -p build/coverage/html; find build/coverage -name '*.gcda' -delete
	@$(MAKE) --no-print-directory COVERAGE=1 test
	gcovr --root . --object-directory build/coverage/obj $(ROOMS:%=--filter %/) --filter tools/ \
	    --html-details build/coverage/html/index.html --txt --print-summary build/coverage

# ---- sources -------------------------------------------------------------------------------------
format: $(if $(DEPS),deps)
	clang-format -i $(ALL_C) $(ALL_H)
format-check:
	@status=0; for f in $(ALL_C) $(ALL_H); do \
	    clang-format $$f | diff -u --label $$f --label formatted $$f - || status=1; done; exit $$status
lint: $(if $(DEPS),deps)
	@BUILD='$(BUILD)' CPPFLAGS='$(CPPFLAGS)' TLS_CPPFLAGS='$(TLS_CPPFLAGS) $(TEST_CPPFLAGS)' VCHAN_CPPFLAGS='$(VCHAN_CPPFLAGS)' .ci/lint $(ALL_C)

# ---- installing ----------------------------------------------------------------------------------
install: TO = $(DESTDIR)$(LIBDIR)
install: $(BUILD)/libconduit.a $(BUILD)/$(SONAME) $(BUILD)/conduit
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/conduit $(TO)/pkgconfig
	install -m 755 $(BUILD)/conduit $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(wildcard include/conduit/*.h) $(DESTDIR)$(PREFIX)/include/conduit/
	install -m 644 $(BUILD)/libconduit.a $(TO)/
	install -m 644 $(BUILD)/$(SONAME) $(TO)/libconduit.so.$(VERSION)
	ln -sfn libconduit.so.$(VERSION) $(TO)/$(SONAME)
	ln -sfn $(SONAME) $(TO)/libconduit.so
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|; s|@LIBS@|$(LIBS)|' conduit.pc.in \
	    >$(TO)/pkgconfig/conduit.pc
	for m in $(wildcard docs/man/*.[1-8]); do \
	    install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done

clean:
	rm -rf build
help:
	@sed -n 's/^#? //p' Makefile

#? make                libraries, program and examples, in build/
#? make demo           install what is missing, build, run build/conduit demo
#? make test [T=name]  install what is missing, build, run the tests (whose name contains name)
#? make deps           install what is missing [DEPS="groups of the file packages"]
#? make test-xen       boot Xen in an emulator, and run the tests of vchan between its domains
#? make bench          conduit and its peers side by side [QUICK=1] [ROUNDS=7] [ONLY="part of a name"]
#? make bench-page     the results of a full run of it, written into docs/performance.md
#? make budget         instructions and system calls of core workloads, against their budgets [UPDATE=1] [ONLY=]
#? make memcheck | fuzz [FUZZ_TIME=30] | coverage | lint | format | format-check | clean
#? make install        [PREFIX=/usr/local] [LIBDIR=] [DESTDIR=]
#? variables: CC=clang  CROSS=aarch64-linux-gnu-  SANITIZE=address,undefined|thread  COVERAGE=1  LTO=  WERROR=1  CFLAGS=
#?            WOLFSSL=built|system|none  WOLFSSL_SWITCHES=  OPENSSL=system|none  IPSEC_MB=system|none  XEN=system|none
