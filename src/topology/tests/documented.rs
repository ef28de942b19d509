//! The topology reference of the documents, held against the keys that are read: all of them, no others, and each
//! example and default is what the parser takes it for.

use std::path::Path;

use super::super::parse::{
    APPLICATION, CONTAINER, DEPLOYED, ENGINE, ENVIRONMENT, GROUP, HOOKS, LOCK, STORE, TOP,
};
use super::super::{Topology, freeze};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/topology.md");

/// The page's heading of each table, its keys, and what has to stand around an example.
const TABLES: [(&str, &[&str], &str); 10] = [
    ("[store]", STORE, "[store]"),
    ("[environments.NAME]", ENVIRONMENT, "[engines.bpm]\n[environments.prod]"),
    ("[[environments.NAME.freeze]]", freeze::KEYS, "[environments.prod]\n[[environments.prod.freeze]]"),
    ("[containers.NAME]", CONTAINER, "[containers.cell-a]\n[containers.web-1]"),
    ("[groups.NAME]", GROUP, "[containers.web-1]\n[containers.db]\n[groups.tier]"),
    ("[applications.NAME]", APPLICATION, "[applications.shop]"),
    (
        "[applications.NAME.environments.ENV]",
        DEPLOYED,
        "[environments.prod]\ncontainers = [\"web-1\"]\n[applications.shop.environments.prod]",
    ),
    ("[engines.NAME]", ENGINE, "[engines.bpm]"),
    ("[locks.NAME]", LOCK, "[locks.x]"),
    ("[hooks]", HOOKS, "[hooks]"),
];

struct Row {
    key: String,
    default: String,
    effect: String,
    example: String,
}

/// The rows below this heading.
fn rows(page: &str, heading: &str) -> Vec<Row> {
    let heading = format!("## `{heading}`\n");
    let section = page.split(&heading).nth(1).unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let bare = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').collect();
        let [key, _, default, effect, example] = cells[..] else {
            panic!("not five cells: {line}");
        };
        Row { key: bare(key), default: bare(default), effect: bare(effect), example: bare(example) }
    };
    section.lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

fn parse(text: &str) -> Topology {
    Topology::parse(Path::new("deploylock.toml"), text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// What it comes to, wherever it is written.
fn meaning(text: &str) -> String {
    let topology = format!("{:?}", parse(text));
    let mut parts = topology.split("line: ");
    let first = parts.next().unwrap_or_default().to_owned();
    let after =
        |part: &str| part.trim_start_matches(|c: char| c.is_alphanumeric() || "()".contains(c)).to_owned();
    parts.fold(first, |text, part| text + &after(part))
}

/// What else a freeze window needs beside this key.
fn beside(heading: &str, key: &str) -> &'static str {
    match (heading.starts_with("[["), key) {
        (false, _) => "",
        (true, "reason") => "\nfrom = 2026-12-19T18:00:00\nuntil = 2027-01-04T08:00:00",
        (true, "from") => "\nreason = \"x\"\nuntil = 2027-01-04T08:00:00",
        (true, "until") => "\nreason = \"x\"\nfrom = 2026-12-19T18:00:00",
        (true, "cron") => "\nreason = \"x\"\nduration = \"1h\"",
        (true, "duration") => "\nreason = \"x\"\ncron = \"0 16 * * fri\"",
        (true, _) => "\nreason = \"x\"\ncron = \"0 16 * * fri\"\nduration = \"1h\"",
    }
}

#[test]
fn the_reference_lists_every_key_and_its_examples_and_defaults_hold() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let headings: Vec<&str> = TABLES.iter().map(|(heading, ..)| heading.trim_matches(['[', ']'])).collect();
    for table in TOP {
        assert!(
            headings.iter().any(|h| h.split('.').next() == Some(*table)),
            "[{table}] is not in the reference"
        );
    }
    for (heading, keys, around) in TABLES {
        let rows = rows(&page, heading);
        let mut listed: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        let mut keys = keys.to_vec();
        listed.sort_unstable();
        keys.sort_unstable();
        assert_eq!(listed, keys, "the keys of {heading} in docs/topology.md");
        for Row { key, default, effect, example } in &rows {
            assert!(!effect.is_empty(), "{heading} {key}: no effect said");
            assert!(
                example.starts_with(&format!("{key} = ")),
                "{heading} {key}: the example is of another key"
            );
            let beside = beside(heading, key);
            parse(&format!("{around}\n{example}{beside}\n"));
            if !default.is_empty() {
                let set = meaning(&format!("{around}\n{key} = {default}{beside}\n"));
                assert_eq!(set, meaning(&format!("{around}{beside}\n")), "{heading} {key}: its default");
            }
        }
    }
}
