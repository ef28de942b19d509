
# A hook of its own beside the script's EXIT trap, which in zsh would be a function's when set in one. `set -e` leaves
# without the hooks; what comes before it does is the trap ZERR.
_deploylock_arm() {
    _deploylock_old= _deploylock_trapped=
    _deploylock_look || return
    _deploylock_level=$ZSH_SUBSHELL
    case " ${zshexit_functions[*]-} " in
    *" _deploylock_exit "*) ;;
    *) zshexit_functions+=(_deploylock_exit) ;;
    esac
    case $_deploylock_trapped in *ZERR*) ;; *) trap '_deploylock_fails "$?"' ZERR ;; esac
    _deploylock_arm_signals "$_deploylock_trapped ${(k)functions[(I)TRAP(INT|TERM|HUP)]}"
}

_deploylock_exit() {
    _deploylock_status=$?
    [[ $ZSH_SUBSHELL = "$_deploylock_level" ]] || return 0
    _deploylock_end "$_deploylock_status"
    _deploylock_pass_on
}

_deploylock_fails() {
    [[ ! -o errexit || $ZSH_SUBSHELL != "$_deploylock_level" ]] || _deploylock_end "$1"
}
