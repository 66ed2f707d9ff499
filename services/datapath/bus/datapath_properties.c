/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Datapath1: what can be read of it. */
#include <openssl/crypto.h>

#include "services/datapath/bus/datapath_bus_parts.h"
#include "services/datapath/suite/suite_provider.h"

int datapath_get_generation(struct bus_writer *value, void *userdata)
{
	const struct datapathd *d = userdata;

	return bus_write(value, "t", sections_get(&d->sections, SECTION_POLICY)->generation);
}

int datapath_get_state(struct bus_writer *value, void *userdata)
{
	const struct datapathd *d = userdata;
	const char *state = "absent";

	if (d->settings_error[0])
		state = "failed";
	else if (sections_get(&d->sections, SECTION_POLICY)->generation)
		state = "enforced";
	else if (plant_holds_lid(d->plant))
		state = "starting";
	return bus_write(value, "s", state);
}

int datapath_get_last_error(struct bus_writer *value, void *userdata)
{
	const struct datapathd *d = userdata;

	return bus_write(value, "s", d->last_error[0] ? d->last_error : d->settings_error);
}

int datapath_get_config_file(struct bus_writer *value, void *userdata)
{
	const struct datapathd *d = userdata;

	return bus_write(value, "s", d->options.config);
}

int datapath_get_backend(struct bus_writer *value, void *userdata)
{
	(void)userdata;
	return bus_write(value, "s", "engine");
}

static bool is_usable(int proto, int number)
{
	return proto == ALG_PROTO_ESP ? suite_cipher_row((uint8_t)number) != NULL
				      : suite_auth_row((uint8_t)number) != NULL;
}

int datapath_get_usable_algorithms(struct bus_writer *value, void *userdata)
{
	int r = bus_open_container(value, 'a', "(yy)");

	(void)userdata;
	for (int proto = ALG_PROTO_AH; r == 0 && proto <= ALG_PROTO_ESP; proto++) {
		for (int number = 0; r == 0 && number <= UINT8_MAX; number++) {
			if (!is_usable(proto, number))
				continue;
			r = bus_open_container(value, 'r', "");
			if (r == 0)
				r = bus_write(value, "yy", proto, number);
			if (r == 0)
				r = bus_close_container(value);
		}
	}
	return r < 0 ? r : bus_close_container(value);
}

/* Whose code serves an algorithm in its most usual company; NULL: ours. */
static const struct suite_provider *provider_of(const struct datapathd *d, int proto, int number)
{
	struct suite suite = { .cipher = suite_cipher_row(ALG_ENCR_AES_CBC) };

	if (proto == ALG_PROTO_ESP && number == ALG_ENCR_NULL)
		return NULL;
	if (proto == ALG_PROTO_ESP)
		suite.cipher = suite_cipher_row((uint8_t)number);
	else
		suite.auth = suite_auth_row((uint8_t)number);
	if (proto == ALG_PROTO_ESP && suite.cipher->icv_bytes == 0)
		suite.auth = suite_auth_row(ALG_AUTH_HMAC_SHA256);
	suite.key_bits = suite.cipher->sizes[0].bits;
	suite.iv_bytes = suite.cipher->iv_bytes;
	suite.icv_bytes = suite.auth ? suite.auth->icv_bytes : suite.cipher->icv_bytes;
	return suite_provider_for((enum suite_choice)d->plant->settings->provider, &suite);
}

/* The same with the library that each comes from; "" for what needs none. */
int datapath_get_algorithm_libraries(struct bus_writer *value, void *userdata)
{
	char openssl[64];
	int r = text_fixed(
		openssl, sizeof(openssl), "OpenSSL %s", OpenSSL_version(OPENSSL_VERSION_STRING));

	if (r == 0)
		r = bus_open_container(value, 'a', "(yys)");
	for (int i = 0; r == 0 && i < (ALG_PROTO_ESP - ALG_PROTO_AH + 1) * (UINT8_MAX + 1); i++) {
		int proto = ALG_PROTO_AH + i / (UINT8_MAX + 1), number = i % (UINT8_MAX + 1);
		const struct suite_provider *provider;

		if (!is_usable(proto, number))
			continue;
		provider = provider_of(userdata, proto, number);
		r = bus_open_container(value, 'r', "");
		if (r == 0 && provider == &suite_openssl)
			r = bus_write(value, "yys", proto, number, openssl);
		else if (r == 0)
			r = bus_write(value, "yys", proto, number, provider ? provider->name : "");
		if (r == 0)
			r = bus_close_container(value);
	}
	return r < 0 ? r : bus_close_container(value);
}

int datapath_get_rule_count(struct bus_writer *value, void *userdata)
{
	return bus_write(value, "u", (uint32_t)datapathd_rule_count(userdata));
}

int datapath_get_sa_count(struct bus_writer *value, void *userdata)
{
	const struct datapathd *d = userdata;

	return bus_write(value, "u", (uint32_t)sad_count(d->plant->sad));
}
