# Names that are known only now, asked of deploylock itself.
function __deploylock_names
    set -l typed (commandline -opc)
    command deploylock __complete $argv[1] $typed[2..-1] 2>/dev/null
end

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_deploylock_global_optspecs
    string join \n config= lock-dir= color= q/quiet v/verbose h/help V/version
end

function __fish_deploylock_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_deploylock_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_deploylock_using_subcommand
    set -l cmd (__fish_deploylock_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c deploylock -n "__fish_deploylock_needs_command" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_needs_command" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_needs_command" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_needs_command" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_needs_command" -s V -l version -d 'Print version'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "run" -d 'Take the locks, run a command, give them back'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "acquire" -d 'Take the locks and print the deployment\'s id; they stay until released'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "release" -d 'Give the locks of a deployment back, or withdraw one that waits or is paused'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "renew" -d 'Start a deployment\'s time to live again, or set a new one'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "wait" -d 'Wait until a deployment holds its locks, or until a target could be had; takes nothing'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "list" -d 'Show what is held, by whom, why and until when, and who waits'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "clear" -d 'Remove deployments by hand: those that are stale, or others after asking'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "cancel" -d 'Ask a deployment to end: a waiter gives up, a run\'s command gets SIGTERM'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "plan" -d 'Show which locks a target takes, why, and what stands in the way; takes nothing'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "history" -d 'Show what happened: acquired, waited, released, paused, cleared, reclaimed'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "check" -d 'Check the topology file and the store'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "migrate" -d 'Carry over what is held and paused to another store'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "init" -d 'Write a commented starter deploylock.toml'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "shell-init" -d 'Print functions for a script that cannot be wrapped in `run`: eval "$(deploylock shell-init bash)"'
complete -c deploylock -n "__fish_deploylock_needs_command" -f -a "man" -d 'Print a manual page'
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -s e -l env -d 'The environment' -r -f -a "(__deploylock_names environments)"
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -s a -l app -d 'The application' -r -f -a "(__deploylock_names applications)"
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l app-version -d 'Its version, for people to read' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -s c -l container -d 'A container this deployment touches; repeatable [default: the application\'s, else all]' -r -f -a "(__deploylock_names containers)"
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l operation -d 'What is done; changes no lock' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -s l -l lock -d 'A lock by name, needing no topology; repeatable' -r -f -a "(__deploylock_names names)"
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l slots -d 'Let this many hold each lock by name' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l wait -d 'Wait for ever, or with =DURATION at most that long' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -s w -d 'Wait at most this long' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -s E -l conflict-exit-code -d 'The exit code where the locks are not acquired [default: 75]' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l reason -d 'Why, for people to read' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l owner -d 'Who; by default `user@host`' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l url -d 'The pipeline\'s page' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l ttl -d 'How long to hold without being renewed' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l override-freeze -d 'Pass an open freeze window of the environment; why, for the history' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l id -d 'Run the command under a deployment that `acquire` returned; its locks stay held afterwards' -r -f -a "(__deploylock_names ids)"
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l resume -d 'Go on under the locks that a failed or crashed deployment still holds, or try a paused one again' -r -f -a "(__deploylock_names ids)"
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l resource -d 'The files that are deployed: they get the application\'s next version, one deployment at a time' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l on-lost -d 'What happens to the command when its locks are taken away' -r -f -a "end\t'It is ended, and the exit code is 76'
keep\t'It goes on without them'"
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l shared -d 'Take the locks by name shared'
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l exclusive -d 'Take the environment exclusively whatever the topology allows'
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -s n -l no-wait -d 'Do not wait'
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l no-wait-for-manual -d 'Do not wait for what a person holds: `acquire` without a process, a failure or crash that was kept'
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l skip-duplicate -d 'Do nothing where the same files were the last to be deployed successfully'
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -l supersede -d 'Take the place of older deployments of the application to the environment that still wait'
complete -c deploylock -n "__fish_deploylock_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -s e -l env -d 'The environment' -r -f -a "(__deploylock_names environments)"
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -s a -l app -d 'The application' -r -f -a "(__deploylock_names applications)"
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l app-version -d 'Its version, for people to read' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -s c -l container -d 'A container this deployment touches; repeatable [default: the application\'s, else all]' -r -f -a "(__deploylock_names containers)"
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l operation -d 'What is done; changes no lock' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -s l -l lock -d 'A lock by name, needing no topology; repeatable' -r -f -a "(__deploylock_names names)"
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l slots -d 'Let this many hold each lock by name' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l wait -d 'Wait for ever, or with =DURATION at most that long' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -s w -d 'Wait at most this long' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -s E -l conflict-exit-code -d 'The exit code where the locks are not acquired [default: 75]' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l reason -d 'Why, for people to read' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l owner -d 'Who; by default `user@host`' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l url -d 'The pipeline\'s page' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l ttl -d 'How long to hold without being renewed' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l override-freeze -d 'Pass an open freeze window of the environment; why, for the history' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l owner-pid -d 'Tie the locks to this process: when it ends, they are stale' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l resume -d 'Try a paused deployment again, keeping its id' -r -f -a "(__deploylock_names ids)"
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l format -d 'What is printed when it holds' -r -f -a "id\t'The deployment\'s id'
shell\t'Lines for `eval` that export what a wrapped command would be told'"
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l shared -d 'Take the locks by name shared'
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l exclusive -d 'Take the environment exclusively whatever the topology allows'
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -s n -l no-wait -d 'Do not wait'
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l no-wait-for-manual -d 'Do not wait for what a person holds: `acquire` without a process, a failure or crash that was kept'
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -l supersede -d 'Take the place of older deployments of the application to the environment that still wait'
complete -c deploylock -n "__fish_deploylock_using_subcommand acquire" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand release" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand release" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand release" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand release" -l outcome -d 'How it went, for the history; also of the version, where it had one [default: done]' -r -f -a "done\t''
failed\t''
aborted\t''"
complete -c deploylock -n "__fish_deploylock_using_subcommand release" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand release" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand renew" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand renew" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand renew" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand renew" -l ttl -d 'The new time to live' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand renew" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand renew" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand renew" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -s e -l env -d 'The environment' -r -f -a "(__deploylock_names environments)"
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -s a -l app -d 'The application' -r -f -a "(__deploylock_names applications)"
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -l app-version -d 'Its version, for people to read' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -s c -l container -d 'A container this deployment touches; repeatable [default: the application\'s, else all]' -r -f -a "(__deploylock_names containers)"
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -l operation -d 'What is done; changes no lock' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -s l -l lock -d 'A lock by name, needing no topology; repeatable' -r -f -a "(__deploylock_names names)"
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -l slots -d 'Let this many hold each lock by name' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -l wait -d 'Wait for ever, or with =DURATION at most that long' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -s w -d 'Wait at most this long' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -s E -l conflict-exit-code -d 'The exit code where the locks are not acquired [default: 75]' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -l shared -d 'Take the locks by name shared'
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -l exclusive -d 'Take the environment exclusively whatever the topology allows'
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -s n -l no-wait -d 'Do not wait'
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -l no-wait-for-manual -d 'Do not wait for what a person holds: `acquire` without a process, a failure or crash that was kept'
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -s e -l env -d 'Deployments to this environment' -r -f -a "(__deploylock_names environments)"
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -s a -l app -d 'Deployments of this application' -r -f -a "(__deploylock_names applications)"
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -s c -l container -d 'Deployments that touch this container' -r -f -a "(__deploylock_names containers)"
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -s l -l lock -d 'Deployments that hold or await this lock, `kind:name` or the name of a lock by name' -r -f -a "(__deploylock_names locks)"
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -l owner -d 'Deployments of this owner' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -l state -d 'Only deployments in this state' -r -f -a "held\t'Holds its locks'
waiting\t'Waits for them'
paused\t'Paused'
unreadable\t'Its record cannot be read'"
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -l by -d 'How to group' -r -f -a "lock\t'A row for each holder and waiter of each lock'
deployment\t'A row for each deployment'"
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -l format -d 'How to print' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -l stale -d 'Only what is verifiably dead'
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -l watch -d 'Show it again whenever something changes; on a terminal as a full-screen view, whose keys `?` explains'
complete -c deploylock -n "__fish_deploylock_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -s e -l env -d 'Deployments to this environment' -r -f -a "(__deploylock_names environments)"
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -s a -l app -d 'Deployments of this application' -r -f -a "(__deploylock_names applications)"
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -s c -l container -d 'Deployments that touch this container' -r -f -a "(__deploylock_names containers)"
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -s l -l lock -d 'Deployments that hold or await this lock, `kind:name` or the name of a lock by name' -r -f -a "(__deploylock_names locks)"
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -l owner -d 'Deployments of this owner' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -l older-than -d 'Only what has been in its state for longer than this' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -l stale -d 'Everything that is verifiably dead; safe for cron'
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -l all -d 'Everything'
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -l dry-run -d 'Only say what would be cleared'
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -s y -l yes -d 'Do not ask'
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -l force -d 'Also what is verifiably alive'
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand cancel" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand cancel" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand cancel" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand cancel" -l kill-after -d 'Kill a command that has not ended this long after it was asked to' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand cancel" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand cancel" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -s e -l env -d 'The environment' -r -f -a "(__deploylock_names environments)"
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -s a -l app -d 'The application' -r -f -a "(__deploylock_names applications)"
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -l app-version -d 'Its version, for people to read' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -s c -l container -d 'A container this deployment touches; repeatable [default: the application\'s, else all]' -r -f -a "(__deploylock_names containers)"
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -l operation -d 'What is done; changes no lock' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -s l -l lock -d 'A lock by name, needing no topology; repeatable' -r -f -a "(__deploylock_names names)"
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -l slots -d 'Let this many hold each lock by name' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -l format -d 'How to print' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -l shared -d 'Take the locks by name shared'
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -l exclusive -d 'Take the environment exclusively whatever the topology allows'
complete -c deploylock -n "__fish_deploylock_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -s e -l env -d 'Deployments to this environment' -r -f -a "(__deploylock_names environments)"
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -s a -l app -d 'Deployments of this application' -r -f -a "(__deploylock_names applications)"
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -s l -l lock -d 'Deployments that took this lock, `kind:name` or the name of a lock by name' -r -f -a "(__deploylock_names locks)"
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -l owner -d 'Deployments of this owner' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -l event -d 'Only these events; repeatable' -r -f -a "acquired\t''
waited\t''
released\t''
paused\t''
cleared\t''
reclaimed\t''
renewed\t''
cancelled\t''
superseded\t''
failed\t''
resumed\t''"
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -l since -d 'Only what happened at most this long ago, or not before this time (RFC 3339)' -r
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -l format -d 'How to print' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -l stats -d 'What it comes to for each environment: how many deployments, how many failed or were stale, how long they waited and held'
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -l versions -d 'The versions of applications (`run --resource`) instead: number, outcome, fingerprint, when and by whom'
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand check" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand check" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand check" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand check" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand check" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand check" -l strict -d 'Warnings fail too'
complete -c deploylock -n "__fish_deploylock_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand migrate" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand migrate" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand migrate" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand migrate" -l to -d 'Where to' -r -f -a "etcd\t'The cluster that `endpoints` in `[store]` names'"
complete -c deploylock -n "__fish_deploylock_using_subcommand migrate" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand migrate" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand migrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand init" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand init" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand init" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand init" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand init" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand completions" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand completions" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand completions" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand completions" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand completions" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand shell-init" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand shell-init" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand shell-init" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand shell-init" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand shell-init" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand shell-init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand man" -l config -d 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user\'s, then /etc\'s]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand man" -l lock-dir -d 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology\'s, else the user\'s state folder]' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand man" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into files and pipes'
never\t'Never'"
complete -c deploylock -n "__fish_deploylock_using_subcommand man" -l dir -d 'Write all pages into this folder' -r -F
complete -c deploylock -n "__fish_deploylock_using_subcommand man" -s q -l quiet -d 'Say only what went wrong'
complete -c deploylock -n "__fish_deploylock_using_subcommand man" -s v -l verbose -d 'Say more'
complete -c deploylock -n "__fish_deploylock_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c deploylock -n "__fish_deploylock_using_subcommand release" -f -a "(__deploylock_names ids)"
complete -c deploylock -n "__fish_deploylock_using_subcommand renew" -f -a "(__deploylock_names ids)"
complete -c deploylock -n "__fish_deploylock_using_subcommand wait" -f -a "(__deploylock_names ids)"
complete -c deploylock -n "__fish_deploylock_using_subcommand clear" -f -a "(__deploylock_names ids)"
complete -c deploylock -n "__fish_deploylock_using_subcommand cancel" -f -a "(__deploylock_names ids)"
complete -c deploylock -n "__fish_deploylock_using_subcommand history" -f -a "(__deploylock_names ids)"
