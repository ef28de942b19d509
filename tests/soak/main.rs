//! The soak: many lock cycles over random targets with random kills, judged from outside by a journal that the
//! wrapped commands write.
//!
//! ```text
//! cargo test --test soak                                   the short run: 20 seconds
//! cargo test --test soak -- --cycles 1000000 --workers 8   the long one
//! ```
//!
//! `DEPLOYLOCK_BIN` names another binary to soak (a release build). `--seed N` begins elsewhere; what the
//! processes do follows from it, when they do it does not.

// Real processes need real time.
#![allow(clippy::disallowed_methods)]

mod child;
mod journal;
mod random;
mod rounds;
mod target;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

/// What to do.
pub struct Plan {
    /// Stop after so many cycles; for ever where `None`.
    pub cycles: Option<u64>,
    /// Stop after so long.
    pub time: Option<Duration>,
    /// How many processes go through cycles at once.
    pub workers: u64,
    /// Where the random numbers begin.
    pub seed: u64,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["child", journal, expected, hold, manner, options @ ..] => {
            child::run(journal, expected, hold, manner, options)
        }
        ["worker", folder, seed, cycles] => worker::run(folder.as_ref(), number(seed), number(cycles)),
        ["--list", ..] => ExitCode::SUCCESS,
        options => match parse(options) {
            Some(plan) => rounds::run(&plan),
            // `cargo test NAME` gives every test program the name it looks for.
            None => ExitCode::SUCCESS,
        },
    }
}

fn parse(options: &[&str]) -> Option<Plan> {
    let mut plan = Plan { cycles: None, time: None, workers: 4, seed: 1 };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "--cycles" => plan.cycles = Some(number(options.next()?)),
            "--seconds" => plan.time = Some(Duration::from_secs(number(options.next()?))),
            "--workers" => plan.workers = number(options.next()?),
            "--seed" => plan.seed = number(options.next()?),
            option if option.starts_with('-') || option == "soak" => {}
            _ => return None,
        }
    }
    if plan.cycles.is_none() && plan.time.is_none() {
        plan.time = Some(Duration::from_secs(20));
    }
    Some(plan)
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("not a number: {text}"))
}
