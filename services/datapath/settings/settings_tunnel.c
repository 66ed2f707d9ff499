/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/settings/settings_tunnel.h"

#include <errno.h>
#include <libconfig.h>
#include <net/if.h>
#include <string.h>

#define DSCP_MOST	63
#define TUNNEL_MAX_ADDR ARRAY_SIZE(((struct tunnel *)NULL)->addresses)

/* A member of a tunnel's group: its name, and who reads it. */
struct member {
	const char *name;
	int (*take)(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
		struct tunnel *tunnel);
};

static int wrong(struct conf_diags *diags, struct conf_loc at, const char *name, const char *want)
{
	return conf_error(diags, at, "setting-value", "'%s' must be %s", name, want);
}

bool is_interface_name(const char *name)
{
	return name[0] != '\0' && strlen(name) < IFNAMSIZ && !strpbrk(name, "/: \t\n%") &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int take_name(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	const char *name = config_setting_get_string(value);

	if (!name || !is_interface_name(name) ||
		text_copy(tunnel->name, sizeof(tunnel->name), name) < 0)
		return wrong(diags, at, "name", "the name of an interface");
	return 0;
}

static int take_end(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct address *ret_addr)
{
	const char *str = config_setting_get_string(value);

	if (!str || address_parse(str, ret_addr) < 0 || address_is_unspecified(ret_addr) ||
		address_is_multicast(ret_addr))
		return wrong(diags, at, config_setting_name(value), "the address of one host");
	return 0;
}

static int take_source(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	return take_end(value, at, diags, &tunnel->src);
}

static int take_destination(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	return take_end(value, at, diags, &tunnel->dst);
}

static int take_mtu(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	int mtu = config_setting_type(value) == CONFIG_TYPE_INT ? config_setting_get_int(value) : 0;

	if (mtu < TUNNEL_MTU_LEAST || mtu > TUNNEL_MTU_MOST)
		return wrong(diags, at, "mtu", "a number from 576 to 65535");
	tunnel->mtu = (uint32_t)mtu;
	return 0;
}

static int take_pad_to(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	int len = config_setting_type(value) == CONFIG_TYPE_INT ? config_setting_get_int(value)
								: -1;

	if (len < 0 || len > TUNNEL_MTU_MOST)
		return wrong(diags, at, "pad_to", "a number from 0 to 65535");
	tunnel->pad_to = (uint32_t)len;
	return 0;
}

static int take_hop_limit(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	int hops = config_setting_type(value) == CONFIG_TYPE_INT ? config_setting_get_int(value)
								 : 0;

	if (hops < 1 || hops > UINT8_MAX)
		return wrong(diags, at, "hop_limit", "a number from 1 to 255");
	tunnel->outer.hop_limit = (uint8_t)hops;
	return 0;
}

static int take_dscp(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	const char *word = config_setting_get_string(value);
	int dscp = config_setting_type(value) == CONFIG_TYPE_INT ? config_setting_get_int(value)
								 : -1;

	if (word && strcmp(word, "copy") == 0)
		return 0;
	if (dscp < 0 || dscp > DSCP_MOST)
		return wrong(diags, at, "dscp", "\"copy\" or a number from 0 to 63");
	tunnel->outer.set_dscp = true;
	tunnel->outer.dscp = (uint8_t)dscp;
	return 0;
}

static int take_df(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	static const char *const words[] = {
		[PACKET_DF_COPY] = "copy", [PACKET_DF_SET] = "set", [PACKET_DF_CLEAR] = "clear"
	};
	const char *word = config_setting_get_string(value);

	for (size_t i = 0; word && i < ARRAY_SIZE(words); i++) {
		if (strcmp(word, words[i]) == 0) {
			tunnel->outer.df = (enum packet_df)i;
			return 0;
		}
	}
	return wrong(diags, at, "df", "\"copy\", \"set\" or \"clear\"");
}

static int take_flow_label(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	const char *word = config_setting_get_string(value);

	if (!word || (strcmp(word, "copy") != 0 && strcmp(word, "zero") != 0))
		return wrong(diags, at, "flow_label", "\"zero\" or \"copy\"");
	tunnel->outer.copy_flow_label = strcmp(word, "copy") == 0;
	return 0;
}

static int take_check_source(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	if (config_setting_type(value) != CONFIG_TYPE_BOOL)
		return wrong(diags, at, "check_source", "true or false");
	tunnel->any_source = config_setting_get_bool(value) == 0;
	return 0;
}

static int take_forward(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	if (config_setting_type(value) != CONFIG_TYPE_BOOL)
		return wrong(diags, at, "forward", "true or false");
	tunnel->forward = config_setting_get_bool(value) != 0;
	return 0;
}

/* "10.0.0.1/30": the host part is the interface's address. */
static int parse_interface_address(
	const char *str, struct address *ret_host, struct prefix *ret_prefix)
{
	char copy[PREFIX_TEXT_MAX];
	unsigned int bits = 0;
	char *slash;

	if (!str || text_copy(copy, sizeof(copy), str) < 0)
		return -EINVAL;
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (address_parse(copy, ret_host) < 0)
		return -EINVAL;
	if (!slash) {
		*ret_prefix = prefix_host(ret_host);
		return 0;
	}
	if (*slash == '\0' || strlen(slash) > 3)
		return -EINVAL;
	for (; *slash; slash++) {
		if (*slash < '0' || *slash > '9')
			return -EINVAL;
		bits = bits * 10 + (unsigned int)(*slash - '0');
	}
	return prefix_make(ret_host, bits, ret_prefix);
}

static int take_addresses(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	int n = config_setting_is_aggregate(value) ? config_setting_length(value) : -1;

	if (n < 0 || (size_t)n > TUNNEL_MAX_ADDR)
		return wrong(diags, at, "addresses", "a list of at most 8 addresses");
	for (int i = 0; i < n; i++) {
		const char *str = config_setting_get_string_elem(value, i);
		size_t k = tunnel->n_addresses;

		if (parse_interface_address(str, &tunnel->address_hosts[k], &tunnel->addresses[k]) <
			0)
			return conf_error(diags, at, "setting-value",
				"'%s' is not an address with its prefix length", str ? str : "?");
		tunnel->n_addresses++;
	}
	return 0;
}

static const struct member members[] = {
	{ "name", take_name },
	{ "source", take_source },
	{ "destination", take_destination },
	{ "mtu", take_mtu },
	{ "addresses", take_addresses },
	{ "forward", take_forward },
	{ "check_source", take_check_source },
	{ "df", take_df },
	{ "dscp", take_dscp },
	{ "flow_label", take_flow_label },
	{ "hop_limit", take_hop_limit },
	{ "pad_to", take_pad_to },
};

static int take_member(config_setting_t *value, struct conf_loc at, struct conf_diags *diags,
	struct tunnel *tunnel)
{
	const char *name = config_setting_name(value);

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (strcmp(members[i].name, name) == 0)
			return members[i].take(value, at, diags, tunnel);
	return conf_error(diags, at, "setting-unknown", "unknown setting '%s' of a tunnel", name);
}

static int check_tunnel(const struct tunnel *tunnel, const struct tunnel_table *others,
	struct conf_loc at, struct conf_diags *diags)
{
	if (tunnel->name[0] == '\0')
		return conf_error(diags, at, "setting-missing", "the tunnel has no name");
	if (tunnel->src.family == AF_UNSPEC || tunnel->dst.family == AF_UNSPEC)
		return conf_error(diags, at, "setting-missing",
			"tunnel '%s' needs a source and a destination", tunnel->name);
	if (tunnel->src.family != tunnel->dst.family)
		return conf_error(diags, at, "setting-value",
			"source and destination of tunnel '%s' are of different families",
			tunnel->name);
	for (size_t i = 0; i < others->count; i++) {
		const struct tunnel *other = &others->tunnels[i];

		if (strcmp(other->name, tunnel->name) == 0)
			return conf_error(diags, at, "setting-twice", "tunnel '%s' stands twice",
				tunnel->name);
		if (address_equal(&other->src, &tunnel->src) &&
			address_equal(&other->dst, &tunnel->dst))
			return conf_error(diags, at, "setting-twice",
				"tunnels '%s' and '%s' have the same ends", other->name,
				tunnel->name);
	}
	return 0;
}

int settings_tunnel_take(struct config_setting_t *group, struct conf_loc at,
	struct conf_diags *diags, struct tunnel_table *tunnels)
{
	struct tunnel tunnel = { .forward = false };
	int worst = 0;

	if (tunnels->count == ENGINE_MAX_TUNNELS)
		return conf_error(
			diags, at, "setting-value", "more than %d tunnels", ENGINE_MAX_TUNNELS);
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *value = config_setting_get_elem(group, (unsigned int)i);
		struct conf_loc here = at;
		int r;

		here.line = config_setting_source_line(value);
		r = take_member(value, here, diags, &tunnel);
		worst = r < 0 ? r : worst;
	}
	if (worst == 0)
		worst = check_tunnel(&tunnel, tunnels, at, diags);
	if (worst == 0)
		tunnels->tunnels[tunnels->count++] = tunnel;
	return worst;
}

static bool outer_equal(const struct packet_outer_rules *a, const struct packet_outer_rules *b)
{
	return a->df == b->df && a->set_dscp == b->set_dscp && a->dscp == b->dscp &&
	       a->copy_flow_label == b->copy_flow_label && a->hop_limit == b->hop_limit;
}

bool tunnel_equal(const struct tunnel *a, const struct tunnel *b)
{
	if (strcmp(a->name, b->name) != 0 || !address_equal(&a->src, &b->src) ||
		!address_equal(&a->dst, &b->dst) || a->mtu != b->mtu || a->forward != b->forward ||
		a->n_addresses != b->n_addresses || a->any_source != b->any_source ||
		a->pad_to != b->pad_to || !outer_equal(&a->outer, &b->outer))
		return false;
	for (size_t i = 0; i < a->n_addresses; i++)
		if (!address_equal(&a->address_hosts[i], &b->address_hosts[i]) ||
			a->addresses[i].bits != b->addresses[i].bits)
			return false;
	return true;
}
