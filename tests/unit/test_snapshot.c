/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Round trips, and inputs that no writer made: each is refused, or is what a writer would make. */
#include <errno.h>
#include <sys/mman.h>

#include "tests/unit/snapshot_samples.h"
#include "tests/unit/suite.h"

static void write_sample(enum snapshot_section section, struct snapshot_bytes *ret)
{
	CLEANUP(alg_table_freep) struct alg_table *table = NULL;
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(sa_list_freep) struct sa_list *keys = NULL;

	switch (section) {
	case SECTION_ALGORITHMS:
		table = sample_algorithms();
		ck_assert_int_eq(snapshot_write_algorithms(table, ret), 0);
		break;
	case SECTION_POLICY:
		spd = sample_policy(SPD_FIRST_MATCH);
		ck_assert_int_eq(snapshot_write_policy(spd, ret), 0);
		break;
	case SECTION_KEYS:
		keys = sample_keys();
		ck_assert_int_eq(snapshot_write_keys(keys, ret), 0);
		break;
	}
}

/* Read, and write again what was read. */
static int rewrite(
	enum snapshot_section section, const uint8_t *bytes, size_t len, struct snapshot_bytes *ret)
{
	CLEANUP(alg_table_freep) struct alg_table *table = NULL;
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(sa_list_freep) struct sa_list *keys = NULL;
	int r = -EINVAL;

	switch (section) {
	case SECTION_ALGORITHMS:
		r = snapshot_read_algorithms(bytes, len, &table);
		return r < 0 ? r : snapshot_write_algorithms(table, ret);
	case SECTION_POLICY:
		r = snapshot_read_policy(bytes, len, &spd);
		return r < 0 ? r : snapshot_write_policy(spd, ret);
	case SECTION_KEYS:
		r = snapshot_read_keys(bytes, len, &keys);
		return r < 0 ? r : snapshot_write_keys(keys, ret);
	}
	return r;
}

/* A copy of its exact size, so that a sanitizer sees a read behind its end. */
static int try_exact(enum snapshot_section section, const uint8_t *bytes, size_t len)
{
	CLEANUP(freep) uint8_t *copy = malloc(len ? len : 1);
	CLEANUP(snapshot_bytes_done) struct snapshot_bytes again = { 0 };
	int r;

	ck_assert_ptr_nonnull(copy);
	if (len)
		memcpy(copy, bytes, len);
	r = rewrite(section, copy, len, &again);
	if (r == 0) {
		ck_assert_uint_eq(again.len, len);
		ck_assert_mem_eq(again.bytes, bytes, len);
	} else {
		ck_assert_msg(r == -EBADMSG || r == -EPROTONOSUPPORT, "%d", r);
	}
	return r;
}

START_TEST(round_trip)
{
	enum snapshot_section section = (enum snapshot_section)_i;
	CLEANUP(snapshot_bytes_done) struct snapshot_bytes snap = { 0 };
	uint8_t hash[MEMFD_HASH_BYTES];

	write_sample(section, &snap);
	ck_assert_int_eq(snap.secret, section == SECTION_KEYS);
	ck_assert_int_eq(try_exact(section, snap.bytes, snap.len), 0);
	ck_assert_int_eq(memfd_hash(snap.bytes, snap.len, hash), 0);
	ck_assert_mem_eq(hash, snap.hash, sizeof(hash));
}
END_TEST

START_TEST(truncations_are_refused)
{
	enum snapshot_section section = (enum snapshot_section)_i;
	CLEANUP(snapshot_bytes_done) struct snapshot_bytes snap = { 0 };
	CLEANUP(freep) uint8_t *longer = NULL;

	write_sample(section, &snap);
	for (size_t len = 0; len < snap.len; len++)
		ck_assert_int_eq(try_exact(section, snap.bytes, len), -EBADMSG);
	longer = calloc(1, snap.len + 1);
	ck_assert_ptr_nonnull(longer);
	memcpy(longer, snap.bytes, snap.len);
	ck_assert_int_eq(try_exact(section, longer, snap.len + 1), -EBADMSG);
}
END_TEST

START_TEST(changed_bytes_are_refused_or_mean_something)
{
	static const uint8_t changes[] = { 0x01, 0x02, 0x04, 0x10, 0x40, 0x80, 0x7f, 0xff };
	enum snapshot_section section = (enum snapshot_section)_i;
	CLEANUP(snapshot_bytes_done) struct snapshot_bytes snap = { 0 };
	size_t refused = 0;

	write_sample(section, &snap);
	for (size_t i = 0; i < snap.len; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(changes); k++) {
			snap.bytes[i] ^= changes[k];
			refused += try_exact(section, snap.bytes, snap.len) < 0;
			snap.bytes[i] ^= changes[k];
		}
	}
	/* At the least the header and every count, enum and length refuse. */
	ck_assert_uint_gt(refused, snap.len);
}
END_TEST

/* Offsets into the header: magic, version, section, count, argument. */
static const struct {
	const char *name;
	size_t at;
	uint8_t value;
	int want;
} headers[] = {
	{ "as it is", 0, 'N', 0 },
	{ "another magic", 0, 'M', -EBADMSG },
	{ "another version", 4, 0x7f, -EPROTONOSUPPORT },
	{ "another section", 6, 9, -EBADMSG },
	{ "one record more", 8, 9, -EBADMSG },
	{ "one record less", 8, 1, -EBADMSG },
	{ "more records than bytes", 11, 0xff, -EBADMSG },
	{ "an argument out of range", 13, 7, -EBADMSG },
};

START_TEST(headers_are_checked)
{
	for (size_t s = 0; s < SNAPSHOT_SECTIONS; s++) {
		CLEANUP(snapshot_bytes_done) struct snapshot_bytes snap = { 0 };

		write_sample((enum snapshot_section)s, &snap);
		snap.bytes[headers[_i].at] = headers[_i].value;
		ck_assert_msg(try_exact((enum snapshot_section)s, snap.bytes, snap.len) ==
				      headers[_i].want,
			"%s, section %zu", headers[_i].name, s);
	}
}
END_TEST

/* What is written of the execution is read; what cannot be written is refused. */
START_TEST(execution_survives)
{
	static const struct alg_execution executions[] = {
		{ .ah_async = false, .esp_async = true, .cpu_percent = 100 },
		{ .ah_async = true, .esp_async = false, .cpu_percent = 1 },
		{ .ah_async = false, .esp_async = false, .cpu_percent = 37 },
		{ .ah_async = true, .esp_async = true, .cpu_percent = 0 },
		{ .ah_async = true, .esp_async = true, .cpu_percent = 101 },
	};
	const struct alg_execution *want = &executions[_i];
	CLEANUP(alg_table_freep) struct alg_table *table = sample_algorithms(), *again = NULL;
	CLEANUP(snapshot_bytes_done) struct snapshot_bytes snap = { 0 };
	bool stands = want->cpu_percent >= 1 && want->cpu_percent <= 100;

	table->execution = *want;
	ck_assert_int_eq(snapshot_write_algorithms(table, &snap), 0);
	ck_assert_int_eq(
		snapshot_read_algorithms(snap.bytes, snap.len, &again), stands ? 0 : -EBADMSG);
	if (!stands)
		return;
	ck_assert(again->execution.ah_async == want->ah_async);
	ck_assert(again->execution.esp_async == want->esp_async);
	ck_assert_uint_eq(again->execution.cpu_percent, want->cpu_percent);
}
END_TEST

START_TEST(ids_and_order_survive)
{
	enum spd_precedence precedence = (enum spd_precedence)_i;
	CLEANUP(spd_freep) struct spd *spd = sample_policy(precedence);
	CLEANUP(spd_freep) struct spd *again = NULL;
	CLEANUP(snapshot_bytes_done) struct snapshot_bytes snap = { 0 };

	ck_assert_int_eq(snapshot_write_policy(spd, &snap), 0);
	ck_assert_int_eq(snapshot_read_policy(snap.bytes, snap.len, &again), 0);
	ck_assert_int_eq(again->precedence, precedence);
	ck_assert_uint_eq(again->count, spd->count);
	ck_assert_uint_eq(again->n_audit, 2);
	for (size_t i = 0; i < spd->n_audit; i++) {
		ck_assert(again->audit[i]->audit);
		ck_assert_uint_eq(again->audit[i]->id, spd->audit[i]->id);
		ck_assert_str_eq(spd_source(again, again->audit[i]), "site fragment");
	}
	ck_assert_str_eq(spd_source(again, again->rules[0]), "/etc/inet/ipsecinit.conf");
	for (size_t i = 0; i < spd->count; i++) {
		ck_assert_uint_eq(again->rules[i]->id, spd->rules[i]->id);
		ck_assert_uint_eq(again->rules[i]->line, spd->rules[i]->line);
		ck_assert_str_eq(again->rules[i]->tunnel, spd->rules[i]->tunnel);
		ck_assert(selector_equal(&again->rules[i]->selector, &spd->rules[i]->selector));
		ck_assert_uint_eq(again->rules[i]->n_actions, spd->rules[i]->n_actions);
		for (size_t k = 0; k < spd->rules[i]->n_actions; k++)
			ck_assert(action_equal(
				&again->rules[i]->actions[k], &spd->rules[i]->actions[k]));
	}
}
END_TEST

START_TEST(rules_out_of_order_are_refused)
{
	CLEANUP(spd_freep) struct spd *spd = sample_policy(SPD_FIRST_MATCH);
	CLEANUP(spd_freep) struct spd *again = NULL;
	CLEANUP(snapshot_bytes_done) struct snapshot_bytes snap = { 0 };
	struct rule *first = spd->rules[0];

	spd->rules[0] = spd->rules[spd->count - 1];
	spd->rules[spd->count - 1] = first;
	ck_assert_int_eq(snapshot_write_policy(spd, &snap), 0);
	ck_assert_int_eq(snapshot_read_policy(snap.bytes, snap.len, &again), -EBADMSG);
	ck_assert_ptr_null(again);
}
END_TEST

/* What a label, a range or a flag may not be. */
START_TEST(odd_rules_are_refused)
{
	CLEANUP(spd_freep) struct spd *spd = sample_policy(SPD_FIRST_MATCH);
	CLEANUP(spd_freep) struct spd *again = NULL;
	CLEANUP(snapshot_bytes_done) struct snapshot_bytes snap = { 0 };

	switch (_i) {
	case 0:
		spd->sources[0][1] = '\n';
		break;
	case 1:
		spd->audit[0]->selector.local_port_last = spd->audit[0]->selector.local_port;
		break;
	case 2:
		spd->audit[0]->selector.remote_port_last = 7; /* from any port to seven */
		break;
	default:
		spd->rules[0]->audit = true; /* out of place */
		break;
	}
	ck_assert_int_eq(snapshot_write_policy(spd, &snap), 0);
	ck_assert_int_eq(snapshot_read_policy(snap.bytes, snap.len, &again), -EBADMSG);
	spd->rules[0]->audit = false;
}
END_TEST

START_TEST(keys_survive)
{
	CLEANUP(sa_list_freep) struct sa_list *list = sample_keys();
	CLEANUP(sa_list_freep) struct sa_list *again = NULL;
	CLEANUP(snapshot_bytes_done) struct snapshot_bytes snap = { 0 };

	ck_assert_int_eq(snapshot_write_keys(list, &snap), 0);
	ck_assert_int_eq(snapshot_read_keys(snap.bytes, snap.len, &again), 0);
	ck_assert_uint_eq(again->count, list->count);
	for (size_t i = 0; i < list->count; i++) {
		ck_assert(sa_equal(again->sas[i], list->sas[i]));
		ck_assert_int_eq(again->sas[i]->state, list->sas[i]->state);
		ck_assert_int_eq(again->sas[i]->origin, list->sas[i]->origin);
	}
}
END_TEST

START_TEST(one_record_stands_alone)
{
	CLEANUP(sa_freep) struct sa *sa = sample_tunnel_sa(0x1234);
	CLEANUP(sa_freep) struct sa *again = NULL;
	uint8_t buffer[SNAPSHOT_SA_MAX_BYTES], bytes[SECRET_MAX_BYTES] = { 1 };
	char name[SA_IDENTITY_MAX];
	size_t len;

	ck_assert_int_eq(snapshot_write_sa(sa, buffer, sizeof(buffer), &len), 0);
	ck_assert_int_eq(snapshot_read_sa(buffer, len, &again), 0);
	ck_assert(sa_equal(sa, again));
	again = sa_free(again);
	ck_assert_int_eq(snapshot_read_sa(buffer, len - 1, &again), -EBADMSG);
	ck_assert_int_eq(snapshot_read_sa(buffer, len + 1, &again), -EBADMSG);
	ck_assert_int_eq(snapshot_write_sa(sa, buffer, len - 1, &len), -EFBIG);
	/* The largest there is fits the promise. */
	sa->encr_key = secret_unref(sa->encr_key);
	ck_assert_int_eq(secret_new(bytes, sizeof(bytes), &sa->encr_key), 0);
	ck_assert_int_eq(secret_new(bytes, sizeof(bytes), &sa->auth_key), 0);
	sa->src = sa->dst = sa->natt_local = sa->natt_remote = sample_address("2001:db8::1");
	sa->inner_src = sa->inner_dst = sample_prefix("2001:db8::1", 128);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(sa_set_identity(&sa->identity_src, 2, UINT64_MAX, name), 0);
	ck_assert_int_eq(sa_set_identity(&sa->identity_dst, 2, UINT64_MAX, name), 0);
	ck_assert_int_eq(snapshot_write_sa(sa, buffer, sizeof(buffer), &len), 0);
	ck_assert_int_eq(snapshot_read_sa(buffer, len, &again), 0);
	ck_assert(sa_equal(sa, again));
}
END_TEST

/* One invariant of the model broken in each row. */
static void break_nothing(struct sa *sa)
{
	(void)sa;
}
static void break_spi(struct sa *sa)
{
	sa->spi = 0;
}
static void break_destination(struct sa *sa)
{
	sa->dst = (struct address){ 0 };
}
static void break_mode(struct sa *sa)
{
	sa->mode = SA_MODE_TRANSPORT; /* with inner addresses */
}
static void break_inner(struct sa *sa)
{
	sa->inner_src = (struct prefix){ 0 };
}
static void break_families(struct sa *sa)
{
	sa->inner_src = sample_prefix("2001:db8::", 32);
}
static void break_flags(struct sa *sa)
{
	sa->flags = 0x80;
}
static void break_state(struct sa *sa)
{
	sa->state = 9;
}
static void break_directions(struct sa *sa)
{
	sa->directions = 4;
}
static void break_key_size(struct sa *sa)
{
	sa->encr_key_bits = 288; /* and a salt of 32 behind it, in 288 bits of key */
}
static void break_host_bits(struct sa *sa)
{
	sa->inner_dst.addr.bytes[3] = 1;
}

static const struct {
	const char *name;
	void (*act)(struct sa *sa);
	int want;
} breaks[] = {
	{ "nothing", break_nothing, 0 },
	{ "SPI zero", break_spi, -EBADMSG },
	{ "no destination", break_destination, -EBADMSG },
	{ "inner addresses in transport mode", break_mode, -EBADMSG },
	{ "tunnel mode without an inner address", break_inner, -EBADMSG },
	{ "inner addresses of two families", break_families, -EBADMSG },
	{ "unknown flag", break_flags, -EBADMSG },
	{ "unknown state", break_state, -EBADMSG },
	{ "unknown direction", break_directions, -EBADMSG },
	{ "more key bits than bytes", break_key_size, -EBADMSG },
	{ "host bits in a prefix", break_host_bits, -EBADMSG },
};

START_TEST(invariants_hold)
{
	CLEANUP(sa_freep) struct sa *sa = sample_tunnel_sa(0x1234);
	CLEANUP(sa_freep) struct sa *again = NULL;
	uint8_t buffer[SNAPSHOT_SA_MAX_BYTES];
	size_t len;

	breaks[_i].act(sa);
	ck_assert_int_eq(snapshot_write_sa(sa, buffer, sizeof(buffer), &len), 0);
	ck_assert_msg(
		snapshot_read_sa(buffer, len, &again) == breaks[_i].want, "%s", breaks[_i].name);
}
END_TEST

START_TEST(sealed_and_named)
{
	CLEANUP(snapshot_bytes_done) struct snapshot_bytes snap = { 0 };
	struct memfd_view view;
	enum snapshot_section section;
	CLEANUP(fd_closep) int fd = -1;

	write_sample((enum snapshot_section)_i, &snap);
	ck_assert_int_eq(snapshot_seal(&snap, (enum snapshot_section)_i, &fd), 0);
	ck_assert_int_eq(memfd_map(fd, SNAPSHOT_MAX_BYTES, &view), 0);
	ck_assert_uint_eq(view.len, snap.len);
	ck_assert_mem_eq(view.bytes, snap.bytes, snap.len);
	memfd_unmap(&view);
	ck_assert_int_eq(
		snapshot_section_parse(snapshot_section_name((enum snapshot_section)_i), &section),
		0);
	ck_assert_int_eq(section, _i);
	ck_assert_int_eq(snapshot_section_parse("polic", &section), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *tc = tcase_create("snapshot");

	tcase_set_timeout(tc, 100);
	tcase_add_loop_test(tc, round_trip, 0, SNAPSHOT_SECTIONS);
	tcase_add_loop_test(tc, truncations_are_refused, 0, SNAPSHOT_SECTIONS);
	tcase_add_loop_test(tc, changed_bytes_are_refused_or_mean_something, 0, SNAPSHOT_SECTIONS);
	tcase_add_loop_test(tc, headers_are_checked, 0, ARRAY_SIZE(headers));
	tcase_add_loop_test(tc, execution_survives, 0, 5);
	tcase_add_loop_test(tc, ids_and_order_survive, 0, 2);
	tcase_add_test(tc, rules_out_of_order_are_refused);
	tcase_add_loop_test(tc, odd_rules_are_refused, 0, 4);
	tcase_add_test(tc, keys_survive);
	tcase_add_test(tc, one_record_stands_alone);
	tcase_add_loop_test(tc, invariants_hold, 0, ARRAY_SIZE(breaks));
	tcase_add_loop_test(tc, sealed_and_named, 0, SNAPSHOT_SECTIONS);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
