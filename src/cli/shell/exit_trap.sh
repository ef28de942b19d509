
_deploylock_arm() {
    _deploylock_old= _deploylock_trapped=
    _deploylock_look || return
    case $_deploylock_old in
    '_deploylock_exit "$?"') ;;
    *)
        _deploylock_before=$_deploylock_old
        trap '_deploylock_exit "$?"' EXIT
        ;;
    esac
    _deploylock_arm_signals "$_deploylock_trapped"
}

# The script's own trap cleans up under the locks; one that itself exits would leave them held, and comes after.
_deploylock_exit() {
    _deploylock_status=$1
    set +e
    case $_deploylock_before in
    *exit*)
        _deploylock_end "$_deploylock_status"
        _deploylock_run_before
        ;;
    *)
        _deploylock_run_before
        _deploylock_end "$_deploylock_status"
        ;;
    esac
    _deploylock_pass_on
}

# With the status in $?, as it would have had it.
_deploylock_run_before() {
    _deploylock_give "$_deploylock_status"
    eval "$_deploylock_before"
}

_deploylock_give() { return "$1"; }
