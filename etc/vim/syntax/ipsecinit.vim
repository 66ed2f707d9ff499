" SPDX-License-Identifier: GPL-2.0-or-later
" Vim syntax of ipsecinit.conf(5).
if exists('b:current_syntax')
  finish
endif
let s:cpo_save = &cpo
set cpo&vim

syntax case match
syntax iskeyword @,48-57,_,-
syntax match ipsecinitComment "#.*$" contains=@Spell
syntax keyword ipsecinitPattern saddr src srcaddr daddr dst dstaddr smask dmask
syntax keyword ipsecinitPattern laddr local raddr remote ulp proto type code dir tunnel negotiate
syntax keyword ipsecinitPattern sport dport lport rport
syntax keyword ipsecinitProperty auth_algs encr_algs encr_auth_algs sa
syntax keyword ipsecinitAction apply permit ipsec bypass pass drop or
syntax keyword ipsecinitValue in out both shared unique any any-pre transport
syntax match ipsecinitAddress "\<\d\{1,3}\%(\.\d\{1,3}\)\{3}\%(/\d\+\)\=\>"
syntax match ipsecinitAddress "\%(\x\{0,4}:\)\{2,7}\%(\x\{1,4}\)\=\%(/\d\+\)\="
syntax match ipsecinitBrace "[{}]"

highlight default link ipsecinitComment Comment
highlight default link ipsecinitPattern Identifier
highlight default link ipsecinitProperty Type
highlight default link ipsecinitAction Statement
highlight default link ipsecinitValue Constant
highlight default link ipsecinitAddress Number
highlight default link ipsecinitBrace Delimiter

let b:current_syntax = 'ipsecinit'
let &cpo = s:cpo_save
unlet s:cpo_save
