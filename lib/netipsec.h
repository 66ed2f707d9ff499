/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libnetipsec: names, numbers and sizes of the algorithms that IPsec may use, as
 * /etc/inet/ipsecalgs has them. See getipsecalgbyname(3).
 */
#ifndef NETIPSEC_H
#define NETIPSEC_H

#ifdef __cplusplus
extern "C" {
#endif

#define IPSEC_PROTO_AH	2 /* authentication algorithms, of AH and of ESP */
#define IPSEC_PROTO_ESP 3 /* encryption algorithms */

/* Bits of a_alg_flags. */
#define IPSECALG_FLAG_VALID    0x01
#define IPSECALG_FLAG_COUNTER  0x02 /* never reuse an IV with a key */
#define IPSECALG_FLAG_COMBINED 0x04 /* encryption and integrity in one */
#define IPSECALG_FLAG_CCM      0x08
#define IPSECALG_FLAG_GCM      0x10

typedef struct ipsecalgent {
	char **a_names; /* NULL-terminated, the first is primary */
	int a_proto_num;
	int a_alg_num;
	char *a_mech_name; /* "-": none */
	int *a_block_sizes; /* bytes, 0-terminated; MAC lengths of an authentication algorithm */
	/* Bits, 0-terminated: the default, then with an increment lowest and highest, else the others. */
	int *a_key_sizes;
	int a_key_increment; /* bits; 0: a_key_sizes is an enumeration */
	int *a_mech_params; /* bytes, 0-terminated: IV, ICV, salt */
	int a_alg_flags;
} ipsecalgent_t;

/*
 * All functions may be called by several threads at once. What they return is the caller's: entries
 * go to freeipsecalgent(), the name of a protocol to free(). @errp may be NULL; it becomes 0, or
 * ENOENT (no such algorithm), EINVAL (no such protocol), ENOMEM, EFAULT (no name).
 */
struct ipsecalgent *getipsecalgbyname(const char *name, int proto, int *errp); /* without case */
struct ipsecalgent *getipsecalgbynum(int num, int proto, int *errp);
void freeipsecalgent(struct ipsecalgent *entry); /* NULL is allowed */

int getipsecprotobyname(const char *name); /* without case; -1: there is none */
char *getipsecprotobynum(int num); /* NULL: there is none, or no memory */

#ifdef __cplusplus
}
#endif

#endif
