# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for the commands and daemons of netipsec; installed once for each of them.

function __netipsec_words
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    bash /usr/share/netipsec/complete $words "$current"
end

complete -c (basename (status filename) .fish) -f -a '(__netipsec_words)'
