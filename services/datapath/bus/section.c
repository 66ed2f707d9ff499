/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/bus/section.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon/keys_door.h"
#include "common/daemon/log.h"
#include "services/datapath/bus/section_check.h"
#include "services/datapath/bus/section_parts.h"
#include "services/datapath/lid/lid_store.h"

#define PATH_BYTES 256

static enum publish_verdict say(struct text *why, enum publish_verdict verdict, const char *text)
{
	text_add(why, text);
	return verdict;
}

static enum publish_verdict bad_bytes(struct text *why, int error)
{
	if (error == -ENOMEM)
		return say(why, PUBLISH_FAULT, "out of memory");
	if (error == -EPROTONOSUPPORT)
		return say(why, PUBLISH_BAD_SNAPSHOT, "snapshot of another version");
	return say(why, PUBLISH_BAD_SNAPSHOT, "the snapshot is damaged");
}

static enum publish_verdict apply_policy(struct sections *sections, const struct memfd_view *view,
	uint64_t generation, struct text *why)
{
	struct spd *spd = NULL;
	int r = snapshot_read_policy(view->bytes, view->len, &spd);

	if (r < 0)
		return bad_bytes(why, r);
	r = section_check_policy(spd, sections->algorithms, why);
	if (r < 0) {
		(void)spd_free(spd);
		return PUBLISH_INVALID;
	}
	r = plant_enforce(sections->plant, spd, generation);
	if (r == 0)
		return PUBLISH_OK;
	text_addf(why, "the kernel refused the rules: %s", strerror(-r));
	return PUBLISH_FAULT;
}

static enum publish_verdict apply_keys(
	struct sections *sections, const struct memfd_view *view, struct text *why)
{
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	int r = snapshot_read_keys(view->bytes, view->len, &list);

	if (r < 0)
		return bad_bytes(why, r);
	/* The first one of our life is no load: it only finds us again. */
	if (sections->sections[SECTION_KEYS].generation == 0)
		list->flush = false;
	r = sadb_apply_keys(sections->plant->sadb, list, why);
	if (r == 0)
		return PUBLISH_OK;
	if (why->len == 0)
		text_add(why, strerror(-r));
	return r == -ENOMEM || r == -EIO ? PUBLISH_FAULT : PUBLISH_INVALID;
}

static enum publish_verdict apply_algorithms(
	struct sections *sections, const struct memfd_view *view, struct text *why)
{
	struct alg_table *table = NULL;
	int r = snapshot_read_algorithms(view->bytes, view->len, &table);

	if (r < 0)
		return bad_bytes(why, r);
	/* What is in force stays in force: a table that lacks what rules ask for only bars new ones. */
	sadb_set_algorithms(sections->plant->sadb, table);
	alg_table_free(sections->algorithms);
	sections->algorithms = table;
	plant_set_execution(sections->plant, &table->execution);
	return PUBLISH_OK;
}

static enum publish_verdict apply(struct sections *sections, enum snapshot_section section,
	const struct memfd_view *view, uint64_t generation, struct text *why)
{
	switch (section) {
	case SECTION_ALGORITHMS:
		return apply_algorithms(sections, view, why);
	case SECTION_POLICY:
		return apply_policy(sections, view, generation, why);
	case SECTION_KEYS:
		return apply_keys(sections, view, why);
	}
	return PUBLISH_FAULT;
}

static enum publish_verdict publish_view(struct sections *sections, enum snapshot_section section,
	uint64_t generation, const struct memfd_view *view, struct text *why)
{
	struct section *now = &sections->sections[section];
	uint8_t hash[MEMFD_HASH_BYTES];
	enum publish_verdict verdict;

	if (memfd_hash(view->bytes, view->len, hash) < 0)
		return say(why, PUBLISH_FAULT, "the hash cannot be computed");
	if (now->generation && memcmp(hash, now->hash, sizeof(hash)) == 0) {
		if (section != SECTION_KEYS)
			return PUBLISH_SAME;
		/* The difference is one against the SAD: what was flushed or deleted comes back. */
		verdict = apply(sections, section, view, generation, why);
		return verdict == PUBLISH_OK ? PUBLISH_SAME : verdict;
	}
	if (generation <= now->generation) {
		text_addf(why,
			"generation %" PRIu64 " is not newer than %" PRIu64 ", which is in force",
			generation, now->generation);
		return PUBLISH_STALE;
	}
	verdict = apply(sections, section, view, generation, why);
	if (verdict != PUBLISH_OK)
		return verdict;
	now->generation = generation;
	memcpy(now->hash, hash, sizeof(hash));
	return PUBLISH_OK;
}

static void keep(struct section *now, int fd)
{
	if (now->kept)
		fd_closep(&now->fd);
	now->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	now->kept = now->fd >= 0;
}

enum publish_verdict section_publish(struct sections *sections, enum snapshot_section section,
	uint64_t generation, int fd, struct text *why)
{
	CLEANUP(memfd_unmap) struct memfd_view view = { 0 };
	uint64_t former = sections->sections[section].generation;
	enum publish_verdict verdict;
	int r = memfd_map(fd, SNAPSHOT_MAX_BYTES, &view);

	if (r < 0) {
		text_addf(why, "the snapshot cannot be read: %s",
			r == -EPERM ? "it is not sealed" : strerror(-r));
		return PUBLISH_BAD_SNAPSHOT;
	}
	verdict = publish_view(sections, section, generation, &view, why);
	/* SAs live in the arena; key bytes are kept nowhere else. */
	if (verdict == PUBLISH_OK && section != SECTION_KEYS) {
		keep(&sections->sections[section], fd);
		fdstore_put_section(section, generation, fd, former);
	}
	return verdict;
}

static void tell_unkept(const struct sections *sections, int error)
{
	if (error == 0 && sections->unkept)
		log_info("the next boot will know this policy");
	else if (error == -ESTALE && !sections->unkept)
		log_error("the next boot will hold a former policy: the disk cannot be changed");
	else if (error < 0 && !sections->unkept)
		log_warning("the next boot will not know this policy: %s", strerror(-error));
}

void section_keep_for_boot(struct sections *sections, enum snapshot_section section)
{
	CLEANUP(memfd_unmap) struct memfd_view view = { 0 };
	const struct section *now = &sections->sections[section];
	int r;

	if (section != SECTION_POLICY)
		return;
	if (!now->kept) {
		r = lid_store_forget();
	} else {
		r = memfd_map(now->fd, SNAPSHOT_MAX_BYTES, &view);
		if (r == 0)
			r = lid_store_keep(view.bytes, view.len);
	}
	tell_unkept(sections, r);
	sections->unkept = r < 0;
}

void sections_tick(struct sections *sections)
{
	if (sections->unkept && !sections->trials[SECTION_POLICY].active)
		section_keep_for_boot(sections, SECTION_POLICY);
}

enum publish_verdict sections_publish(struct sections *sections, enum snapshot_section section,
	uint64_t generation, int fd, struct text *why)
{
	enum publish_verdict verdict = section_publish(sections, section, generation, fd, why);

	if (verdict == PUBLISH_OK) {
		section_trial_end(sections, section);
		section_keep_for_boot(sections, section);
	}
	return verdict;
}

int section_apply_nothing(struct sections *sections, enum snapshot_section section)
{
	static const struct alg_execution unlimited = {
		.ah_async = true, .esp_async = true, .cpu_percent = ALG_CPU_ALL
	};
	CLEANUP(sa_list_freep) struct sa_list *none = NULL;
	CLEANUP(text_done) struct text why = { 0 };

	switch (section) {
	case SECTION_ALGORITHMS:
		sadb_set_algorithms(sections->plant->sadb, NULL);
		plant_set_execution(sections->plant, &unlimited);
		sections->algorithms = alg_table_free(sections->algorithms);
		return 0;
	case SECTION_POLICY:
		return plant_enforce(sections->plant, NULL, 0);
	case SECTION_KEYS:
		none = sa_list_new(0);
		return none ? sadb_apply_keys(sections->plant->sadb, none, &why) : -ENOMEM;
	}
	return -EINVAL;
}

int section_withdraw(struct sections *sections, enum snapshot_section section)
{
	struct section *now = &sections->sections[section];
	int r = section_apply_nothing(sections, section);

	if (r < 0)
		return r;
	fdstore_put_section(section, 0, -1, now->generation);
	keep(now, -1);
	*now = (struct section){ 0 };
	return 0;
}

int sections_withdraw(struct sections *sections, enum snapshot_section section)
{
	int r = section_withdraw(sections, section);

	if (r == 0) {
		section_trial_end(sections, section);
		section_keep_for_boot(sections, section);
	}
	return r;
}

/* A record that its publisher left for us; it is gone afterwards. */
static bool take_withdrawn(enum snapshot_section section)
{
	CLEANUP(freep) char *path = NULL;
	char plain[PATH_BYTES];

	if (text_fixed(plain, sizeof(plain), WITHDRAWN_DIR "/%s", snapshot_section_name(section)) <
			0 ||
		file_system_path(plain, &path) < 0)
		return false;
	return unlink(path) == 0;
}

/* Algorithms before policy, which is checked against them. */
static void restore_section(
	struct sections *sections, enum snapshot_section section, int fd, uint64_t generation)
{
	CLEANUP(memfd_unmap) struct memfd_view view = { 0 };
	CLEANUP(text_done) struct text why = { 0 };
	enum publish_verdict verdict = PUBLISH_BAD_SNAPSHOT;

	if (memfd_map(fd, SNAPSHOT_MAX_BYTES, &view) == 0)
		verdict = publish_view(sections, section, generation, &view, &why);
	if (verdict != PUBLISH_OK)
		log_warning("%s of a former life is not taken up: %s",
			snapshot_section_name(section), why.str ? why.str : "it is damaged");
	else if (section != SECTION_KEYS)
		keep(&sections->sections[section], fd);
}

int sections_restore(struct sections *sections, struct fdstore *store)
{
	static const enum snapshot_section order[] = { SECTION_ALGORITHMS, SECTION_POLICY,
		SECTION_KEYS };
	bool lifted = false;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(order) && r == 0; i++) {
		uint64_t generation = 0;
		CLEANUP(fd_closep) int fd = fdstore_take_section(store, order[i], &generation);

		if (take_withdrawn(order[i])) {
			r = section_apply_nothing(sections, order[i]);
			fdstore_put_section(order[i], 0, -1, generation);
			lifted |= order[i] == SECTION_POLICY;
			section_keep_for_boot(sections, order[i]);
		} else if (fd >= 0) {
			restore_section(sections, order[i], fd, generation);
			section_trial_restore(sections, order[i], store);
		}
	}
	/* A lid without its policy stays shut until the policy is published again. */
	if (r == 0 && !lifted && !sections->sections[SECTION_POLICY].generation &&
		!sections->plant->was_lidded)
		r = plant_enforce(sections->plant, NULL, 0);
	return r;
}

void sections_done(struct sections *sections)
{
	sections->algorithms = alg_table_free(sections->algorithms);
	for (size_t i = 0; i < SNAPSHOT_SECTIONS; i++) {
		keep(&sections->sections[i], -1);
		section_trial_drop(&sections->trials[i]);
	}
}
