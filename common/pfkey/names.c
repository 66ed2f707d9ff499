/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/pfkey/pfkey.h"

const struct pfkey_flag pfkey_flags[] = {
	{ PFKEY_SAF_PFS, "PFS" },
	{ PFKEY_SAF_NOREPLAY, "NOREPLAY" },
	{ PFKEY_SAF_USED, "X_USED" },
	{ PFKEY_SAF_PAIRED, "X_PAIRED" },
	{ PFKEY_SAF_OUTBOUND, "X_OUTBOUND" },
	{ PFKEY_SAF_INBOUND, "X_INBOUND" },
	{ PFKEY_SAF_UNIQUE, "X_UNIQUE" },
	{ PFKEY_SAF_AALG1, "X_AALG1" },
	{ PFKEY_SAF_AALG2, "X_AALG2" },
	{ PFKEY_SAF_EALG1, "X_EALG1" },
	{ PFKEY_SAF_EALG2, "X_EALG2" },
	{ PFKEY_SAF_NATT_LOC, "X_NATT_LOC" },
	{ PFKEY_SAF_NATT_REM, "X_NATT_REM" },
	{ PFKEY_SAF_TUNNEL, "X_TUNNEL" },
	{ PFKEY_SAF_NATTED, "X_NATTED" },
	{ PFKEY_SAF_ESN, "ESN" },
	{ 0, NULL },
};

const char *pfkey_type_name(uint8_t type)
{
#define ROW(number, ID, name) [number] = (name),
	static const char *const names[] = { PFKEY_TYPES(ROW) };
#undef ROW

	return type < ARRAY_SIZE(names) ? names[type] : NULL;
}

const char *pfkey_diagnostic_text(unsigned int code)
{
#define ROW(number, ID, text) [number] = (text),
	static const char *const texts[] = { PFKEY_DIAGNOSTICS(ROW) };
#undef ROW

	if (code == PFKEY_DIAG_SAD_FULL)
		return PFKEY_DIAG_SAD_FULL_TEXT;
	return code < ARRAY_SIZE(texts) ? texts[code] : "Unknown diagnostic code";
}

const char *pfkey_diagnostic_name(unsigned int code)
{
#define ROW(number, ID, text) [number] = #ID,
	static const char *const names[] = { PFKEY_DIAGNOSTICS(ROW) };
#undef ROW

	if (code == PFKEY_DIAG_SAD_FULL)
		return "SAD_FULL";
	return code < ARRAY_SIZE(names) ? names[code] : NULL;
}

uint8_t pfkey_satype_of(int proto)
{
	if (proto == SA_PROTO_AH)
		return PFKEY_SATYPE_AH;
	return proto == SA_PROTO_ESP ? PFKEY_SATYPE_ESP : PFKEY_SATYPE_UNSPEC;
}

int pfkey_proto_of(uint8_t satype)
{
	if (satype == PFKEY_SATYPE_AH)
		return SA_PROTO_AH;
	return satype == PFKEY_SATYPE_ESP ? SA_PROTO_ESP : 0;
}
