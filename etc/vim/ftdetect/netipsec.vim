" SPDX-License-Identifier: GPL-2.0-or-later
autocmd BufNewFile,BufRead ipsecinit.conf,ipsecinit.sample,*/ipsecinit.conf.d/*.conf setfiletype ipsecinit
autocmd BufNewFile,BufRead ipseckeys,ipseckeys.sample setfiletype ipseckeys
autocmd BufNewFile,BufRead */inet/ipsecalgs setfiletype ipsecalgs
