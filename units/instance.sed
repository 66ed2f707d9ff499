# SPDX-License-Identifier: GPL-2.0-or-later
# From the unit of a host's service the template of its instances. The unit of the lid is the host's
# alone: no namespace is there when it runs.
s/^(Description=.*)$/\1, network namespace %i/
/^(Wants|After)=/s/\b(ipsec-(datapath|ike|manual-key|policy)|ipsecalgs)\.service/\1@%i.service/g
/^\[Service\]$/i\
Wants=ipsec-instance@%i.service\
After=ipsec-instance@%i.service\

/^\[Service\]$/a\
Environment=NETIPSEC_INSTANCE=%i
s/^RuntimeDirectory=netipsec$/RuntimeDirectory=netipsec@%i/
s,^StateDirectory=netipsec/,StateDirectory=netipsec/ns/%i/,
s,^(ReadWritePaths=-?)/var/lib/netipsec/,\1/var/lib/netipsec/ns/%i/,
/^(ReadWrite|ReadOnly|Inaccessible)Paths=/s,/etc/inet\b,/etc/netipsec/ns/%i,g
/^Also=/d
