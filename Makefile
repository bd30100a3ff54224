# Marchland. `make help` lists the targets. Every variable with ?= can be set on the command line. V=1 shows every command.
#
# MODE picks the flags and the build folder:
#   dev      -O2, for daily work and `make run`
#   test     -O1 with ASan and UBSan, for `make test`; -g1 knows lines but no variables, and compiles in two thirds of the time
#   release  -O3, link-time and profile-guided, by `make release`

ifeq ($(origin CC),default)
CC      := gcc
endif
CXX     ?= g++
CLANG   ?= clang
FLATC   ?= flatc
PYTEST  ?= /usr/bin/python3 -m pytest
JOBS    ?= $(shell nproc)
MODE    ?= dev
V       ?=
Q       := $(if $(V),,@)
OUT     := build/$(MODE)

PACKAGES := gcc g++ make clang clang-format clang-tidy libclang-rt-14-dev cppcheck shellcheck spin pkg-config liburing-dev libnng-dev \
	libmicrohttpd-dev flatbuffers-compiler libflatbuffers-dev libsodium-dev liblz4-dev libcyaml-dev libjansson-dev \
	libcurl4-openssl-dev libcmocka-dev uthash-dev libev-dev libpq-dev libhiredis-dev libzstd-dev postgresql postgresql-contrib redis-server redis-tools \
	pgbouncer python3-pytest python3-pytest-xdist python3-yaml python3-jsonschema openssl rt-tests gnuplot-nox linux-perf iproute2

PQ_INCLUDE := /usr/include/postgresql
WARN    := -Wall -Wextra -Wshadow -Wconversion -Werror
CPPFLAGS := -D_GNU_SOURCE -I. -I$(OUT)/gen -I$(PQ_INCLUDE) -MMD -MP
CFLAGS_dev     := -O2 -g -fno-omit-frame-pointer
CFLAGS_test    := -O1 -g1 -DMARCH_STEPS -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
# Sources of unit tests take half the time to compile so; what they test stays as system tests run it.
$(OUT)/tests/unit/%.o: CFLAGS_test := $(patsubst -O1,-Og,$(CFLAGS_test))
CFLAGS_O0 := -O0
CFLAGS_O2 := -O2
CFLAGS_O3 := -O3
# Warnings across files by the link-time optimiser are often false, so they don't stop a release; dev and test builds do stop.
CFLAGS_release := -O3 -g -flto=auto -march=x86-64-v2 -Wno-error $(PGO)
CFLAGS  ?=
ALL_CFLAGS   = -std=c17 -fPIC $(WARN) $(CFLAGS_$(MODE)) $(CFLAGS)
ALL_CXXFLAGS = -std=c++17 -fPIC -fno-exceptions -fno-rtti -Wall -Wextra -Werror $(CFLAGS_$(MODE)) $(CFLAGS)
LDFLAGS ?=
# A hundred test programs are linked: gold takes a third of the time of the usual linker.
LDFLAGS_test := -fuse-ld=gold
ALL_LDFLAGS   = $(LDFLAGS_$(MODE)) $(LDFLAGS)
LIBS    := -luring -lnng -lmicrohttpd -lsodium -llz4 -lzstd -lcyaml -lyaml -ljansson -lpq -lhiredis -lev -lstdc++ -lpthread -lm
LIBS_zonectl := -lcurl
LIBS_persist := -lcurl

# Sources by folder. Everything but main.c of a process is a library, so that tests can link it.
PROCESSES := gateway zone persist matchmaker
lib_src    = $(filter-out %/main.c %/example.c,$(wildcard $(1)/*.c))
lib_obj    = $(patsubst %.c,$(OUT)/%.o,$(call lib_src,$(1)))
FBS       := $(wildcard schemas/*.fbs)
FBS_HDRS  := $(patsubst schemas/%.fbs,$(OUT)/gen/%_generated.h,$(FBS))
WIRE_OBJ  := $(patsubst %.cc,$(OUT)/%.o,$(wildcard schemas/*.cc))

COMMON    := $(OUT)/libcommon.a
SCHEMAS   := $(OUT)/libschemas.a
GATEWAY   := $(OUT)/libgateway.a
ZONE      := $(OUT)/libzone.a
PERSIST   := $(OUT)/libpersist.a
MATCHMAKER := $(OUT)/libmatchmaker.a
CLIENT    := $(OUT)/libclient.a
SWARM     := $(OUT)/libswarm.a
TOOLLIB   := $(OUT)/libzonectl.a
QUEUESIM  := $(OUT)/libqueuesim.a
FIXTURES  := $(OUT)/libfixtures.a
ALL_LIBS  := $(QUEUESIM) $(GATEWAY) $(ZONE) $(MATCHMAKER) $(SWARM) $(TOOLLIB) $(PERSIST) $(CLIENT) $(SCHEMAS) $(COMMON)

UNIT_BINS  := $(patsubst tests/unit/%.c,$(OUT)/tests/%,$(wildcard tests/unit/test_*.c))
BENCH_BINS := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(wildcard tests/bench/bench_*.c))
FUZZ_BINS  := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
BINS       := $(addprefix $(OUT)/bin/,$(PROCESSES) zonectl swarm queuesim example)

.PHONY: help all build deps fmt lint
.DEFAULT_GOAL := help
.SECONDARY: # keep objects and generated headers

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 20

build: $(BINS) ## build every program into build/$(MODE)/bin

deps: ## install the Debian packages that are missing
	@tools/deps.sh $(PACKAGES)

fmt: deps ## format every C and C++ source
	@find $(wildcard common schemas gateway zone matchmaker persist tools tests) -name '*.[ch]' -o -name '*.cc' | xargs -P$(JOBS) -n16 clang-format -i

lint: deps ## formatting, headers alone, direction of includes, cppcheck, shellcheck
	@CC="$(CC)" JOBS=$(JOBS) tools/lint.sh

# --- objects, libraries, programs

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

$(OUT)/%.o: %.cc $(FBS_HDRS)
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CXX) $(CPPFLAGS) $(ALL_CXXFLAGS) -c $< -o $@

$(OUT)/gen/%_generated.h: schemas/%.fbs
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(FLATC) --cpp --scoped-enums -o $(@D) $<

# The numbered SQL files become a table of strings in the library of persist.
SQL_FILES := $(sort $(wildcard schemas/sql/*.sql))
%/gen/migrations.c: tools/embed_sql.sh $(SQL_FILES)
	@mkdir -p $(@D)
	$(Q)echo "  $@" && tools/embed_sql.sh $(SQL_FILES) > $@
# The document of the front door becomes a string in the library of the matchmaker.
%/gen/openapi.c: tools/embed_text.sh schemas/openapi.yaml
	@mkdir -p $(@D)
	$(Q)echo "  $@" && tools/embed_text.sh matchmaker/openapi.h OPENAPI_YAML schemas/openapi.yaml > $@
$(OUT)/gen/migrations.o $(OUT)/gen/openapi.o: %.o: %.c
	$(Q)echo "  $@" && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

AR_ := $(if $(filter release,$(MODE)),gcc-ar,ar)
define library
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)echo "  $@" && $(AR_) rcs $@ $^
endef
$(COMMON): $(call lib_obj,common); $(library)
$(SCHEMAS): $(call lib_obj,schemas) $(WIRE_OBJ); $(library)
$(GATEWAY): $(call lib_obj,gateway); $(library)
$(ZONE): $(call lib_obj,zone); $(library)
$(PERSIST): $(call lib_obj,persist) $(OUT)/gen/migrations.o; $(library)
$(MATCHMAKER): $(call lib_obj,matchmaker) $(OUT)/gen/openapi.o; $(library)
$(CLIENT): $(call lib_obj,tools/client) ; $(library)
$(SWARM): $(call lib_obj,tools/swarm); $(library)
$(TOOLLIB): $(call lib_obj,tools/zonectl); $(library)
$(QUEUESIM): $(call lib_obj,tools/queuesim); $(library)
# What several unit tests and benchmarks share: whatever in tests/unit is not a test itself.
$(FIXTURES): $(patsubst %.c,$(OUT)/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))); $(library)

define program
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) $(LIBS_$(@F)) -o $@
endef
$(OUT)/bin/gateway: $(OUT)/gateway/main.o $(GATEWAY) $(SCHEMAS) $(COMMON); $(program)
$(OUT)/bin/zone: $(OUT)/zone/main.o $(ZONE) $(SCHEMAS) $(COMMON); $(program)
$(OUT)/bin/persist: $(OUT)/persist/main.o $(PERSIST) $(SCHEMAS) $(COMMON); $(program)
$(OUT)/bin/matchmaker: $(OUT)/matchmaker/main.o $(MATCHMAKER) $(SCHEMAS) $(COMMON); $(program)
$(OUT)/bin/zonectl: $(OUT)/tools/zonectl/main.o $(TOOLLIB) $(PERSIST) $(MATCHMAKER) $(SCHEMAS) $(COMMON); $(program)
$(OUT)/bin/swarm: $(OUT)/tools/swarm/main.o $(SWARM) $(CLIENT) $(SCHEMAS) $(COMMON); $(program)
$(OUT)/bin/queuesim: $(OUT)/tools/queuesim/main.o $(QUEUESIM) $(MATCHMAKER) $(COMMON); $(program)
$(OUT)/tools/client/example.o: CPPFLAGS += -Itools/client
$(OUT)/bin/example: $(OUT)/tools/client/example.o $(CLIENT) $(SCHEMAS) $(COMMON); $(program)
$(OUT)/tests/%: $(OUT)/tests/unit/%.o $(FIXTURES) $(ALL_LIBS)
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -lcurl -lcmocka -o $@
$(OUT)/tests/fake_member: $(OUT)/tests/system/fake_member.o $(SCHEMAS) $(COMMON) # a stand-in in system tests
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@
$(OUT)/bench/%: $(OUT)/tests/bench/%.o $(FIXTURES) $(ALL_LIBS)
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -lcurl -o $@

# The client library as it ships: one relocatable object with all it needs of common/, in which only march_* is global.
PREFIX     ?= /usr/local
CLIENT_API := $(shell sed -n 's/^\#define MARCH_CLIENT_API *\([0-9]*\).*/\1/p' tools/client/marchland.h)
VERSION    := $(shell sed -n 's/^\#define MARCH_VERSION "\(.*\)"/\1/p' common/version.h)
SHIP       := $(OUT)/ship
SHIP_SO    := libmarchland-client.so.$(CLIENT_API)
.PHONY: client-lib install
client-lib: $(SHIP)/libmarchland-client.a $(SHIP)/$(SHIP_SO) ## the client library, static and shared, in build/$(MODE)/ship
$(SHIP)/marchland-client.o: $(call lib_obj,tools/client) $(COMMON)
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CC) -r -nostdlib -u march_error_text $(if $(filter release,$(MODE)),-O3 -flto=auto -flinker-output=nolto-rel) $^ -o $@
	objcopy --wildcard --keep-global-symbol='march_*' $@
$(SHIP)/libmarchland-client.a: $(SHIP)/marchland-client.o; $(library)
$(SHIP)/$(SHIP_SO): $(SHIP)/marchland-client.o
	$(Q)echo "  $@" && $(CC) -shared $(LDFLAGS) -Wl,-soname,$(SHIP_SO) -Wl,--no-undefined $^ -lsodium -lm -o $@
install: client-lib ## install the client library's header, libraries and pkg-config file under PREFIX (/usr/local)
	install -D -m 644 tools/client/marchland.h $(DESTDIR)$(PREFIX)/include/marchland.h
	install -D -m 644 $(SHIP)/libmarchland-client.a $(DESTDIR)$(PREFIX)/lib/libmarchland-client.a
	install -D -m 755 $(SHIP)/$(SHIP_SO) $(DESTDIR)$(PREFIX)/lib/$(SHIP_SO)
	ln -sf $(SHIP_SO) $(DESTDIR)$(PREFIX)/lib/libmarchland-client.so
	@mkdir -p $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' tools/client/marchland-client.pc.in \
		> $(DESTDIR)$(PREFIX)/lib/pkgconfig/marchland-client.pc

# Fuzzers are built by clang from the sources, so that coverage reaches into the libraries.
FUZZ_CFLAGS := -std=c17 -O1 -g -D_GNU_SOURCE -I. -Ibuild/fuzz/gen -I$(PQ_INCLUDE) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
# Of persist and zonectl only what a fuzzer reaches, which is little of them; a fuzzer that needs more does not link.
FUZZ_PERSIST := $(wildcard persist/ledger*.c) persist/journal_format.c
FUZZ_ZONECTL := tools/zonectl/map_source.c
# Nor is most of the shells and of the matchmaker within reach of one.
FUZZ_LEFT_OUT := $(addprefix common/,bus.c bus_connector.c bus_stream.c http.c http_desk.c metric% map_file.c) \
	$(addprefix gateway/,gateway.c io% drain.c downstream.c matches.c routing.c session.c transfer.c upstream.c) \
	$(addprefix zone/,book.c crossing.c handoff% registrar.c reporter.c server.c setup.c) \
	$(addprefix matchmaker/,desk% front.c front_matches.c front_parties.c front_sessions.c front_tickets.c front_waits.c gates.c hall.c \
	instance_api.c instances% links.c matchmaker.c operator_api.c placement.c queue% status.c tells.c)
FUZZ_SRC    := $(filter-out $(FUZZ_LEFT_OUT),$(foreach d,common schemas gateway zone matchmaker tools/client,$(call lib_src,$(d)))) \
	$(FUZZ_PERSIST) $(FUZZ_ZONECTL)
FUZZ_OBJ    := $(patsubst %.c,build/fuzz/%.o,$(FUZZ_SRC)) $(patsubst %.cc,build/fuzz/%.o,$(wildcard schemas/*.cc))
build/fuzz/libfuzzed.a: $(FUZZ_OBJ); $(library)
build/fuzz/gen/%_generated.h: schemas/%.fbs
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(FLATC) --cpp --scoped-enums -o $(@D) $<
build/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CLANG) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@
build/fuzz/%.o: %.cc $(patsubst schemas/%.fbs,build/fuzz/gen/%_generated.h,$(FBS))
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CLANG)++ $(filter-out -std=c17,$(FUZZ_CFLAGS)) -std=c++17 -fno-exceptions -fno-rtti -MMD -MP -c $< -o $@
build/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o build/fuzz/libfuzzed.a
	$(Q)echo "  $@" && $(CLANG)++ -fsanitize=fuzzer,address,undefined $^ $(LIBS) -o $@

# --- running

BOTS      ?= 200
RUN_DIR   ?= run
CONFIG    ?= deploy/config/cluster.yaml
CLIENTS   ?= 1000
DURATION  ?= 30
RATE      ?= 20
BEHAVIOUR ?= roam
.PHONY: run dev load-test monitor
run: deps ## install what is missing, build, run a cluster with BOTS bots and a live status until Ctrl-C
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@$(OUT)/bin/zonectl up --config $(CONFIG) --run-dir $(RUN_DIR) --bots $(BOTS)
dev: deps ## the same under ASan and UBSan with debug logs and 20 bots (BOTS=...): slow, but finds mistakes
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=test build
	@build/test/bin/zonectl up --config $(CONFIG) --run-dir $(RUN_DIR) --log-level debug \
		--bots $(if $(filter file,$(origin BOTS)),20,$(BOTS))
load-test: deps ## play CLIENTS bots for DURATION s at RATE inputs and snapshots/s against a private cluster, and report
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@tools/load_test.sh $(OUT)/bin $(CONFIG) $(CLIENTS) $(DURATION) $(RATE) $(BEHAVIOUR)
monitor: deps ## live status of the cluster that runs in RUN_DIR
	@$(MAKE) --no-print-directory $(OUT)/bin/zonectl >/dev/null
	@$(OUT)/bin/zonectl status --watch --run-dir $(RUN_DIR)

# --- tests

.PHONY: test test-unit test-model test-sim test-fuzz test-system
test: deps ## install what is missing, build and run every test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-determinism
	@$(MAKE) --no-print-directory test-model
	@$(MAKE) --no-print-directory test-sim
	@$(MAKE) --no-print-directory test-fuzz
	@$(MAKE) --no-print-directory test-system
UNIT_TIMEOUT_S ?= 120
# To clear the shadow of large allocations in place is cheaper than to map it anew.
UNIT_ASAN      ?= clear_shadow_mmap_threshold=1073741824
UNIT_JOBS      ?= $(shell expr 2 '*' $$(nproc)) # more than cores: many wait for sockets and servers
# Begun first, so that none of them is alone in the end.
UNIT_SLOW      := $(patsubst %,run-test_%,desk_random queuesim keep match_keep instances_random peers_value ledger queue_random \
	stream value_faults value sessions journal_recovery bus pg_faults \
	http_deferred reads motion value_shards)
test-unit: ## build and run the unit tests (MODE=test)
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=test build-unit
	@$(MAKE) --no-print-directory -j$(UNIT_JOBS) -k --output-sync=target MODE=test run-unit
.PHONY: build-unit run-unit
build-unit: $(UNIT_BINS)
run-unit: $(UNIT_SLOW) $(UNIT_BINS:$(OUT)/tests/%=run-%)
run-test_%: $(OUT)/tests/test_%
	@start=$$(date +%s); ASAN_OPTIONS=$(UNIT_ASAN) timeout $(UNIT_TIMEOUT_S) $< >$<.log 2>&1; \
		code=$$?; if [ $$code -eq 0 ]; then echo "ok      test_$* ($$(($$(date +%s) - start)) s)"; \
		else echo "FAILED  test_$*: exit code $$code"; cat $<.log; fi; exit $$code
# Of common/ and zone/ only what the simulation uses; what is missing does not link.
DETERMINISM_OBJ := $(patsubst %,$(OUT)/common/%.o,blocks check snapshot utf8) $(patsubst %.c,$(OUT)/%.o,$(wildcard zone/game*.c zone/sim*.c \
	zone/venues*.c) $(patsubst %,zone/%.c,arrivals budget departures entities ghosts grid input interest migration output record sightings territory view))
$(OUT)/determinism: $(OUT)/tests/unit/test_determinism.o $(DETERMINISM_OBJ) $(SCHEMAS)
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -lcmocka -o $@
.PHONY: test-determinism
test-determinism: ## the simulation gives the same hash at -O0, -O2 and -O3
	@for o in O0 O2 O3; do echo "== determinism -$$o"; \
		$(MAKE) --no-print-directory -j$(JOBS) MODE=$$o build/$$o/determinism && build/$$o/determinism || exit 1; done
test-model: ## spin searches the models of handoffs and leases in small bounds, and finds every planted fault
	@CC=$(CLANG) SPIN_JOBS=$(JOBS) tests/model/run.sh
.PHONY: model
model: deps ## the same in wide bounds: some minutes, and 8 GB of memory at most for each search
	@CC="$(CC)" SPIN_JOBS=$(JOBS) tests/model/run.sh --long
# Of the processes only what the simulation runs: what it makes up itself must not be linked beside it.
SIM_MODE  ?= O2
SIM_SEEDS ?= 2000
SIM_PARTS := $(wildcard tests/sim/*.c) $(wildcard zone/handoff*.c) $(patsubst %,zone/%.c,book view interest grid input) \
	$(patsubst %,gateway/%.c,transfer session compass index_pool) $(patsubst %,matchmaker/%.c,atlas atlas_balance atlas_begin atlas_plan) \
	$(patsubst %,persist/%.c,grants motion motion_flush motion_load motion_table pg_params)
SIM_OBJ   := $(patsubst %.c,$(OUT)/%.o,$(SIM_PARTS))
$(OUT)/sim: $(SIM_OBJ) $(SCHEMAS) $(COMMON)
	@mkdir -p $(@D)
	$(Q)echo "  $@" && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@
test-sim: ## SIM_SEEDS seeds of a whole cluster in one process, and every planted fault found
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=$(SIM_MODE) build/$(SIM_MODE)/sim
	@[ "$$(build/$(SIM_MODE)/sim --seeds 20 | tail -n 1)" = "$$(build/$(SIM_MODE)/sim --seeds 20 --jobs 2 | tail -n 1)" ] || \
		{ echo "FAILED  the same seeds give other runs"; exit 1; }
	@build/$(SIM_MODE)/sim --seeds $(SIM_SEEDS) --jobs $(JOBS)
	@$(MAKE) --no-print-directory MODE=$(SIM_MODE) run-sim-faults
.PHONY: sim run-sim-faults
run-sim-faults:
	@SIM_CC="$(CC) $(CPPFLAGS) $(ALL_CFLAGS)" SIM_OUT=$(OUT) SIM_LINK="$(SIM_OBJ) $(SCHEMAS) $(COMMON) $(LIBS)" JOBS=$(JOBS) tests/sim/faults.sh
sim: ## SEEDS seeds (100,000) of the same: some minutes; the first that fails prints its trace
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=$(SIM_MODE) build/$(SIM_MODE)/sim
	@build/$(SIM_MODE)/sim --seeds $(if $(filter file,$(origin SEEDS)),100000,$(SEEDS)) --jobs $(JOBS)
FUZZ_SECONDS ?= 2
test-fuzz: ## run every fuzzer for FUZZ_SECONDS over its kept corpus
	@$(MAKE) --no-print-directory -j$(JOBS) --output-sync=target $(FUZZ_BINS:build/fuzz/%=run-%)
run-fuzz_%: build/fuzz/fuzz_%
	@echo "== fuzz_$*"; mkdir -p build/fuzz/found/fuzz_$* tests/fuzz/corpus/fuzz_$*
	@$< -max_total_time=$(FUZZ_SECONDS) -timeout=5 -print_final_stats=0 -verbosity=0 -artifact_prefix=build/fuzz/ \
		build/fuzz/found/fuzz_$* tests/fuzz/corpus/fuzz_$*

# System tests run real processes, found by MARCH_BIN_DIR; SYSTEM_MODE=release tests what is shipped.
SYSTEM_MODE ?= test
PYTEST_ARGS ?=
SYSTEM_JOBS ?= $(shell expr 2 '*' $$(nproc)) # at once: they wait more than they work
# Their folders lie in memory where there are 4 GiB free, for the thousands of small files of database servers; and have short
# names, as the path of a socket must.
SYSTEM_ROOT ?= $(shell [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -1)" -ge 4194304 ] 2>/dev/null && echo /dev/shm || echo /tmp)
test-system: ## run the system tests by pytest against the programs of SYSTEM_MODE
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=$(SYSTEM_MODE) build build/$(SYSTEM_MODE)/tests/fake_member
	@base=$$(mktemp -d $(SYSTEM_ROOT)/mtXXXXXX) || exit 1; \
		MARCH_BIN_DIR=$(CURDIR)/build/$(SYSTEM_MODE)/bin $(PYTEST) -q -p no:cacheprovider -n $(SYSTEM_JOBS) --dist=loadgroup \
		--basetemp=$$base/t $(PYTEST_ARGS) tests/system; \
		code=$$?; [ $$code -eq 0 ] && rm -rf $$base || echo "folders of failed tests are kept in $$base"; exit $$code

# Bots play while everything around them is killed, stopped and cut off, by a schedule that a seed draws.
SEEDS         ?= 20
CHAOS_SECONDS ?= 60
CHAOS_MODE    ?= dev
.PHONY: chaos
chaos: deps ## the ledger test over seeds 1 to SEEDS, CHAOS_SECONDS of faults each; a seed that fails is printed and kept
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=$(CHAOS_MODE) build
	@MARCH_BIN_DIR=$(CURDIR)/build/$(CHAOS_MODE)/bin /usr/bin/python3 tests/system/chaos.py --seeds $(SEEDS) --seconds $(CHAOS_SECONDS)

# Bots walk across borders while each kind of process is killed, or stopped for a while, in each phase of handoffs and drains.
KILLS ?= 30
.PHONY: kills
kills: deps ## at least KILLS kills of each kind of process at named steps, and stops: twenty minutes, then a table
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=test build
	@MARCH_BIN_DIR=$(CURDIR)/build/test/bin /usr/bin/python3 tests/system/kills.py --kills $(KILLS)

# --- measuring

# A release build is profile-guided: built once to record a load, then again to use what was recorded.
PGO_CLIENTS ?= 500
PGO_SECONDS ?= 10
PGO         ?= -fprofile-use -fprofile-correction -fprofile-partial-training -Wno-missing-profile
.PHONY: release bench perf-check profile-cpu profile-mem
release: deps ## -O3, LTO, profile-guided from a recorded load, into build/release
	@rm -rf build/release
	$(MAKE) --no-print-directory -j$(JOBS) MODE=release PGO="-fprofile-generate -fprofile-update=prefer-atomic" build
	/usr/bin/python3 tests/bench/record_load.py --clients $(PGO_CLIENTS) --seconds $(PGO_SECONDS)
	@find build/release -name '*.o' -delete -o -name '*.a' -delete; rm -rf build/release/bin
	$(MAKE) --no-print-directory -j$(JOBS) MODE=release build
run-bench: $(BENCH_BINS)
	@/usr/bin/python3 tests/bench/bench.py --mode $(MODE) $(BENCH_ARGS)
bench: release ## every benchmark: a table, build/bench/results.json and a plot
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=release run-bench
perf-check: release ## the benchmarks in short; fails when a figure misses its target
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=release run-bench BENCH_ARGS="--seconds 20 --check"
profile-cpu: deps ## where the gateway and a zone spend their time under load
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=dev build
	@/usr/bin/python3 tests/bench/profile.py cpu
profile-mem: deps ## what memory the processes hold, idle and under load
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=dev build
	@/usr/bin/python3 tests/bench/profile.py mem

clean: ## remove what was built
	rm -rf build

# Only of what is built here: another make may be writing the others.
-include $(shell find $(OUT) $(if $(findstring fuzz,$(MAKECMDGOALS)),build/fuzz) -name '*.d' 2>/dev/null)
