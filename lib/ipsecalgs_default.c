/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/netipsec/ipsecalgs.h"

/* clang-format off */
static const char default_text[] =
	"#\n"
	"# Algorithms that IPsec may use, by protocol. This file is written by ipsecalgs(8):\n"
	"# do not edit it by hand, comments are not kept. Its format is told in ipsecalgs(5).\n"
	"#\n"
	"# PROTO|number|name|exec-mode\n"
	"# ALG|proto|alg|names|mechanism|keys|blocks|params|flags\n"
	"#\n"
	"PROTO|2|PROTO_IPSEC_AH|sync\n"
	"ALG|2|0|none,any|-|0|0|0|0\n"
	"ALG|2|2|hmac-md5,md5|CKM_MD5_HMAC_GENERAL|128|12|0|0\n"
	"ALG|2|3|hmac-sha1,sha,sha1,sha-1,hmac-sha,hmac-sha-1|CKM_SHA_1_HMAC_GENERAL|160|12|0|0\n"
	"ALG|2|5|hmac-sha256,sha256,sha-256,hmac-sha-256|CKM_SHA256_HMAC_GENERAL|256|16|0|0\n"
	"ALG|2|6|hmac-sha384,sha384,sha-384,hmac-sha-384|CKM_SHA384_HMAC_GENERAL|384|24|0|0\n"
	"ALG|2|7|hmac-sha512,sha512,sha-512,hmac-sha-512|CKM_SHA512_HMAC_GENERAL|512|32|0|0\n"
	"ALG|2|9|aes-xcbc,aes-xcbc-96|CKM_AES_XCBC_MAC_96|128|12|0|0\n"
	"ALG|2|11|aes-gmac128,aes-128-gmac|CKM_AES_GMAC|160|16|8,16|23\n"
	"ALG|2|12|aes-gmac192,aes-192-gmac|CKM_AES_GMAC|224|16|8,16|23\n"
	"ALG|2|13|aes-gmac256,aes-256-gmac|CKM_AES_GMAC|288|16|8,16|23\n"
	"ALG|2|249|aes-cmac,aes-cmac-96|CKM_AES_CMAC_GENERAL|128|12|0|0\n"
	"PROTO|3|PROTO_IPSEC_ESP|sync\n"
	"ALG|3|0|any|-|0|0|0|0\n"
	"ALG|3|2|des-cbc,des|CKM_DES_CBC|64|8|0|0\n"
	"ALG|3|3|3des-cbc,3des|CKM_DES3_CBC|192|8|0|0\n"
	"ALG|3|7|blowfish-cbc,blowfish|CKM_BLOWFISH_CBC|128|8|0|0\n"
	"ALG|3|11|null|-|0|0|0|0\n"
	"ALG|3|12|aes-cbc,aes|CKM_AES_CBC|128/128-256,64|16|0|0\n"
	"ALG|3|13|aes-ctr|CKM_AES_CTR|128/128-256,64|16|8,0,4|3\n"
	"ALG|3|14|aes-ccm8|CKM_AES_CCM|128/128-256,64|16|8,8,3|15\n"
	"ALG|3|15|aes-ccm12|CKM_AES_CCM|128/128-256,64|16|8,12,3|15\n"
	"ALG|3|16|aes-ccm,aes-ccm16|CKM_AES_CCM|128/128-256,64|16|8,16,3|15\n"
	"ALG|3|18|aes-gcm8|CKM_AES_GCM|128/128-256,64|16|8,8,4|23\n"
	"ALG|3|19|aes-gcm12|CKM_AES_GCM|128/128-256,64|16|8,12,4|23\n"
	"ALG|3|20|aes-gcm,aes-gcm16|CKM_AES_GCM|128/128-256,64|16|8,16,4|23\n"
	"ALG|3|23|aes-gmac|CKM_AES_GMAC|128/128-256,64|16|8,16,4|23\n"
	"ALG|3|28|chacha20-poly1305,chacha20|CKM_CHACHA20_POLY1305|256|64|8,16,4|7\n";
/* clang-format on */

const char *ipsecalgs_default_text(void)
{
	return default_text;
}
