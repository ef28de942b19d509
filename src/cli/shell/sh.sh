
# Not every shell lists its traps in a command substitution.
_deploylock_look() {
    _deploylock_list=$(mktemp) || return
    trap >"$_deploylock_list"
    eval "$(sed 's/^trap -- /_deploylock_seen /' "$_deploylock_list")"
    rm -f "$_deploylock_list"
}
