
# A hook of its own beside the script's EXIT trap, which in zsh would be a function's when set in one. `set -e` leaves
# without the hooks; what comes before it does is the trap ZERR.
_deploylock_arm() {
    if [[ $ZSH_SUBSHELL != 0 ]]; then
        echo "deploylock_acquire: zsh has no hook for the end of a subshell; call it outside of ( )" >&2
        return 2
    fi
    _deploylock_old= _deploylock_trapped=
    _deploylock_look || return
    case " ${zshexit_functions[*]-} " in
    *" _deploylock_exit "*) ;;
    *) zshexit_functions+=(_deploylock_exit) ;;
    esac
    case $_deploylock_trapped in *ZERR*) ;; *) trap '_deploylock_fails "$?"' ZERR ;; esac
    _deploylock_arm_signals "$_deploylock_trapped ${(k)functions[(I)TRAP(INT|TERM|HUP)]}"
}

_deploylock_exit() {
    _deploylock_status=$?
    [[ $ZSH_SUBSHELL = 0 ]] || return 0
    _deploylock_end "$_deploylock_status"
    _deploylock_pass_on
}

_deploylock_fails() {
    [[ ! -o errexit || $ZSH_SUBSHELL != 0 ]] || _deploylock_end "$1"
}
