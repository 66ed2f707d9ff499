/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command's side of PF_KEY, held against a door that answers from a script. */
#include "services/manual-key/keys_send.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/daemon/algs.h"
#include "tests/unit/suite.h"

#define KEY128 "000102030405060708090a0b0c0d0e0f"
#define ADD                                                                                  \
	"add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.17 encr_alg aes-gcm16 encrkey " KEY128 \
	"a0a1a2a3 proto 6 dport 389 hard_bytes 1000 soft_addtime 24000"
#define LOOKUP " esp spi 0x1001 dst 192.0.2.17"

/* What the door does with the one request that it gets. */
struct script {
	int error;
	uint16_t diagnostic;
	unsigned int sas; /* in the answer; a dump is ended by itself */
	bool hang_up;
	bool noise; /* other people's answers first */
};

struct door {
	char root[32];
	char path[96];
	int listener;
	struct script script;
	pthread_t thread;
	struct pfkey_message *request; /* what came, owned */
};

static struct sa *example_sa(void)
{
	struct sa *sa = sa_new();
	uint8_t key[20];

	ck_assert_ptr_nonnull(sa);
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(0x10 + i);
	sa->proto = SA_PROTO_ESP;
	sa->spi = 0x3a02;
	sa->state = SA_MATURE;
	sa->encr = ALG_ENCR_AES_GCM16;
	sa->encr_key_bits = 128;
	sa->salt_bits = 32;
	sa->hard.add_sec = 28800;
	sa->hard.bytes = 5000;
	sa->pair_spi = 0x3a03;
	sa->directions = SA_OUTBOUND;
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	ck_assert_int_eq(address_parse("2001:db8::1", &sa->src), 0);
	ck_assert_int_eq(address_parse("2001:db8::1", &sa->dst), 0);
	return sa;
}

static void say(int fd, struct pfkey_message *msg, uint32_t pid, uint32_t seq)
{
	uint8_t buffer[2048];
	size_t len = 0;

	msg->pid = pid;
	msg->seq = seq;
	ck_assert_int_eq(pfkey_encode(msg, PFKEY_ANSWER, buffer, sizeof(buffer), &len), 0);
	ck_assert_int_eq(send(fd, buffer, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void answer(int fd, const struct door *door, const struct pfkey_message *request)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *plain = pfkey_message_new();
	CLEANUP(sa_freep) struct sa *sa = example_sa();

	plain->type = request->type;
	plain->satype = request->satype;
	if (door->script.noise) {
		say(fd, plain, request->pid + 1, request->seq);
		plain->type = PFKEY_REGISTER;
		say(fd, plain, request->pid, request->seq);
		plain->type = request->type;
		if (request->type != PFKEY_DUMP)
			say(fd, plain, request->pid, request->seq + 1);
	}
	for (unsigned int i = 0; i < door->script.sas; i++) {
		CLEANUP(pfkey_message_freep) struct pfkey_message *found = pfkey_message_of_sa(
			request->type, sa, true);

		found->present |= PFKEY_BIT(PFKEY_EXT_LIFETIME_CURRENT);
		found->current = (struct pfkey_current){ 0, 1234, 1000000, 1000100 };
		found->sa_flags = PFKEY_SAF_USED;
		say(fd, found, request->pid, request->seq);
	}
	plain->error = (uint8_t)door->script.error;
	plain->diagnostic = door->script.diagnostic;
	if (door->script.sas == 0 || request->type == PFKEY_DUMP)
		say(fd, plain, request->pid, request->type == PFKEY_DUMP ? 0 : request->seq);
}

static void *serve(void *userdata)
{
	struct door *door = userdata;
	CLEANUP(fd_closep) int fd = accept(door->listener, NULL, NULL);
	uint8_t buffer[2048];
	struct pfkey_fault fault;
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	n = recv(fd, buffer, sizeof(buffer), 0);
	if (n <= 0 || door->script.hang_up)
		return NULL;
	ck_assert_int_eq(pfkey_decode(buffer, (size_t)n, PFKEY_REQUEST, &door->request, &fault), 0);
	answer(fd, door, door->request);
	(void)recv(fd, buffer, sizeof(buffer), 0); /* until the client has gone */
	return NULL;
}

static struct door *door_open(struct script script)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct door *door = calloc(1, sizeof(*door));

	ck_assert_ptr_nonnull(door);
	door->script = script;
	ck_assert_int_eq(text_copy(door->root, sizeof(door->root), "/tmp/test-send-XXXXXX"), 0);
	ck_assert_ptr_nonnull(mkdtemp(door->root));
	for (size_t i = 0; i < 2; i++) {
		static const char *const parts[] = { "/run", "/run/netipsec" };

		ck_assert_int_eq(
			text_fixed(door->path, sizeof(door->path), "%s%s", door->root, parts[i]),
			0);
		ck_assert_int_eq(mkdir(door->path, 0700), 0);
	}
	ck_assert_int_eq(
		text_fixed(door->path, sizeof(door->path), "%s" PFKEY_DOOR_PATH, door->root), 0);
	ck_assert_int_eq(text_copy(address.sun_path, sizeof(address.sun_path), door->path), 0);
	door->listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ck_assert_int_eq(bind(door->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(door->listener, 1), 0);
	ck_assert_int_eq(setenv("NETIPSEC_ROOT", door->root, 1), 0);
	ck_assert_int_eq(pthread_create(&door->thread, NULL, serve, door), 0);
	return door;
}

static void door_close(struct door *door)
{
	ck_assert_int_eq(pthread_join(door->thread, NULL), 0);
	(void)close(door->listener);
	(void)unlink(door->path);
	for (size_t i = 0; i < 3; i++) {
		*strrchr(door->path, '/') = '\0';
		ck_assert_int_eq(rmdir(door->path), 0);
	}
	pfkey_message_free(door->request);
	free(door);
}

struct outcome {
	int result;
	struct text output, said;
	struct door *door;
};

static void outcome_done(struct outcome *o)
{
	text_done(&o->output);
	text_done(&o->said);
	door_close(o->door);
}

static struct outcome carry_out(const char *text, struct script script, bool json)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	CLEANUP(pfkey_client_freep) struct pfkey_client *client = NULL;
	struct outcome o = { .door = door_open(script) };
	struct keys_input in = {
		.label = "keys",
		.source = text,
		.len = strlen(text),
		.place = strncmp(text, "dump", 4) == 0 ? KEYS_OF_ARGUMENTS : KEYS_OF_FILE,
	};
	struct keys_sender_style style = { .json = json, .output = &o.output };

	(void)unsetenv("TZ");
	ck_assert_int_eq(algs_builtin(&algs), 0);
	in.algs = style.print.algs = algs;
	style.print.raw_seconds = true; /* whatever the zone of this machine is */
	style.print.now_sec = 1000800;
	ck_assert_int_eq(keys_parse(&in, diags, &file), 0);
	ck_assert_uint_eq(file->n_failed, 0);
	ck_assert_int_eq(pfkey_client_new(&client), 0);
	o.result = keys_send(client, &file->commands[0], &style, diags);
	for (size_t i = 0; i < conf_diags_count(diags); i++)
		if (conf_diags_get(diags, i)->severity == CONF_ERROR)
			text_addf(&o.said, "%s: %s", conf_diags_get(diags, i)->code,
				conf_diags_get(diags, i)->message);
	text_add(&o.said, "");
	text_add(&o.output, "");
	return o;
}

START_TEST(add)
{
	CLEANUP(outcome_done) struct outcome o = carry_out(
		ADD, (struct script){ .noise = true }, false);
	const struct pfkey_message *request = o.door->request;

	ck_assert_int_eq(o.result, 0);
	ck_assert_str_eq(o.output.str, "");
	ck_assert_uint_eq(request->type, PFKEY_ADD);
	ck_assert_uint_eq(request->satype, PFKEY_SATYPE_ESP);
	ck_assert_uint_eq(request->sa->spi, 0x1001);
	ck_assert_uint_eq(request->sa->encr_key_bits, 160);
	ck_assert_mem_eq(secret_bytes(request->sa->encr_key), "\x00\x01\x02\x03", 4);
	ck_assert_uint_eq(secret_len(request->sa->encr_key), 20);
	ck_assert_uint_eq(request->sa->protocol, 6);
	ck_assert_uint_eq(request->sa->dst_port, 389);
	ck_assert_uint_eq(request->sa->hard.bytes, 1000);
	ck_assert_uint_eq(request->sa->soft.add_sec, 24000);
}
END_TEST

static const struct {
	const char *text;
	struct script script;
	int result;
	const char *said;
} refusals[] = {
	{ ADD, { .error = EEXIST }, -EBADMSG,
		"pfkey-exists: Association (type = ESP) with spi 0x1001 and addr 192.0.2.17 "
		"already "
		"exists" },
	{ ADD, { .error = EINVAL, .diagnostic = PFKEY_DIAG_WEAK_EKEY }, -EBADMSG,
		"pfkey-refused: PF_KEY Diagnostic code 47: Weak encryption key" },
	{ ADD, { .error = ENOMEM }, -EBADMSG, "pfkey-refused: Cannot allocate memory" },
	{ "get" LOOKUP, { .error = ESRCH, .diagnostic = PFKEY_DIAG_SA_NOTFOUND }, -EBADMSG,
		"pfkey-absent: Association (type = ESP) with spi 0x1001 and addr 192.0.2.17 does "
		"not "
		"exist" },
	{ "delete" LOOKUP, { .error = ESRCH }, -EBADMSG,
		"pfkey-absent: Association (type = ESP) with spi 0x1001 and addr 192.0.2.17 does "
		"not "
		"exist" },
	{ "delete-pair" LOOKUP, { .error = ESRCH, .diagnostic = PFKEY_DIAG_PAIR_SA_NOTFOUND },
		-EBADMSG,
		"pfkey-refused: PF_KEY Diagnostic code 76: The other SA of the pair was not "
		"found" },
	{ "dump", { .error = EINVAL, .diagnostic = PFKEY_DIAG_NO_EXT }, -EBADMSG,
		"pfkey-refused: PF_KEY Diagnostic code 7: No extension may be present" },
	{ ADD, { .error = EPERM }, -EPERM, "" },
	{ ADD, { .hang_up = true }, -ECONNRESET, "" },
	{ "flush", { .noise = true }, 0, "" },
	{ "delete" LOOKUP, { .noise = true }, 0, "" },
};

START_TEST(answers)
{
	CLEANUP(outcome_done) struct outcome o = carry_out(
		refusals[_i].text, refusals[_i].script, false);

	ck_assert_int_eq(o.result, refusals[_i].result);
	ck_assert_str_eq(o.said.str, refusals[_i].said);
}
END_TEST

static const char association[] = "SA: SADB_ASSOC spi=0x3a02, replay window size=0, state=MATURE\n"
				  "SA: Encryption algorithm = aes-gcm\n"
				  "SA: flags=0x80018000 < X_USED X_PAIRED X_OUTBOUND >\n"
				  "SRC: Source address (proto=0)\n"
				  "SRC: AF_INET6: port 0, 2001:db8::1.\n"
				  "DST: Destination address (proto=0)\n"
				  "DST: AF_INET6: port 0, 2001:db8::1.\n"
				  "EKY: Encryption key.\n"
				  "EKY: 101112131415161718191a1b1c1d1e1f[20212223]/128+32\n"
				  "OTH: Paired with spi=0x3a03\n"
				  " LT: Lifetime information\n"
				  "CLT: Current lifetime information:\n"
				  "CLT: 1234 bytes protected, 0 allocations used.\n"
				  "CLT: SA added at time: 1000000\n"
				  "CLT: SA first used at time: 1000100\n"
				  "HLT: Hard lifetime information:\n"
				  "HLT: 5000 bytes of lifetime, 0 allocations.\n"
				  "HLT: 28800 seconds of post-add lifetime.\n"
				  "HLT: 0 seconds of post-use lifetime.\n"
				  "HLT: 3766 bytes more can be protected.\n"
				  "HLT: Hard expiration occurs in 28000 seconds\n"
				  "HLT: Time of expiration: 1028800.\n";

START_TEST(get)
{
	CLEANUP(outcome_done) struct outcome o = carry_out(
		"get" LOOKUP, (struct script){ .sas = 1 }, false);
	const char *body = strstr(o.output.str, "SA: ");

	ck_assert_int_eq(o.result, 0);
	ck_assert_ptr_nonnull(body);
	ck_assert_ptr_eq(strstr(o.output.str, "Base message (version 2) type GET, SA type ESP.\n"),
		o.output.str);
	ck_assert_str_eq(body, association);
	ck_assert(o.door->request->present ==
		  (PFKEY_BIT(PFKEY_EXT_SA) | PFKEY_BIT(PFKEY_EXT_ADDRESS_DST)));
}
END_TEST

START_TEST(dump)
{
	CLEANUP(outcome_done) struct outcome o = carry_out(
		"dump esp", (struct script){ .sas = 2, .noise = true }, false);
	const char *last = strstr(o.output.str, "\n\nDump succeeded for SA type 3.\n");
	size_t found = 0;

	ck_assert_int_eq(o.result, 0);
	for (const char *at = o.output.str; (at = strstr(at, association)); at++)
		found++;
	ck_assert_uint_eq(found, 2);
	ck_assert_ptr_nonnull(last);
}
END_TEST

START_TEST(json)
{
	CLEANUP(outcome_done) struct outcome o = carry_out(
		"dump", (struct script){ .sas = 1 }, true);

	ck_assert_int_eq(o.result, 0);
	ck_assert_str_eq(o.output.str,
		"{\"type\":\"esp\",\"spi\":14850,\"mode\":\"transport\",\"state\":\"mature\","
		"\"source\":\"2001:db8::1\",\"destination\":\"2001:db8::1\","
		"\"encr_alg\":\"aes-gcm\",\"replay_window\":0,\"pair_spi\":14851,"
		"\"flags\":[\"X_USED\",\"X_PAIRED\",\"X_OUTBOUND\"],"
		"\"current\":{\"bytes\":1234,\"alloc\":0,\"added\":1000000,\"used\":1000100},"
		"\"hard\":{\"bytes\":5000,\"addtime\":28800},"
		"\"encr_key\":\"101112131415161718191a1b1c1d1e1f20212223\"}");
}
END_TEST

START_TEST(paranoia)
{
	CLEANUP(sa_freep) struct sa *sa = example_sa();
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	const struct keys_print_style style = { .paranoid = true };

	msg = pfkey_message_of_sa(PFKEY_GET, sa, true);
	keys_print_message(msg, &(struct keys_wire){ 0 }, &style, &text);
	ck_assert_ptr_nonnull(
		strstr(text.str, "EKY: XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX[XXXXXXXX]/128+32\n"));
	ck_assert_ptr_null(strstr(text.str, "1011"));
}
END_TEST

START_TEST(nobody_there)
{
	struct pfkey_client *client = NULL;

	ck_assert_int_eq(setenv("NETIPSEC_ROOT", "/nowhere", 1), 0);
	ck_assert_int_eq(pfkey_client_new(&client), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys_send");
	TCase *tc = tcase_create("keys_send");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, add);
	tcase_add_loop_test(tc, answers, 0, ARRAY_SIZE(refusals));
	tcase_add_test(tc, get);
	tcase_add_test(tc, dump);
	tcase_add_test(tc, json);
	tcase_add_test(tc, paranoia);
	tcase_add_test(tc, nobody_there);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
