//! The plain words of the commonest calls, `run`, `acquire` and `release`, read without the grammar.
//!
//! Building and walking clap's grammar would be the largest part of each (`docs/performance.md`). What is
//! read here clap reads the same way, which a property test makes sure of; at anything else this gives up, and
//! clap explains.

use std::ffi::OsString;
use std::path::PathBuf;

use super::acquire::Acquire;
use super::context::{Context, Global};
use super::release::Release;
use super::run::Run;
use super::target::duration;
use super::{Answer, Exec};

/// A call in nothing but plain words.
#[derive(Debug, PartialEq, Eq)]
pub enum Call {
    Run(Run),
    Acquire(Acquire),
    Release(Release),
}

impl Call {
    pub fn exec(self, context: &Context) -> Answer {
        match self {
            Call::Run(run) => run.exec(context),
            Call::Acquire(acquire) => acquire.exec(context),
            Call::Release(release) => release.exec(context),
        }
    }
}

/// The options of the call, if it is one of these.
pub fn parse(arguments: &[OsString]) -> Option<(Global, Call)> {
    let end = arguments.iter().position(|a| a == "--");
    let command = end.map(|end| &arguments[end + 1..]);
    let words = arguments.get(1..end.unwrap_or(arguments.len()))?;
    let mut words = words.iter().map(|word| word.to_str());
    let (mut global, mut run, mut release) = (Global::default(), Run::default(), Release::default());
    let mut name = "";
    while let Some(word) = words.next() {
        let word = word?;
        let mut value = || words.next().flatten().filter(|v| !v.is_empty() && !v.starts_with('-'));
        match word {
            "run" | "acquire" | "release" if name.is_empty() => name = word,
            "-q" | "--quiet" if !global.quiet => global.quiet = true,
            "--lock-dir" if global.lock_dir.is_none() => global.lock_dir = Some(PathBuf::from(value()?)),
            "--config" if global.config.is_none() => global.config = Some(PathBuf::from(value()?)),
            _ if name.is_empty() => return None,
            id if name == "release" => release.ids.push(id.parse().ok()?),
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
    let call = match (name, command) {
        ("run", Some([_, ..])) => {
            run.command = command?.to_vec();
            Call::Run(run)
        }
        ("acquire", None) => {
            let Run { target, wait, record, .. } = run;
            Call::Acquire(Acquire::plain(target, wait, record))
        }
        ("release", None) => Call::Release(release),
        _ => return None,
    };
    Some((global, call))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches as _;
    use proptest::prelude::*;

    fn by_clap(arguments: &[OsString]) -> Option<(Global, Call)> {
        let mut matches = crate::cli::grammar().try_get_matches_from(arguments).ok()?;
        let (name, mut own) = matches.remove_subcommand()?;
        let call = match name.as_str() {
            "run" => Call::Run(Run::from_arg_matches_mut(&mut own).ok()?),
            "acquire" => Call::Acquire(Acquire::from_arg_matches_mut(&mut own).ok()?),
            "release" => Call::Release(Release::from_arg_matches_mut(&mut own).ok()?),
            other => panic!("{other} is read as another"),
        };
        Some((Global::from_arg_matches_mut(&mut matches).ok()?, call))
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
            &["acquire", "-e", "prod", "-n"],
            &["--config", "f", "acquire", "-l", "x", "-l", "y", "--wait", "--reason", "because"],
            &["release"],
            &["-q", "release", "--lock-dir", "d", "1042-k7f3qa", "1043-x2m9zt"],
        ] {
            let call = words(call);
            assert_eq!(parse(&call), by_clap(&call));
            assert!(parse(&call).is_some());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn what_is_read_here_clap_reads_the_same_way(name in 0_usize..3, call in proptest::collection::vec(
            prop_oneof![
                Just("run"), Just("-q"), Just("--quiet"), Just("--lock-dir"), Just("--config"), Just("-n"),
                Just("--no-wait"), Just("--wait"), Just("-w"), Just("-l"), Just("--lock"), Just("-e"), Just("--env"),
                Just("-a"), Just("--app"), Just("--reason"), Just("--"), Just("x"), Just("5s"), Just("90"), Just(""),
                Just("list"), Just("-v"), Just("--wait=3"), Just("-lx"), Just("--shared"), Just("-"),
                Just("acquire"), Just("release"), Just("1042-k7f3qa"), Just("--outcome"),
            ],
            0..9,
        )) {
            let (name, rest) = [("run", &["--", "true"][..]), ("acquire", &[]), ("release", &[])][name];
            let call: Vec<&str> = [name].into_iter().chain(call).chain(rest.iter().copied()).collect();
            let call = words(&call);
            if let Some(read) = parse(&call) {
                prop_assert_eq!(Some(read), by_clap(&call));
            }
        }
    }
}
