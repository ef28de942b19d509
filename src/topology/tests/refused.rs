//! Every kind of error within one table, with its line, its column and what it says.

use super::{check, parse, topology};

#[test]
fn toml_itself() {
    check(&[
        ("[store]\nbackend =\n", 2, 10, "this is not valid TOML: "),
        ("[store]\n[store]\n", 2, 2, "this is not valid TOML: duplicate key"),
        ("\u{feff}[store\n", 1, 7, "this is not valid TOML"),
    ]);
}

#[test]
fn unknown_keys() {
    check(&[
        (
            "[enviroments.prod]\n",
            1,
            2,
            "unknown key `enviroments` in the topology file: did you mean `environments`?",
        ),
        (
            "[store]\ndirectroy = \"x\"\n",
            2,
            1,
            "unknown key `directroy` in [store]: did you mean `directory`?",
        ),
        ("[environments.prod]\n  egnine = \"x\"\n", 2, 3, "in [environments.prod]: did you mean `engine`?"),
        ("[containers.c]\npartof = \"x\"\n", 2, 1, "did you mean `part_of`?"),
        (
            "[environments.e]\nallowConcurentDeployments = true\n",
            2,
            1,
            "did you mean `allowConcurrentDeployments`?",
        ),
        ("[containers.c]\npart_Of = \"x\"\n", 2, 1, "unknown key `part_Of`"),
        ("[engines.b]\ncolour = 1\n", 2, 1, "in [engines.b]: it takes deployment_lock_used"),
        ("[groups.\"a b\"]\nx = 1\n", 2, 1, "in [groups.\"a b\"]: it takes containers, allow"),
        ("[locks.n]\nslots = 1\n", 2, 1, "unknown key `slots` in [locks.n]"),
        ("[applications.a]\ncontainers = []\n", 2, 1, "unknown key `containers` in [applications.a]"),
        (
            "[environments.e]\n[applications.a.environments.e]\npart_of = \"x\"\n",
            3,
            1,
            "in [applications.a.environments.e]",
        ),
    ]);
}

#[test]
fn one_key_in_both_spellings() {
    check(&[
        (
            "[containers.c]\npartOf = \"d\"\npart_of = \"d\"\n[containers.d]\n",
            3,
            1,
            "`part_of` in [containers.c] is the same key as `partOf`: leave one of them out",
        ),
        (
            "[environments.e]\non_crash = \"hold\"\nonCrash = \"hold\"\n",
            3,
            1,
            "`onCrash` in [environments.e] is the same",
        ),
    ]);
}

#[test]
fn wrong_types() {
    check(&[
        ("store = 1\n", 1, 9, "`store` must be a table, as in [store], found a whole number"),
        ("environments = []\n", 1, 16, "`environments` must be a table, as in [environments], found a list"),
        (
            "[environments]\nprod = 3\n",
            2,
            8,
            "must be a table, as in [environments.prod], found a whole number",
        ),
        ("[[environments.prod]]\n", 1, 1, "found a list"),
        (
            "[locks.n]\nallow_concurrent_deployments = \"yes\"\n",
            2,
            32,
            "`allow_concurrent_deployments` in [locks.n] must be true or false, found a string",
        ),
        (
            "[environments.e]\ncontainers = \"c\"\n",
            2,
            14,
            "must be a list of container names, found a string",
        ),
        (
            "[environments.e]\ncontainers = [\"c\",\n  3]\n",
            3,
            3,
            "must be a list of container names, found a whole",
        ),
        ("[environments.e]\nengine = true\n", 2, 10, "must be the name of an engine, found a boolean"),
        ("[containers.c]\npart_of = {}\n", 2, 11, "must be the name of a container, found a table"),
        ("[store]\nmode = 2770\n", 2, 8, "must be permission bits such as \"2770\""),
        ("[store]\ndirectory = 1.5\n", 2, 13, "must be the path of a folder, found a number with a fraction"),
        ("[store]\nendpoints = 1\n", 2, 13, "must be a list of addresses"),
        ("[environments.e]\nlock_retry_interval = 1979-05-27\n", 2, 23, "found a date or time"),
    ]);
}

#[test]
fn wrong_values() {
    check(&[
        ("[store]\nbackend = \"redis\"\n", 2, 11, "must be \"files\" or \"etcd\", found `redis`"),
        ("[store]\ndirectory = \"\"\n", 2, 13, "must be the path of a folder"),
        ("[store]\nmode = \"2780\"\n", 2, 8, "found `2780`"),
        ("[store]\nmode = \"+770\"\n", 2, 8, "found `+770`"),
        ("[store]\nmode = \"\"\n", 2, 8, "must be permission bits"),
        ("[store]\nmode = \"20000\"\n", 2, 8, "must be permission bits"),
        ("[store]\nmode = \"0070\"\n", 2, 8, "the owner's among them"),
        ("[environments.e]\non_crash = \"keep\"\n", 2, 12, "must be \"release\" or \"hold\", found `keep`"),
        (
            "[environments.e]\nonFailure = \"\"\n",
            2,
            13,
            "`onFailure` in [environments.e] must be \"release\"",
        ),
    ]);
}

#[test]
fn numbers_and_time_spans() {
    check(&[
        (
            "[containers.c]\nlimit_number_of_concurrent_deployments = 0\n",
            2,
            42,
            "must be a whole number from 1 to 4294967295, found 0",
        ),
        ("[locks.n]\nlimitNumberOfConcurrentDeployments = -1\n", 2, 38, "found -1"),
        ("[locks.n]\nlimitNumberOfConcurrentDeployments = 4294967296\n", 2, 38, "found 4294967296"),
        ("[locks.n]\nlimitNumberOfConcurrentDeployments = \"1\"\n", 2, 38, "found a string"),
        ("[environments.e]\nlock_retry_attempts = 0\n", 2, 23, "must be a whole number from 1"),
        ("[environments.e]\nlock_retry_interval = 0\n", 2, 23, "must be longer than 0"),
        ("[environments.e]\nlock_retry_interval = \"0s\"\n", 2, 23, "must be longer than 0"),
        ("[environments.e]\nlock_retry_interval = -5\n", 2, 23, "found `-5`"),
        ("[environments.e]\nlock_retry_interval = \"soon\"\n", 2, 23, "must be a duration such as \"90s\""),
        ("[environments.e]\nlock_retry_interval = \"\"\n", 2, 23, "must be a duration"),
        ("[environments.e]\nlock_retry_interval = 99999999999999999999\n", 2, 23, "must be a duration"),
        ("[environments.e]\nlock_retry_interval = \"99999999999999999999\"\n", 2, 23, "must be a duration"),
        ("[environments.e]\nlock_retry_interval = true\n", 2, 23, "found a boolean"),
    ]);
}

#[test]
fn names() {
    let long = format!("[locks.{}]\n", "n".repeat(201));
    let error = parse(&long).unwrap_err();
    assert_eq!((error.line, error.column), (1, 8));
    assert!(error.message.contains("at most 200 bytes"), "{error}");
    topology(&format!("[locks.{}]\n", "n".repeat(200)));
    check(&[
        ("[environments.\"\"]\n", 1, 15, "a name must not be empty"),
        ("[containers.\"a\\nb\"]\n", 1, 13, "must not contain control characters"),
        ("[environments.e]\ncontainers = [\"\"]\n", 2, 15, "a name must not be empty"),
        ("[environments.e]\ncontainers = [\n \"a\", \"b\",\n \"a\"]\n", 4, 2, "`a` is in this list twice"),
        ("[groups.g]\ncontainers = [\"a\", \"a\"]\n[containers.a]\n", 2, 20, "`a` is in this list twice"),
    ]);
    topology("[environments.\"a@b\"]\n");
}
