/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ipsecconf -c can know of this host without asking a service: names, tunnels, routes. */
#include <errno.h>
#include <libconfig.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/conf/hosts_file.h"
#include "services/policy/ipsecconf.h"
#include "services/policy/lint.h"

#define DATAPATH_SETTINGS "/etc/netipsec/datapath.cfg"
#define FACTS_MAX_BYTES	  (16U << 20)
#define ROUTES_BUFFER	  32768

int conf_hosts(struct hosts_file **ret_hosts)
{
	CLEANUP(freep) char *path = NULL, *text = NULL;
	size_t len = 0;
	int r = file_system_path(HOSTS_FILE_PATH, &path);

	if (r == 0)
		r = file_read_path(path, FACTS_MAX_BYTES, &text, &len);
	return r < 0 ? r : hosts_file_new(text, len, ret_hosts);
}

/* The names in `tunnels`; what else is wrong with the settings is their owner's to say. */
static int add_configured(const config_setting_t *list, struct policy_tunnels *tunnels)
{
	int count = list ? config_setting_length(list) : 0, r = 0;

	for (int i = 0; r == 0 && i < count; i++) {
		const config_setting_t *group = config_setting_get_elem(list, (unsigned int)i);
		const char *name;

		if (group && config_setting_lookup_string(group, "name", &name) == CONFIG_TRUE &&
			strlen(name) < RULE_TUNNEL_MAX)
			r = policy_tunnels_add(tunnels, name, true, false);
	}
	return r;
}

static int read_settings(struct policy_tunnels *tunnels)
{
	CLEANUP(freep) char *path = NULL, *text = NULL;
	config_t config;
	size_t len;
	int r = file_system_path(DATAPATH_SETTINGS, &path);

	if (r < 0)
		return r;
	if (file_read_path(path, FACTS_MAX_BYTES, &text, &len) < 0)
		return 0; /* nothing is known then */
	config_init(&config);
	if (config_read_string(&config, text) == CONFIG_TRUE) {
		tunnels->known = true;
		r = add_configured(config_lookup(&config, "tunnels"), tunnels);
	}
	config_destroy(&config);
	return r;
}

/* Protocols whose routes come and go: see rtnetlink(7). Those below are the kernel's and the boot's. */
static bool is_dynamic(unsigned int protocol)
{
	return protocol > RTPROT_STATIC && protocol != RTPROT_RA && protocol != RTPROT_DHCP;
}

static int on_attribute(const struct nlattr *attr, void *userdata)
{
	char name[IF_NAMESIZE];

	if (mnl_attr_get_type(attr) != RTA_OIF || mnl_attr_validate(attr, MNL_TYPE_U32) < 0 ||
		!if_indextoname(mnl_attr_get_u32(attr), name))
		return MNL_CB_OK;
	return policy_tunnels_add(userdata, name, false, true) < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *message, void *userdata)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*route) || !is_dynamic(route->rtm_protocol))
		return MNL_CB_OK;
	return mnl_attr_parse(message, sizeof(*route), on_attribute, userdata);
}

static int dump_routes(struct mnl_socket *socket, struct policy_tunnels *tunnels)
{
	CLEANUP(freep) char *buffer = malloc(ROUTES_BUFFER);
	struct nlmsghdr *message;
	struct rtmsg *route;
	ssize_t got;
	int r = MNL_CB_OK;

	if (!buffer)
		return -ENOMEM;
	message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = 1;
	route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
	route->rtm_family = AF_UNSPEC;
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (r == MNL_CB_OK) {
		got = mnl_socket_recvfrom(socket, buffer, ROUTES_BUFFER);
		if (got < 0)
			return -errno;
		r = mnl_cb_run(
			buffer, (size_t)got, 1, mnl_socket_get_portid(socket), on_route, tunnels);
	}
	return r == MNL_CB_ERROR ? -EIO : 0;
}

/* A host that does not tell its routes is one without routing protocols, as far as we are concerned. */
static void read_routes(struct policy_tunnels *tunnels)
{
	struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);

	if (!socket)
		return;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0)
		(void)dump_routes(socket, tunnels);
	(void)mnl_socket_close(socket);
}

int conf_tunnels(struct policy_tunnels **ret_tunnels)
{
	CLEANUP(policy_tunnels_freep) struct policy_tunnels *tunnels = policy_tunnels_new();
	int r = tunnels ? read_settings(tunnels) : -ENOMEM;

	if (r < 0)
		return r;
	read_routes(tunnels);
	*ret_tunnels = STEAL(tunnels);
	return 0;
}
