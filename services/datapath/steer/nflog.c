/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/nflog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <string.h>

#include "services/datapath/steer/steer_rules.h"

static int bind_group(struct netlink *nl, uint16_t group)
{
	_Alignas(struct nlmsghdr) char buffer[128];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buffer);
	struct nfulnl_msg_config_cmd command = { .command = NFULNL_CFG_CMD_BIND };
	struct nfulnl_msg_config_mode mode = { .copy_range = htonl(0xffff),
		.copy_mode = NFULNL_COPY_PACKET };
	struct nfgenmsg *nfg;

	msg->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	nfg = mnl_nlmsg_put_extra_header(msg, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(group);
	mnl_attr_put(msg, NFULA_CFG_CMD, sizeof(command), &command);
	mnl_attr_put(msg, NFULA_CFG_MODE, sizeof(mode), &mode);
	return netlink_request(nl, msg);
}

int nflog_open(uint16_t group, struct netlink *ret_nl)
{
	struct netlink nl;
	int r = netlink_open(NETLINK_NETFILTER, 0, &nl);

	if (r < 0)
		return r;
	r = bind_group(&nl, group);
	if (r < 0) {
		netlink_close(&nl);
		return r;
	}
	*ret_nl = nl;
	return 0;
}

static bool verdict_of(const char *word, enum verdict *ret_verdict)
{
	static const struct {
		const char *word;
		enum verdict verdict;
	} words[] = {
		{ STEER_CHAIN_EXPLICIT, VERDICT_SPD_EXPLICIT },
		{ STEER_CHAIN_GOT_CLEAR, VERDICT_SPD_GOT_CLEAR },
		{ STEER_CHAIN_MISMATCH, VERDICT_SPD_LOOPBACK_MISMATCH },
		{ STEER_CHAIN_GOT_SECURE, VERDICT_SPD_GOT_SECURE },
		{ STEER_CHAIN_UNREADABLE, VERDICT_SPD_GOT_CLEAR },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i].word, word) != 0)
			continue;
		*ret_verdict = words[i].verdict;
		return true;
	}
	return false;
}

void nflog_message(const struct nlmsghdr *msg, nflog_fn fn, void *userdata)
{
	struct nflog_drop drop = { 0 };
	const struct nlattr *attr;
	bool known = false;

	if (msg->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
		mnl_nlmsg_get_payload_len(msg) < sizeof(struct nfgenmsg))
		return;
	NETLINK_EACH_ATTR(attr, msg, sizeof(struct nfgenmsg))
	{
		struct nfulnl_msg_packet_hdr head;

		switch (mnl_attr_get_type(attr)) {
		case NFULA_PACKET_HDR:
			if (mnl_attr_get_payload_len(attr) < sizeof(head))
				break;
			memcpy(&head, mnl_attr_get_payload(attr), sizeof(head));
			drop.outbound = head.hook == NF_INET_LOCAL_OUT;
			break;
		case NFULA_PREFIX:
			known = mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 &&
				verdict_of(mnl_attr_get_str(attr), &drop.verdict);
			break;
		case NFULA_PAYLOAD:
			drop.packet = mnl_attr_get_payload(attr);
			drop.len = mnl_attr_get_payload_len(attr);
			break;
		default: /* of no interest */
			break;
		}
	}
	if (known && drop.packet)
		fn(&drop, userdata);
}

struct reading {
	nflog_fn fn;
	void *userdata;
};

static int on_message(const struct nlmsghdr *msg, void *userdata)
{
	const struct reading *reading = userdata;

	nflog_message(msg, reading->fn, reading->userdata);
	return 0;
}

int nflog_read(struct netlink *nl, nflog_fn fn, void *userdata)
{
	struct reading reading = { .fn = fn, .userdata = userdata };
	int r = netlink_notices(nl, on_message, &reading);

	return r == -ENOBUFS ? 0 : r;
}
