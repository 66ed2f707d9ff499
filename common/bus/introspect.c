/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/bus/wire.h"

static const char *const emits_names[] = {
	[BUS_EMITS_TRUE] = "true",
	[BUS_EMITS_INVALIDATES] = "invalidates",
	[BUS_EMITS_CONST] = "const",
	[BUS_EMITS_FALSE] = "false",
};

/* One element per complete type of @signature; names are taken from *names as they come. */
static void print_args(
	struct text *xml, const char *signature, const char *direction, const char **names)
{
	DBusSignatureIter iter;

	if (!*signature)
		return;
	dbus_signature_iter_init(&iter, signature);
	do {
		char *type = dbus_signature_iter_get_signature(&iter);
		size_t len = strcspn(*names, " ");

		if (!type) {
			xml->failed = true;
			return;
		}
		text_add(xml, "      <arg");
		if (len)
			text_addf(xml, " name=\"%.*s\"", (int)len, *names);
		text_addf(xml, " type=\"%s\"", type);
		if (direction)
			text_addf(xml, " direction=\"%s\"", direction);
		text_add(xml, "/>\n");
		*names += len;
		*names += strspn(*names, " ");
		dbus_free(type);
	} while (dbus_signature_iter_next(&iter));
}

static void print_member(struct text *xml, const struct bus_member *m)
{
	const char *names = m->names ? m->names : "";

	switch (m->kind) {
	case BUS_MEMBER_METHOD:
		text_addf(xml, "    <method name=\"%s\">\n", m->name);
		print_args(xml, m->in, "in", &names);
		print_args(xml, m->out, "out", &names);
		text_add(xml, "    </method>\n");
		break;
	case BUS_MEMBER_SIGNAL:
		text_addf(xml, "    <signal name=\"%s\">\n", m->name);
		print_args(xml, m->out, NULL, &names);
		text_add(xml, "    </signal>\n");
		break;
	case BUS_MEMBER_PROPERTY:
		text_addf(xml, "    <property name=\"%s\" type=\"%s\" access=\"read\">\n", m->name,
			m->out);
		text_addf(xml, "      <annotation name=\"%s\" value=\"%s\"/>\n",
			"org.freedesktop.DBus.Property.EmitsChangedSignal", emits_names[m->emits]);
		text_add(xml, "    </property>\n");
		break;
	case BUS_MEMBER_END:
		break;
	}
}

static void print_interface(struct text *xml, const char *name, const struct bus_member *members)
{
	text_addf(xml, "  <interface name=\"%s\">\n", name);
	for (const struct bus_member *m = members; m->kind != BUS_MEMBER_END; m++)
		print_member(xml, m);
	text_add(xml, "  </interface>\n");
}

/* The name of the node directly below @path on the way to @below; 0: it does not lie below. */
static size_t child_name(const char *path, const char *below, const char **ret_name)
{
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);

	if (strncmp(below, path, len) != 0 || below[len] != '/')
		return 0;
	*ret_name = below + len + 1;
	return strcspn(*ret_name, "/");
}

static void print_children(struct text *xml, const struct bus *bus, const char *path)
{
	for (const struct bus_interface *i = bus->interfaces; i; i = i->next) {
		const char *name, *other;
		size_t len = child_name(path, i->path, &name);
		bool seen = len == 0;

		for (const struct bus_interface *j = bus->interfaces; j != i && !seen; j = j->next)
			seen = child_name(path, j->path, &other) == len &&
			       strncmp(name, other, len) == 0;
		if (!seen)
			text_addf(xml, "  <node name=\"%.*s\"/>\n", (int)len, name);
	}
}

int bus_introspect(struct bus *bus, const char *path, struct text *ret_xml)
{
	bool object = false;

	if (!object_exists(bus, path))
		return -ENOENT;
	text_add(ret_xml, DBUS_INTROSPECT_1_0_XML_DOCTYPE_DECL_NODE);
	text_add(ret_xml, "<node>\n");
	for (const struct bus_interface *i = bus->interfaces; i; i = i->next) {
		if (strcmp(i->path, path) != 0)
			continue;
		print_interface(ret_xml, i->name, i->members);
		object = true;
	}
	print_interface(ret_xml, DBUS_INTERFACE_INTROSPECTABLE, introspect_members);
	if (object) {
		print_interface(ret_xml, DBUS_INTERFACE_PROPERTIES, properties_members);
		print_interface(ret_xml, DBUS_INTERFACE_PEER, peer_members);
	}
	print_children(ret_xml, bus, path);
	text_add(ret_xml, "</node>\n");
	return ret_xml->failed ? -ENOMEM : 0;
}

static int on_introspect(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct text xml = { 0 };
	int r;

	(void)args;
	r = bus_introspect(userdata, dbus_message_get_path(call->message), &xml);
	if (r == 0)
		r = bus_call_reply(call, "s", xml.str);
	text_done(&xml);
	return r;
}

const struct bus_member introspect_members[] = {
	BUS_METHOD("Introspect", "", "s", "xml_data", on_introspect),
	BUS_END,
};

/* libdbus itself answers org.freedesktop.DBus.Peer; these rows are for readers of the XML. */
static int on_peer(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	(void)call;
	(void)args;
	(void)userdata;
	return -EOPNOTSUPP;
}

const struct bus_member peer_members[] = {
	BUS_METHOD("Ping", "", "", "", on_peer),
	BUS_METHOD("GetMachineId", "", "s", "machine_uuid", on_peer),
	BUS_END,
};
