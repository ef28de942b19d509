//! Targets that mean nothing, and what is said about them.

use super::{planned, target};
use crate::model::Target;
use crate::policy::{PolicyError, plan};

const TEXT: &str = "[environments.prod]\ncontainers = ['web-1', 'db']\n[environments.staging]\n\
                    containers = ['web-2']\n[applications.shop]\n[applications.books]\n";

#[test]
fn in_words() {
    for (words, message) in [
        ("", "nothing to lock: name an environment with --env or a lock with --lock"),
        ("-a shop", "--app needs an environment: name it with --env"),
        ("-l n -c web-1", "--container needs an environment: name it with --env"),
        ("-l n --exclusive", "--exclusive needs an environment: name it with --env"),
        ("-l n --resource", "--resource needs an environment: name it with --env"),
        ("-e prod --resource", "--resource needs an application: name it with --app"),
        ("-e prdo", "environment `prdo` is not declared in deploylock.toml: did you mean `prod`?"),
        ("-e PROD", "environment `PROD` is not declared in deploylock.toml: did you mean `prod`?"),
        ("-e live", "environment `live` is not declared in deploylock.toml: choose from `prod`, `staging`"),
        ("-e prod -a shpo", "application `shpo` is not declared in deploylock.toml: did you mean `shop`?"),
        (
            "-e prod -a crm",
            "application `crm` is not declared in deploylock.toml: choose from `books`, `shop`",
        ),
        ("-e prod -c web1", "container `web1` is not declared in deploylock.toml: did you mean `web-1`?"),
        (
            "-e prod -c cache",
            "container `cache` is not declared in deploylock.toml: choose from `web-1`, `db`",
        ),
        (
            "-e prod -c web-1 -c web-2",
            "container `web-2` is not in environment `prod` of deploylock.toml: choose from `web-1`, `db`",
        ),
    ] {
        assert_eq!(planned(TEXT, words).unwrap_err().to_string(), message, "{words}");
    }
}

#[test]
fn where_nothing_is_declared() {
    let error = planned("[environments.e]\n", "-e e -a x").unwrap_err();
    assert!(error.to_string().ends_with("there is none, add it there"), "{error}");
    let many: String = (10..30).map(|n| format!("[environments.{n}-{n}]\n")).collect();
    let error = planned(&many, "-e production").unwrap_err();
    assert!(error.to_string().ends_with("`17-17` and 12 more"), "{error}");
}

#[test]
fn an_environment_without_a_topology() {
    let error = plan(None, &target("-e prod -l n")).unwrap_err();
    assert_eq!(error, PolicyError::NoTopology { environment: "prod".to_owned() });
}

#[test]
fn what_is_no_name() {
    let long = "n".repeat(201);
    let cases = [
        Target { environment: Some(String::new()), ..Target::default() },
        Target { application: Some("a\nb".to_owned()), ..target("-e prod") },
        Target { containers: vec!["\u{1b}[2J".to_owned()], ..target("-e prod") },
        Target { names: vec!["fine".to_owned(), long], ..Target::default() },
    ];
    let messages = [
        "--env: a name must not be empty",
        "--app: a name must not contain control characters (found '\\n')",
        "--container: a name must not contain control characters (found '\\u{1b}')",
        "--lock: a name has at most 200 bytes, this one has 201",
    ];
    for (case, message) in cases.iter().zip(messages) {
        assert_eq!(plan(None, case).unwrap_err().to_string(), message);
    }
}
