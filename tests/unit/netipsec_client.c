/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program of somebody else's: built with nothing but what is installed, see test_libnetipsec.py. */
#include <netipsec.h>
#include <stdio.h>
#include <stdlib.h>

static void print_sizes(const char *what, const int *sizes)
{
	printf("%s", what);
	while (*sizes)
		printf(" %d", *sizes++);
	printf("\n");
}

int main(int argc, char **argv)
{
	int error = 0, proto = argc == 3 ? getipsecprotobyname(argv[1]) : -1;
	struct ipsecalgent *alg = argc == 3 ? getipsecalgbyname(argv[2], proto, &error) : NULL;
	ipsecalgent_t *same = alg ? getipsecalgbynum(alg->a_alg_num, proto, &error) : NULL;
	char *name = getipsecprotobynum(proto);

	if (!same || !name) {
		printf("error %d\n", error);
		freeipsecalgent(alg);
		free(name);
		return EXIT_FAILURE;
	}
	printf("%s %d %s %d\n", name, same->a_alg_num, same->a_mech_name, same->a_alg_flags);
	for (char **alias = same->a_names; *alias; alias++)
		printf("name %s\n", *alias);
	print_sizes("keys", same->a_key_sizes);
	print_sizes("blocks", same->a_block_sizes);
	print_sizes("parameters", same->a_mech_params);
	printf("increment %d\n", same->a_key_increment);
	freeipsecalgent(alg);
	freeipsecalgent(same);
	free(name);
	return EXIT_SUCCESS;
}
