//! Whatever the text, reading it ends in a topology or in an error with a place.

use proptest::prelude::*;

use super::super::starter::STARTER;
use super::{EXAMPLE, parse};

/// Reads, and checks that the error or every warning points into the text.
fn read(text: &str) -> Result<(), TestCaseError> {
    let lines = text.matches('\n').count() + 1;
    match parse(text) {
        Ok(topology) => {
            for warning in topology.warnings() {
                prop_assert!((1..=lines).contains(&warning.line), "{warning:?}");
            }
        }
        Err(error) => {
            prop_assert!((1..=lines).contains(&error.line), "{error}");
            let line = text.split('\n').nth(error.line - 1).unwrap_or_default();
            prop_assert!((1..=line.chars().count() + 1).contains(&error.column), "{error}");
            prop_assert_eq!(error.to_string().lines().count(), 5);
        }
    }
    Ok(())
}

/// The text with some of its characters replaced, taken out or put elsewhere.
fn mutated(text: &str, changes: &[(prop::sample::Index, prop::sample::Index, String)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (at, length, new) in changes {
        let from = at.index(characters.len() + 1);
        let to = (from + length.index(4)).min(characters.len());
        characters.splice(from..to, new.chars());
    }
    characters.into_iter().collect()
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, prop::sample::Index, String)>> {
    let new = prop_oneof![
        ".{0,3}",
        "[\\[\\]{}=.,\"'#\n a-z0-9]{0,3}",
        Just(" = ".to_owned()),
        Just("\"\"".to_owned())
    ];
    prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), new), 1..4)
}

proptest! {
    #[test]
    fn any_text(text in "(?s).{0,200}") {
        read(&text)?;
    }

    #[test]
    fn toml_like_text(text in "([\\[\\]{}=.,\"'# a-z0-9_]|\n|\r\n|\\[environments\\.|containers|part_of){0,60}") {
        read(&text)?;
    }

    #[test]
    fn a_mutated_starter(changes in changes()) {
        read(&mutated(STARTER, &changes))?;
        read(&mutated(&STARTER.replace("\n#", "\n"), &changes))?;
    }

    #[test]
    fn a_mutated_example(changes in changes()) {
        read(&mutated(EXAMPLE, &changes))?;
    }
}
