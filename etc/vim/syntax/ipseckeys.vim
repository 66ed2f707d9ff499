" SPDX-License-Identifier: GPL-2.0-or-later
" Vim syntax of ipseckeys(5).
if exists('b:current_syntax')
  finish
endif
let s:cpo_save = &cpo
set cpo&vim

syntax case match
syntax iskeyword @,48-57,_,-
syntax match ipseckeysComment "\%(^\|\s\)\@1<=#.*$" contains=@Spell
syntax keyword ipseckeysCommand add update update-pair delete delete-pair get flush dump
syntax keyword ipseckeysCommand quit exit monitor passive_monitor pmonitor save fingerprint help rollover
syntax keyword ipseckeysType esp ah all
syntax keyword ipseckeysKeyword spi pair-spi replay replay_value state flags
syntax keyword ipseckeysKeyword auth_alg authalg encr_alg encralg soft_bytes hard_bytes
syntax keyword ipseckeysKeyword soft_addtime hard_addtime soft_usetime hard_usetime soft_alloc hard_alloc
syntax keyword ipseckeysKeyword idle_addtime idle_usetime src saddr srcaddr src6 saddr6 srcaddr6
syntax keyword ipseckeysKeyword dst daddr dstaddr dst6 daddr6 dstaddr6 sport dport
syntax keyword ipseckeysKeyword innersrc isrc proxyaddr proxy innersrc6 isrc6 proxyaddr6 proxy6
syntax keyword ipseckeysKeyword innerdst idst innerdst6 idst6 innersport isport innerdport idport
syntax keyword ipseckeysKeyword proto ulp iproto iulp reserved_bits srcidtype dstidtype
syntax keyword ipseckeysKeyword nat_loc nat_rem nat_lport nat_rport encap tfc_pad tfc_dummy
syntax keyword ipseckeysKeyword inbound outbound send_from send_until receive_until
syntax keyword ipseckeysKeyword label outer-label implicit-label sens_level sens_map integ_level integ_map
syntax keyword ipseckeysKeyword current_bytes current_addtime current_usetime current_alloc dpd
syntax keyword ipseckeysKey authkey encrkey nextgroup=ipseckeysSecret skipwhite
syntax match ipseckeysSecret "[0-9A-Fa-f]\+\%(/\d\+\)\=" contained
syntax match ipseckeysNumber "\<\%(0x\x\+\|\d\+\)\>"
syntax match ipseckeysContinued "\\$"

highlight default link ipseckeysComment Comment
highlight default link ipseckeysCommand Statement
highlight default link ipseckeysType Type
highlight default link ipseckeysKeyword Identifier
highlight default link ipseckeysKey Special
highlight default link ipseckeysSecret String
highlight default link ipseckeysNumber Number
highlight default link ipseckeysContinued Delimiter

let b:current_syntax = 'ipseckeys'
let &cpo = s:cpo_save
unlet s:cpo_save
