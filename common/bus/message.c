/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/bus/wire.h"

/* ---- reading ---- */

void reader_start(struct bus_reader *rd, DBusMessage *message)
{
	*rd = (struct bus_reader){ .message = message };
	(void)dbus_message_iter_init(message, &rd->iters[0]); /* FALSE: no arguments, at the end */
}

void reader_done(struct bus_reader *rd)
{
	if (rd->peeked)
		dbus_free(rd->peeked);
	rd->peeked = NULL;
}

static DBusMessageIter *reader_iter(struct bus_reader *rd)
{
	return &rd->iters[rd->depth];
}

static bool is_byte_array(DBusMessageIter *iter)
{
	return dbus_message_iter_get_arg_type(iter) == DBUS_TYPE_ARRAY &&
	       dbus_message_iter_get_element_type(iter) == DBUS_TYPE_BYTE;
}

/* Looks ahead over the whole signature, so that a failed read has taken nothing. */
static bool signature_stands(DBusMessageIter iter, const char *signature)
{
	for (const char *s = signature; *s; s++) {
		if (s[0] == 'a') {
			if (s[1] != 'y' || !is_byte_array(&iter))
				return false;
			s++;
		} else if (!dbus_type_is_basic(*s) || dbus_message_iter_get_arg_type(&iter) != *s) {
			return false;
		}
		(void)dbus_message_iter_next(&iter);
	}
	return true;
}

int bus_read(struct bus_reader *rd, const char *signature, ...)
{
	DBusMessageIter *iter = reader_iter(rd);
	int *fds[BUS_MAX_FDS];
	size_t n_fds = 0;
	va_list args;
	int r = 0;

	if (!rd->message || !signature_stands(*iter, signature))
		return -EBADMSG;
	va_start(args, signature);
	for (const char *s = signature; *s && r == 0; s++) {
		if (*s == 'a') {
			const uint8_t **ret_bytes = va_arg(args, const uint8_t **);
			size_t *ret_len = va_arg(args, size_t *);
			DBusMessageIter sub;
			int n;

			dbus_message_iter_recurse(iter, &sub);
			dbus_message_iter_get_fixed_array(&sub, ret_bytes, &n);
			*ret_len = (size_t)n;
			s++;
		} else {
			void *ret = va_arg(args, void *);

			dbus_message_iter_get_basic(iter, ret);
			if (*s == 'h') {
				if (n_fds == BUS_MAX_FDS || *(int *)ret < 0)
					r = *(int *)ret < 0 ? -EMFILE : -EBADMSG;
				else
					fds[n_fds++] = ret;
			}
		}
		(void)dbus_message_iter_next(iter);
	}
	va_end(args);
	for (size_t i = 0; r < 0 && i < n_fds; i++) {
		fd_closep(fds[i]);
		*fds[i] = -1;
	}
	return r;
}

int bus_enter(struct bus_reader *rd, char type, const char *contents)
{
	DBusMessageIter *iter = reader_iter(rd);
	int want = type == 'r' ? DBUS_TYPE_STRUCT : type == 'e' ? DBUS_TYPE_DICT_ENTRY : type;
	DBusMessageIter *sub = iter + 1;

	if (!rd->message || rd->depth + 1 >= BUS_MAX_DEPTH ||
		dbus_message_iter_get_arg_type(iter) != want)
		return -EBADMSG;
	dbus_message_iter_recurse(iter, sub);
	if (contents && *contents && (type == 'a' || type == 'v')) {
		char *found = dbus_message_iter_get_signature(type == 'a' ? iter : sub);
		bool same;

		if (!found)
			return -ENOMEM;
		same = strcmp(type == 'a' ? found + 1 : found, contents) == 0;
		dbus_free(found);
		if (!same)
			return -EBADMSG;
	}
	rd->depth++;
	return 0;
}

int bus_leave(struct bus_reader *rd)
{
	if (rd->depth == 0)
		return -EBADMSG;
	rd->depth--;
	(void)dbus_message_iter_next(reader_iter(rd));
	return 0;
}

bool bus_at_end(struct bus_reader *rd)
{
	return !rd->message || dbus_message_iter_get_arg_type(reader_iter(rd)) == DBUS_TYPE_INVALID;
}

int bus_peek(struct bus_reader *rd, char *ret_type, const char **ret_contents)
{
	DBusMessageIter *iter = reader_iter(rd), sub;
	int type = bus_at_end(rd) ? DBUS_TYPE_INVALID : dbus_message_iter_get_arg_type(iter);

	if (type == DBUS_TYPE_INVALID)
		return -EBADMSG;
	reader_done(rd);
	if (type == DBUS_TYPE_VARIANT) {
		dbus_message_iter_recurse(iter, &sub);
		iter = &sub;
	}
	rd->peeked = dbus_message_iter_get_signature(iter);
	if (!rd->peeked)
		return -ENOMEM;
	*ret_type = type == DBUS_TYPE_STRUCT	   ? 'r'
		    : type == DBUS_TYPE_DICT_ENTRY ? 'e'
						   : (char)type;
	*ret_contents = type == DBUS_TYPE_ARRAY	    ? rd->peeked + 1
			: type == DBUS_TYPE_VARIANT ? rd->peeked
						    : "";
	return 0;
}

int bus_skip(struct bus_reader *rd)
{
	if (bus_at_end(rd))
		return -EBADMSG;
	(void)dbus_message_iter_next(reader_iter(rd));
	return 0;
}

static int read_option(struct bus_reader *rd, const struct bus_option *option)
{
	int r = bus_enter(rd, 'v', option->signature);

	if (r < 0)
		return r;
	/* One basic type that owns nothing: a descriptor would leak when a later option is refused. */
	if (strlen(option->signature) != 1 || !dbus_type_is_basic(option->signature[0]) ||
		option->signature[0] == 'h')
		return -EINVAL;
	dbus_message_iter_get_basic(reader_iter(rd), option->ret);
	return bus_leave(rd);
}

int bus_read_options(struct bus_reader *rd, const struct bus_option *options, size_t n_options,
	const char **ret_bad_key)
{
	uint64_t seen = 0;
	int r = bus_enter(rd, 'a', "{sv}");

	*ret_bad_key = "";
	while (r == 0 && !bus_at_end(rd)) {
		const char *key = NULL;
		size_t i = 0;

		r = bus_enter(rd, 'e', "");
		if (r == 0)
			r = bus_read(rd, "s", &key);
		if (r < 0 || !key)
			return r;
		*ret_bad_key = key;
		while (i < n_options && strcmp(options[i].key, key) != 0)
			i++;
		if (i >= n_options || i >= 64 || (seen & UINT64_C(1) << i))
			return -EBADMSG;
		seen |= UINT64_C(1) << i;
		r = read_option(rd, &options[i]);
		if (r == 0)
			r = bus_leave(rd);
	}
	if (r < 0)
		return r;
	*ret_bad_key = NULL;
	return bus_leave(rd);
}

/* ---- writing ---- */

int writer_start(
	struct bus_writer *wr, struct bus *bus, DBusConnection *connection, DBusMessage *message)
{
	*wr = (struct bus_writer){ .bus = bus, .message = message };
	if (!message)
		return -ENOMEM;
	wr->connection = dbus_connection_ref(connection);
	dbus_message_iter_init_append(message, &wr->iters[0]);
	return 0;
}

void writer_done(struct bus_writer *wr)
{
	for (; wr->depth > 0; wr->depth--)
		dbus_message_iter_abandon_container_if_open(
			&wr->iters[wr->depth - 1], &wr->iters[wr->depth]);
	if (wr->message)
		dbus_message_unref(wr->message);
	if (wr->connection)
		dbus_connection_unref(wr->connection);
	*wr = (struct bus_writer){ 0 };
}

int writer_send(struct bus_writer *wr)
{
	if (wr->error < 0)
		return wr->error;
	if (wr->depth > 0)
		return -EINVAL;
	if (!dbus_connection_get_is_connected(wr->connection))
		return -ENOTCONN;
	return dbus_connection_send(wr->connection, wr->message, NULL) ? 0 : -ENOMEM;
}

/* Bytes of the UTF-8 sequence at @s that libdbus accepts, 0 for none. */
static size_t utf8_length(const unsigned char *s)
{
	uint32_t c = s[0];
	size_t len = c < 0x80		      ? 1
		     : c >= 0xc2 && c <= 0xdf ? 2
		     : c >= 0xe0 && c <= 0xef ? 3
		     : c >= 0xf0 && c <= 0xf4 ? 4
					      : 0;

	if (len > 1)
		c &= 0x7fU >> len;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	if ((len == 3 && c < 0x800) || (len == 4 && (c < 0x10000 || c > 0x10ffff)) ||
		(c >= 0xd800 && c <= 0xdfff))
		return 0;
	return len;
}

char *utf8_clean(const char *str)
{
	struct text out = { 0 };
	char *clean;

	text_add(&out, "");
	for (const char *s = str; *s;) {
		size_t len = utf8_length((const unsigned char *)s);

		if (len)
			text_add_bytes(&out, s, len);
		else
			text_add(&out, "\xef\xbf\xbd");
		s += len ? len : 1;
	}
	if (!out.str && !out.failed)
		return strdup("");
	if (text_take(&out, &clean) < 0) {
		text_done(&out);
		return NULL;
	}
	return clean;
}

static int append_string(DBusMessageIter *iter, int type, const char *str)
{
	CLEANUP(freep) char *clean = NULL;

	if (!str)
		return -EINVAL;
	if ((type == DBUS_TYPE_OBJECT_PATH && !dbus_validate_path(str, NULL)) ||
		(type == DBUS_TYPE_SIGNATURE && !dbus_signature_validate(str, NULL)))
		return -EINVAL;
	/* libdbus aborts on what is not UTF-8, and messages may quote any file. */
	if (type == DBUS_TYPE_STRING && !dbus_validate_utf8(str, NULL)) {
		clean = utf8_clean(str);
		if (!clean)
			return -ENOMEM;
		str = clean;
	}
	return dbus_message_iter_append_basic(iter, type, &str) ? 0 : -ENOMEM;
}

static int append_bytes(DBusMessageIter *iter, const uint8_t *bytes, size_t len)
{
	DBusMessageIter sub;

	if (len > DBUS_MAXIMUM_ARRAY_LENGTH)
		return -EFBIG;
	if (!bytes)
		bytes = (const uint8_t *)"";
	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "y", &sub))
		return -ENOMEM;
	if (!dbus_message_iter_append_fixed_array(&sub, DBUS_TYPE_BYTE, &bytes, (int)len)) {
		dbus_message_iter_abandon_container(iter, &sub);
		return -ENOMEM;
	}
	return dbus_message_iter_close_container(iter, &sub) ? 0 : -ENOMEM;
}

static int append_fd(struct bus_writer *wr, int fd)
{
	if (fd < 0)
		return -EBADF;
	if (++wr->n_fds > BUS_MAX_FDS)
		return -E2BIG;
	return dbus_message_iter_append_basic(&wr->iters[wr->depth], DBUS_TYPE_UNIX_FD, &fd)
		       ? 0
		       : -ENOMEM;
}

void writer_append(struct bus_writer *wr, const char *signature, va_list args)
{
	DBusMessageIter *iter = &wr->iters[wr->depth];
	int r = wr->error;

	for (const char *s = signature ? signature : ""; *s && r == 0; s++) {
		DBusBasicValue v = { 0 };

		switch (*s) {
		case 'y':
			v.byt = (unsigned char)va_arg(args, int);
			break;
		case 'b':
			v.bool_val = va_arg(args, int) != 0;
			break;
		case 'n':
		case 'q':
			v.u16 = (uint16_t)va_arg(args, int);
			break;
		case 'i':
		case 'u':
			v.u32 = va_arg(args, uint32_t);
			break;
		case 'x':
		case 't':
			v.u64 = va_arg(args, uint64_t);
			break;
		case 'd':
			v.dbl = va_arg(args, double);
			break;
		case 's':
		case 'o':
		case 'g':
			r = append_string(iter, *s, va_arg(args, const char *));
			continue;
		case 'h':
			r = append_fd(wr, va_arg(args, int));
			continue;
		case 'a': {
			const uint8_t *bytes;

			if (*++s != 'y')
				break;
			bytes = va_arg(args, const uint8_t *);
			r = append_bytes(iter, bytes, va_arg(args, size_t));
			continue;
		}
		default:
			break;
		}
		if (dbus_type_is_basic(*s))
			r = dbus_message_iter_append_basic(iter, *s, &v) ? 0 : -ENOMEM;
		else
			r = -EINVAL;
	}
	wr->error = r;
}

void writer_put(struct bus_writer *wr, const char *signature, ...)
{
	va_list args;

	va_start(args, signature);
	if (wr)
		writer_append(wr, signature, args);
	va_end(args);
}

int bus_write(struct bus_writer *wr, const char *signature, ...)
{
	va_list args;

	va_start(args, signature);
	writer_append(wr, signature, args);
	va_end(args);
	return wr->error;
}

int bus_open_container(struct bus_writer *wr, char type, const char *contents)
{
	bool named = type == 'a' || type == 'v';
	int libdbus_type = type == 'r'	 ? DBUS_TYPE_STRUCT
			   : type == 'e' ? DBUS_TYPE_DICT_ENTRY
					 : type;

	if (wr->error < 0)
		return wr->error;
	if (wr->depth + 1 >= BUS_MAX_DEPTH || (!named && type != 'r' && type != 'e') ||
		(named && !(contents && *contents)))
		return wr->error = -EINVAL;
	/* A dict entry alone is no valid signature, but it is what an array of them holds. */
	if (named && contents[0] != '{' && !dbus_signature_validate_single(contents, NULL))
		return wr->error = -EINVAL;
	if (!dbus_message_iter_open_container(&wr->iters[wr->depth], libdbus_type,
		    named ? contents : NULL, &wr->iters[wr->depth + 1]))
		return wr->error = -ENOMEM;
	wr->depth++;
	return 0;
}

int bus_close_container(struct bus_writer *wr)
{
	if (wr->error < 0)
		return wr->error;
	if (wr->depth == 0)
		return wr->error = -EINVAL;
	wr->depth--;
	/* The sub-iterator is dead either way. */
	if (!dbus_message_iter_close_container(&wr->iters[wr->depth], &wr->iters[wr->depth + 1]))
		return wr->error = -ENOMEM;
	return 0;
}

int bus_write_option(struct bus_writer *wr, const char *key, const char *signature, ...)
{
	va_list args;

	if (bus_open_container(wr, 'e', "") < 0 || bus_write(wr, "s", key) < 0 ||
		bus_open_container(wr, 'v', signature) < 0)
		return wr->error;
	va_start(args, signature);
	writer_append(wr, signature, args);
	va_end(args);
	if (bus_close_container(wr) < 0)
		return wr->error;
	return bus_close_container(wr);
}
