//! The plain words of the commonest call, `run`, read without the grammar.
//!
//! Building and walking clap's grammar is the largest part of an uncontended `run` (`docs/performance.md`). What is
//! read here clap reads the same way, which a property test makes sure of; at anything else this gives up, and
//! clap explains.

use std::ffi::OsString;
use std::path::PathBuf;

use super::context::Global;
use super::run::Run;
use super::target::duration;

/// The options of the call, if it is a `run` in nothing but plain words.
pub fn parse(arguments: &[OsString]) -> Option<(Global, Run)> {
    let end = arguments.iter().position(|a| a == "--")?;
    let (words, command) = (arguments.get(1..end)?, &arguments[end + 1..]);
    if command.is_empty() {
        return None;
    }
    let mut words = words.iter().map(|word| word.to_str());
    let (mut global, mut run, mut named) = (Global::default(), Run::default(), false);
    while let Some(word) = words.next() {
        let word = word?;
        let mut value = || words.next().flatten().filter(|v| !v.is_empty() && !v.starts_with('-'));
        match word {
            "run" if !named => named = true,
            "-q" | "--quiet" if !global.quiet => global.quiet = true,
            "--lock-dir" if global.lock_dir.is_none() => global.lock_dir = Some(PathBuf::from(value()?)),
            "--config" if global.config.is_none() => global.config = Some(PathBuf::from(value()?)),
            _ if !named => return None,
            "-n" | "--no-wait" if !run.wait.any() => run.wait.no_wait = true,
            "--wait" if !run.wait.any() => run.wait.wait = Some(None),
            "-w" if !run.wait.any() => run.wait.wait_at_most = Some(duration(value()?).ok()?),
            "-l" | "--lock" => run.target.locks.push(value()?.to_owned()),
            "-e" | "--env" if run.target.env.is_none() => run.target.env = Some(value()?.to_owned()),
            "-a" | "--app" if run.target.app.is_none() => run.target.app = Some(value()?.to_owned()),
            "--reason" if run.record.reason.is_none() => run.record.reason = Some(value()?.to_owned()),
            _ => return None,
        }
    }
    run.command = command.to_vec();
    named.then_some((global, run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches as _;
    use proptest::prelude::*;

    fn by_clap(arguments: &[OsString]) -> Option<(Global, Run)> {
        let mut matches = crate::cli::grammar().try_get_matches_from(arguments).ok()?;
        let (name, mut own) = matches.remove_subcommand()?;
        assert_eq!(name, "run");
        Some((Global::from_arg_matches_mut(&mut matches).ok()?, Run::from_arg_matches_mut(&mut own).ok()?))
    }

    fn words(text: &[&str]) -> Vec<OsString> {
        std::iter::once("deploylock").chain(text.iter().copied()).map(OsString::from).collect()
    }

    #[test]
    fn the_commonest_calls_are_read_here() {
        for call in [
            &["run", "-l", "x", "--", "true"][..],
            &["--lock-dir", "d", "run", "-q", "--wait", "-l", "x", "--", "sh", "-c", "--", "-q"],
            &["run", "--env", "prod", "--app", "shop", "-w", "5m", "--reason", "a b", "--", "./deploy.sh"],
        ] {
            let call = words(call);
            assert_eq!(parse(&call), by_clap(&call));
            assert!(parse(&call).is_some());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn what_is_read_here_clap_reads_the_same_way(call in proptest::collection::vec(
            prop_oneof![
                Just("run"), Just("-q"), Just("--quiet"), Just("--lock-dir"), Just("--config"), Just("-n"),
                Just("--no-wait"), Just("--wait"), Just("-w"), Just("-l"), Just("--lock"), Just("-e"), Just("--env"),
                Just("-a"), Just("--app"), Just("--reason"), Just("--"), Just("x"), Just("5s"), Just("90"), Just(""),
                Just("list"), Just("-v"), Just("--wait=3"), Just("-lx"), Just("--shared"), Just("-"),
            ],
            0..9,
        )) {
            let call: Vec<&str> = ["run"].into_iter().chain(call).chain(["--", "true"]).collect();
            let call = words(&call);
            if let Some(read) = parse(&call) {
                prop_assert_eq!(Some(read), by_clap(&call));
            }
        }
    }
}
