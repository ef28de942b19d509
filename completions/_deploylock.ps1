
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'deploylock' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'deploylock'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'deploylock' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Who asks, why, and for how long')
            [CompletionResult]::new('acquire', 'acquire', [CompletionResultType]::ParameterValue, 'Who asks, why, and for how long')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Give the locks of a deployment back, or withdraw one that waits or is paused')
            [CompletionResult]::new('renew', 'renew', [CompletionResultType]::ParameterValue, 'Start a deployment''s time to live again, or set a new one')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'What a conflict does')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'The filters; all that are given must fit')
            [CompletionResult]::new('clear', 'clear', [CompletionResultType]::ParameterValue, 'The filters; all that are given must fit')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'Ask a deployment to end: a waiter gives up, a run''s command gets SIGTERM')
            [CompletionResult]::new('plan', 'plan', [CompletionResultType]::ParameterValue, 'What to lock')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'Show what happened: acquired, waited, released, paused, cleared, reclaimed')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check the topology file and the lock directory')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write a commented starter deploylock.toml')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            break
        }
        'deploylock;run' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'The environment')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'The environment')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'The application')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'The application')
            [CompletionResult]::new('--app-version', '--app-version', [CompletionResultType]::ParameterName, 'Its version, for people to read')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'A container this deployment touches; repeatable [default: the application''s, else all]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'A container this deployment touches; repeatable [default: the application''s, else all]')
            [CompletionResult]::new('--operation', '--operation', [CompletionResultType]::ParameterName, 'What is done; changes no lock')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'A lock by name, needing no topology; repeatable')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'A lock by name, needing no topology; repeatable')
            [CompletionResult]::new('--slots', '--slots', [CompletionResultType]::ParameterName, 'Let this many hold each lock by name')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for ever, or with =DURATION at most that long')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Wait at most this long')
            [CompletionResult]::new('-E', '-E ', [CompletionResultType]::ParameterName, 'The exit code where the locks are not acquired [default: 75]')
            [CompletionResult]::new('--conflict-exit-code', '--conflict-exit-code', [CompletionResultType]::ParameterName, 'The exit code where the locks are not acquired [default: 75]')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Why, for people to read')
            [CompletionResult]::new('--owner', '--owner', [CompletionResultType]::ParameterName, 'Who; by default `user@host`')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'The pipeline''s page')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'How long to hold without being renewed')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--shared', '--shared', [CompletionResultType]::ParameterName, 'Take the locks by name shared')
            [CompletionResult]::new('--exclusive', '--exclusive', [CompletionResultType]::ParameterName, 'Take the environment exclusively whatever the topology allows')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Do not wait')
            [CompletionResult]::new('--no-wait', '--no-wait', [CompletionResultType]::ParameterName, 'Do not wait')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;acquire' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'The environment')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'The environment')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'The application')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'The application')
            [CompletionResult]::new('--app-version', '--app-version', [CompletionResultType]::ParameterName, 'Its version, for people to read')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'A container this deployment touches; repeatable [default: the application''s, else all]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'A container this deployment touches; repeatable [default: the application''s, else all]')
            [CompletionResult]::new('--operation', '--operation', [CompletionResultType]::ParameterName, 'What is done; changes no lock')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'A lock by name, needing no topology; repeatable')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'A lock by name, needing no topology; repeatable')
            [CompletionResult]::new('--slots', '--slots', [CompletionResultType]::ParameterName, 'Let this many hold each lock by name')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for ever, or with =DURATION at most that long')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Wait at most this long')
            [CompletionResult]::new('-E', '-E ', [CompletionResultType]::ParameterName, 'The exit code where the locks are not acquired [default: 75]')
            [CompletionResult]::new('--conflict-exit-code', '--conflict-exit-code', [CompletionResultType]::ParameterName, 'The exit code where the locks are not acquired [default: 75]')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Why, for people to read')
            [CompletionResult]::new('--owner', '--owner', [CompletionResultType]::ParameterName, 'Who; by default `user@host`')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'The pipeline''s page')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'How long to hold without being renewed')
            [CompletionResult]::new('--owner-pid', '--owner-pid', [CompletionResultType]::ParameterName, 'Tie the locks to this process: when it ends, they are stale')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Try a paused deployment again, keeping its id')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--shared', '--shared', [CompletionResultType]::ParameterName, 'Take the locks by name shared')
            [CompletionResult]::new('--exclusive', '--exclusive', [CompletionResultType]::ParameterName, 'Take the environment exclusively whatever the topology allows')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Do not wait')
            [CompletionResult]::new('--no-wait', '--no-wait', [CompletionResultType]::ParameterName, 'Do not wait')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;release' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--outcome', '--outcome', [CompletionResultType]::ParameterName, 'How it went, for the history')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;renew' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'The new time to live')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;wait' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'The environment')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'The environment')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'The application')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'The application')
            [CompletionResult]::new('--app-version', '--app-version', [CompletionResultType]::ParameterName, 'Its version, for people to read')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'A container this deployment touches; repeatable [default: the application''s, else all]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'A container this deployment touches; repeatable [default: the application''s, else all]')
            [CompletionResult]::new('--operation', '--operation', [CompletionResultType]::ParameterName, 'What is done; changes no lock')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'A lock by name, needing no topology; repeatable')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'A lock by name, needing no topology; repeatable')
            [CompletionResult]::new('--slots', '--slots', [CompletionResultType]::ParameterName, 'Let this many hold each lock by name')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for ever, or with =DURATION at most that long')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Wait at most this long')
            [CompletionResult]::new('-E', '-E ', [CompletionResultType]::ParameterName, 'The exit code where the locks are not acquired [default: 75]')
            [CompletionResult]::new('--conflict-exit-code', '--conflict-exit-code', [CompletionResultType]::ParameterName, 'The exit code where the locks are not acquired [default: 75]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--shared', '--shared', [CompletionResultType]::ParameterName, 'Take the locks by name shared')
            [CompletionResult]::new('--exclusive', '--exclusive', [CompletionResultType]::ParameterName, 'Take the environment exclusively whatever the topology allows')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Do not wait')
            [CompletionResult]::new('--no-wait', '--no-wait', [CompletionResultType]::ParameterName, 'Do not wait')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;list' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Deployments to this environment')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Deployments to this environment')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Deployments of this application')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'Deployments of this application')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Deployments that touch this container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Deployments that touch this container')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Deployments that hold or await this lock, `kind:name` or the name of a lock by name')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'Deployments that hold or await this lock, `kind:name` or the name of a lock by name')
            [CompletionResult]::new('--owner', '--owner', [CompletionResultType]::ParameterName, 'Deployments of this owner')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Only deployments in this state')
            [CompletionResult]::new('--by', '--by', [CompletionResultType]::ParameterName, 'How to group')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--stale', '--stale', [CompletionResultType]::ParameterName, 'Only what is verifiably dead')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Show it again whenever something changes')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;clear' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Deployments to this environment')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Deployments to this environment')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Deployments of this application')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'Deployments of this application')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Deployments that touch this container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Deployments that touch this container')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Deployments that hold or await this lock, `kind:name` or the name of a lock by name')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'Deployments that hold or await this lock, `kind:name` or the name of a lock by name')
            [CompletionResult]::new('--owner', '--owner', [CompletionResultType]::ParameterName, 'Deployments of this owner')
            [CompletionResult]::new('--older-than', '--older-than', [CompletionResultType]::ParameterName, 'Only what has been in its state for longer than this')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--stale', '--stale', [CompletionResultType]::ParameterName, 'Everything that is verifiably dead; safe for cron')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Everything')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Only say what would be cleared')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Also what is verifiably alive')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;cancel' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;plan' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'The environment')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'The environment')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'The application')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'The application')
            [CompletionResult]::new('--app-version', '--app-version', [CompletionResultType]::ParameterName, 'Its version, for people to read')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'A container this deployment touches; repeatable [default: the application''s, else all]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'A container this deployment touches; repeatable [default: the application''s, else all]')
            [CompletionResult]::new('--operation', '--operation', [CompletionResultType]::ParameterName, 'What is done; changes no lock')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'A lock by name, needing no topology; repeatable')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'A lock by name, needing no topology; repeatable')
            [CompletionResult]::new('--slots', '--slots', [CompletionResultType]::ParameterName, 'Let this many hold each lock by name')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--shared', '--shared', [CompletionResultType]::ParameterName, 'Take the locks by name shared')
            [CompletionResult]::new('--exclusive', '--exclusive', [CompletionResultType]::ParameterName, 'Take the environment exclusively whatever the topology allows')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;history' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Deployments to this environment')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Deployments to this environment')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Deployments of this application')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'Deployments of this application')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Deployments that took this lock, `kind:name` or the name of a lock by name')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'Deployments that took this lock, `kind:name` or the name of a lock by name')
            [CompletionResult]::new('--owner', '--owner', [CompletionResultType]::ParameterName, 'Deployments of this owner')
            [CompletionResult]::new('--event', '--event', [CompletionResultType]::ParameterName, 'Only these events; repeatable')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only what happened at most this long ago, or not before this time (RFC 3339)')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--stats', '--stats', [CompletionResultType]::ParameterName, 'What it comes to for each environment: how many deployments, how many failed or were stale, how long they waited and held')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;check' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Warnings fail too')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;init' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'deploylock;completions' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user''s, then /etc''s]')
            [CompletionResult]::new('--lock-dir', '--lock-dir', [CompletionResultType]::ParameterName, 'The lock directory [default: $DEPLOYLOCK_DIR, else the topology''s, else the user''s state folder]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
