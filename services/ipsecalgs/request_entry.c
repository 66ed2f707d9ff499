/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecalgs -a: from its options to the fields of an ALG line. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/netipsec/ipsecalgs.h"
#include "services/ipsecalgs/request_parts.h"

#define SIZES_MAX 64 /* in one list; a line of the file holds no more that makes sense */

/* Not NUL-terminated. */
struct part {
	const char *at;
	size_t len;
};

static bool part_number(struct part part, uint32_t max, uint32_t *ret)
{
	uint64_t number = 0;

	for (size_t i = 0; i < part.len; i++) {
		if (part.at[i] < '0' || part.at[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(part.at[i] - '0');
		if (number > max)
			return false;
	}
	*ret = (uint32_t)number;
	return number > 0;
}

int request_number(const char *text, const char *what, uint32_t max, uint32_t *ret)
{
	if (!part_number((struct part){ text, strlen(text) }, max, ret))
		return request_refuse("Invalid %s value", what);
	return 0;
}

/* The part before the next comma; `at` of @rest becomes NULL behind the last. */
static struct part next_part(struct part *rest)
{
	const char *comma = memchr(rest->at, ',', rest->len);
	struct part part = { rest->at, comma ? (size_t)(comma - rest->at) : rest->len };

	*rest = comma ? (struct part){ comma + 1, rest->len - part.len - 1 } : (struct part){ 0 };
	return part;
}

static uint32_t flag_of(struct part word)
{
	for (unsigned int bit = 0; bit < 32; bit++) {
		const char *name = ipsecalgs_flag_name(UINT32_C(1) << bit);

		if (name && strlen(name) == word.len && strncasecmp(name, word.at, word.len) == 0)
			return UINT32_C(1) << bit;
	}
	return 0;
}

int request_flags(const char *text, uint32_t *flags)
{
	struct part rest = { text, strlen(text) };
	uint32_t number;

	*flags |= IPSECALGS_FLAG_VALID;
	if (*text >= '0' && *text <= '9') {
		if (request_number(text, "flags", UINT32_MAX, &number) < 0)
			return -EINVAL;
		*flags |= number;
		return 0;
	}
	while (rest.at) {
		struct part word = next_part(&rest);
		uint32_t flag = flag_of(word);

		if (!flag)
			return request_refuse("Invalid flag: %.*s", (int)word.len, word.at);
		*flags |= flag;
	}
	return 0;
}

static int parse_list(
	const char *text, const char *what, uint32_t sizes[static SIZES_MAX], size_t *ret_count)
{
	struct part rest = { text, strlen(text) };
	size_t count = 0;

	while (rest.at) {
		if (count == SIZES_MAX ||
			!part_number(next_part(&rest), IPSECALGS_SIZE_MAX, &sizes[count]))
			return request_refuse("Invalid %s value", what);
		count++;
	}
	*ret_count = count;
	return 0;
}

static void add_list(struct text *entry, const uint32_t *sizes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		text_addf(entry, "%s%" PRIu32, i ? "," : "", sizes[i]);
}

static int add_range(const struct letters *letters, struct text *entry)
{
	const char *text = letters->value['k'], *hyphen = strchr(text, '-');
	struct part low_part = { text, (size_t)(hyphen - text) };
	struct part high_part = { hyphen + 1, strlen(hyphen + 1) };
	uint32_t low, high, increment, first;

	if (!letters->given['i'])
		return request_refuse("Missing key increment");
	if (!part_number(low_part, IPSECALGS_SIZE_MAX, &low))
		return request_refuse("Invalid lower key size range");
	if (!part_number(high_part, IPSECALGS_SIZE_MAX, &high))
		return request_refuse("Invalid higher key size range");
	if (request_number(letters->value['i'], "key increment", IPSECALGS_SIZE_MAX, &increment) <
		0)
		return -EINVAL;
	if (low >= high)
		return request_refuse("Invalid key size range (min >= max)");
	if ((high - low) % increment != 0)
		return request_refuse("Key size increment not consistent with key size range");
	first = low;
	if (letters->given['K'] && request_number(letters->value['K'], "default key size",
					   IPSECALGS_SIZE_MAX, &first) < 0)
		return -EINVAL;
	if (first < low || first > high || (first - low) % increment != 0)
		return request_refuse("Default key size not consistent with key size range");
	text_addf(
		entry, "%" PRIu32 "/%" PRIu32 "-%" PRIu32 ",%" PRIu32, first, low, high, increment);
	return 0;
}

static int add_enumeration(const struct letters *letters, struct text *entry)
{
	uint32_t sizes[SIZES_MAX], first;
	size_t count, at = 0;

	if (letters->given['i'])
		return request_refuse(
			"Key increment must not be specified with key sizes enumeration");
	if (parse_list(letters->value['k'], "key size", sizes, &count) < 0)
		return -EINVAL;
	if (letters->given['K']) {
		if (request_number(letters->value['K'], "default key size", IPSECALGS_SIZE_MAX,
			    &first) < 0)
			return -EINVAL;
		while (at < count && sizes[at] != first)
			at++;
		if (at == count)
			return request_refuse("Default key size not in list of key sizes");
		memmove(&sizes[1], &sizes[0],
			at * sizeof(sizes[0])); /* the others in their order */
		sizes[0] = first;
	}
	add_list(entry, sizes, count);
	return 0;
}

static int add_blocks(const struct letters *letters, struct text *entry)
{
	uint32_t sizes[SIZES_MAX];
	size_t count;

	if (parse_list(letters->value['b'], "block/MAC length", sizes, &count) < 0)
		return -EINVAL;
	add_list(entry, sizes, count);
	return 0;
}

/* IV, ICV and salt, all three once one of them is given. */
static int add_params(const struct letters *letters, struct text *entry)
{
	static const struct {
		char letter;
		const char *what;
	} params[IPSECALGS_PARAMS] = {
		[IPSECALGS_PARAM_IV] = { 'I', "IV length" },
		[IPSECALGS_PARAM_ICV] = { 'M', "ICV length" },
		[IPSECALGS_PARAM_SALT] = { 'S', "salt length" },
	};
	uint32_t sizes[IPSECALGS_PARAMS] = { 0 };
	bool any = false;

	for (size_t i = 0; i < IPSECALGS_PARAMS; i++) {
		unsigned char letter = (unsigned char)params[i].letter;

		if (!letters->given[letter])
			continue;
		any = true;
		if (request_number(letters->value[letter], params[i].what, IPSECALGS_SIZE_MAX,
			    &sizes[i]) < 0)
			return -EINVAL;
	}
	if (any)
		add_list(entry, sizes, IPSECALGS_PARAMS);
	else
		text_add(entry, "0");
	return 0;
}

static int check_required(const struct letters *letters)
{
	static const struct {
		char letter;
		const char *what;
	} required[] = {
		{ 'N', "algorithm number" },
		{ 'k', "key size(s)" },
		{ 'n', "algorithm name(s)" },
		{ 'b', "block/MAC lengths" },
		{ 'm', "mechanism name" },
	};

	if (!letters->given['P'] && !letters->given['p'])
		return request_refuse("Missing protocol number");
	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (!letters->given[(unsigned char)required[i].letter])
			return request_refuse("Missing %s", required[i].what);
	}
	return 0;
}

int request_entry(const struct letters *letters, struct text *ret_entry)
{
	uint32_t number = 0;
	int r = check_required(letters);

	if (r == 0)
		r = request_number(
			letters->value['N'], "algorithm number", IPSECALGS_NUMBER_MAX, &number);
	/* These two would be cut into other fields; what else is wrong in them the service says. */
	if (r == 0 && strpbrk(letters->value['n'], "|\n"))
		r = request_refuse("Invalid algorithm name(s) value");
	if (r == 0 && strpbrk(letters->value['m'], "|\n"))
		r = request_refuse("Invalid mechanism name value");
	if (r < 0)
		return r;
	text_addf(
		ret_entry, "%" PRIu32 "|%s|%s|", number, letters->value['n'], letters->value['m']);
	r = strchr(letters->value['k'], '-') ? add_range(letters, ret_entry)
					     : add_enumeration(letters, ret_entry);
	text_add(ret_entry, "|");
	if (r == 0)
		r = add_blocks(letters, ret_entry);
	text_add(ret_entry, "|");
	if (r == 0)
		r = add_params(letters, ret_entry);
	text_addf(ret_entry, "|%" PRIu32, letters->flags);
	if (r == 0 && ret_entry->failed)
		r = -ENOMEM;
	return r;
}
