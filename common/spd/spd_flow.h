/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text by which a person names one packet: `out tcp 10.0.0.5:41000 192.0.2.7:443`. Read for
 * `ipsecconf --explain` and for the expectations in a policy file.
 *
 *	[tunnel NAME] in|out|forward PACKET [about PACKET]
 *	PACKET: PROTOCOL SOURCE [>] DESTINATION [type N [code N]]
 *
 * Source and destination stand as in the packet's header. PROTOCOL is a name (tcp, udp, sctp, icmp,
 * icmp6, esp, ah, gre, ...), `protocol N` or N; `icmp` is that of the addresses' family. An end is
 * `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1` or `[2001:db8::1]:80`; both have a port or neither: a later
 * fragment shows none. `type N code N` may also stand behind the protocol. What stands behind `about`
 * is the packet that came back inside an ICMP error, as it was sent: it went the other way. Host
 * policy judges errors by it, so it shows ports or type.
 */
#ifndef SPD_SPD_FLOW_H
#define SPD_SPD_FLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "common/model/rule.h"
#include "common/model/selector.h"

struct spd_query {
	struct flow flow; /* forward: as outbound, with the source for local */
	char tunnel[RULE_TUNNEL_MAX]; /* "": host policy */
	bool forward; /* neither made nor taken here: host policy does not apply */
	bool has_about;
	struct flow about; /* the packet inside, with its ends exchanged: as if it went this way */
};

/* What policy looks at: of an ICMP error the packet that it is about. */
static inline const struct flow *spd_query_subject(const struct spd_query *query)
{
	return query->has_about ? &query->about : &query->flow;
}

/* Is an outbound error about a packet that @from, its sender, only forwards? */
static inline bool spd_about_forwarded(const struct flow *about, const struct address *from)
{
	return !address_equal(&about->local, from);
}

/* Has host policy no word about it: because it is forwarded, or an error about what is. */
bool spd_query_is_forwarded(const struct spd_query *query);
/* An ICMP error that host policy judges by a packet which the query does not name. */
bool spd_query_lacks_about(const struct spd_query *query);

/* What is wrong with it, for a caret. */
struct spd_flow_error {
	size_t offset, length; /* octets from the start of the text; a length of 0 is its end */
	const char *text; /* lives as long as the program */
};

/*
 * @len: of @text, which need no NUL. @ret_query on success only, @ret_error on failure only; NULL:
 * not wanted. @ret_used: where the flow's text ended, blanks behind it skipped; NULL demands that
 * this is the end of the text. Return: 0 or -EINVAL.
 */
int spd_flow_parse(const char *text, size_t len, struct spd_query *ret_query, size_t *ret_used,
	struct spd_flow_error *ret_error) MUST_CHECK;
/* What spd_flow_parse() reads back to the same query. */
void spd_flow_print(const struct spd_query *query, struct text *text);

#endif
