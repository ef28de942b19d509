# deploylock's functions for a script that cannot be wrapped in `deploylock run`.
#   deploylock_acquire --env prod --app shop || exit      the arguments of `deploylock acquire`
#   deploylock_release                                    before the end; else the script's end does it
# Set traps of your own before the first deploylock_acquire: an EXIT trap that is there stays.
_deploylock_depth=0
_deploylock_new=
_deploylock_before=
_deploylock_caught=
_deploylock_pid=

_deploylock_program() { @DEPLOYLOCK@ "$@"; }

deploylock_acquire() {
    _deploylock_own
    _deploylock_arm || return
    _deploylock_new=$(_deploylock_program acquire --format=shell "$@") || return
    _deploylock_push
}

deploylock_release() {
    if [ "$_deploylock_depth" -eq 0 ]; then
        echo "deploylock_release: this script holds nothing; deploylock_acquire comes first" >&2
        return 3
    fi
    _deploylock_code=0
    eval "_deploylock_id=\$_deploylock_id_$_deploylock_depth"
    _deploylock_program release "$_deploylock_id" "$@" || _deploylock_code=$?
    # What is not there is nobody's to give back a second time.
    case $_deploylock_code in 0 | 3) _deploylock_pop ;; esac
    return "$_deploylock_code"
}

# A subshell gives back what is its own, not what the shell around it holds.
_deploylock_own() {
    _deploylock_here=$(exec sh -c 'echo "$PPID"')
    [ "$_deploylock_here" != "$_deploylock_pid" ] || return 0
    _deploylock_pid=$_deploylock_here
    _deploylock_depth=0
    _deploylock_before=
}

# What was just acquired becomes the innermost; the variables of the one around it are kept for its release.
_deploylock_push() {
    for _deploylock_name in ID TOKEN LOCKS ENV APP APP_VERSION VERSION; do
        eval "_deploylock_${_deploylock_depth}_$_deploylock_name=\${DEPLOYLOCK_$_deploylock_name-}"
    done
    eval "$_deploylock_new"
    _deploylock_new=
    _deploylock_depth=$((_deploylock_depth + 1))
    eval "_deploylock_id_$_deploylock_depth=\$DEPLOYLOCK_ID"
}

_deploylock_pop() {
    _deploylock_depth=$((_deploylock_depth - 1))
    for _deploylock_name in ID TOKEN LOCKS ENV APP APP_VERSION VERSION; do
        eval "_deploylock_value=\$_deploylock_${_deploylock_depth}_$_deploylock_name"
        if [ -n "$_deploylock_value" ]; then
            eval "export DEPLOYLOCK_$_deploylock_name=\"\$_deploylock_value\""
        else
            unset "DEPLOYLOCK_$_deploylock_name"
        fi
    done
}

# The script ends with this status: everything goes back, the innermost first.
_deploylock_end() {
    # A signal came between the grant and its noting.
    [ -z "$_deploylock_new" ] || _deploylock_push
    _deploylock_outcome=failed
    [ "$1" -ne 0 ] || _deploylock_outcome=done
    while [ "$_deploylock_depth" -gt 0 ]; do
        eval "_deploylock_id=\$_deploylock_id_$_deploylock_depth"
        _deploylock_program release "$_deploylock_id" --outcome="$_deploylock_outcome" || :
        _deploylock_pop
    done
}

# A signal ends the script, once what it runs has ended.
_deploylock_signal() {
    _deploylock_caught=$1
    exit "$2"
}

# And whoever started it is to see that a signal did; of HUP, zsh makes a status of its own.
_deploylock_pass_on() {
    case $_deploylock_caught in INT | TERM) ;; *) return 0 ;; esac
    trap - "$_deploylock_caught"
    # bash passes over an INT that comes while it waits for a command.
    if [ -n "${BASHPID-}" ]; then
        kill -s "$_deploylock_caught" "$BASHPID"
    else
        sh -c 'kill -s "$1" "$PPID"' sh "$_deploylock_caught"
    fi
}

# Signals that have a trap, or are ignored, are left to the script, and so is a shell that somebody types in.
_deploylock_arm_signals() {
    case $- in *i*) return ;; esac
    case $1 in *INT*) ;; *) trap '_deploylock_signal INT 130' INT ;; esac
    case $1 in *TERM*) ;; *) trap '_deploylock_signal TERM 143' TERM ;; esac
    case $1 in *HUP*) ;; *) trap '_deploylock_signal HUP 129' HUP ;; esac
}

# One line of what `trap` lists.
_deploylock_seen() {
    case $2 in
    EXIT | 0) _deploylock_old=$1 ;;
    *) _deploylock_trapped="$_deploylock_trapped $2" ;;
    esac
}
