" SPDX-License-Identifier: GPL-2.0-or-later
" Vim syntax of ipsecalgs(5): PROTO|2|name|mode and ALG|2|7|names|keys|blocks or IVs.
if exists('b:current_syntax')
  finish
endif
let s:cpo_save = &cpo
set cpo&vim

syntax case match
syntax match ipsecalgsComment "#.*$" contains=@Spell
syntax match ipsecalgsKeyword "^\%(PROTO\|ALG\|PKGSTART\|PKGEND\)\ze\%(|\|$\|\s\)"
syntax match ipsecalgsNumber "|\@1<=\d\+\%([,/-]\d\+\)*\ze\%(|\|$\)"
syntax match ipsecalgsMode "|\@1<=\%(sync\|async\)\ze\%(|\|$\)"
syntax match ipsecalgsBar "|"

highlight default link ipsecalgsComment Comment
highlight default link ipsecalgsKeyword Statement
highlight default link ipsecalgsNumber Number
highlight default link ipsecalgsMode Constant
highlight default link ipsecalgsBar Delimiter

let b:current_syntax = 'ipsecalgs'
let &cpo = s:cpo_save
unlet s:cpo_save
