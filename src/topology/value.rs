//! Single keys and values of TOML: their spellings, the words for their types, numbers and time spans.
//!
//! No table and no place is known here.

use std::borrow::Cow;
use std::time::Duration;

use toml::de::{DeInteger, DeValue};

/// `part_of` → `partOf`.
pub(super) fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

/// Whether `written` is [`camel`] of this name, found out without making it: each key is held against many names.
pub(super) fn is_camel(written: &str, snake: &str) -> bool {
    let mut written = written.bytes();
    let mut upper = false;
    for byte in snake.bytes() {
        if byte == b'_' {
            upper = true;
            continue;
        }
        let expected = if upper { byte.to_ascii_uppercase() } else { byte };
        upper = false;
        if written.next() != Some(expected) {
            return false;
        }
    }
    written.next().is_none()
}

/// A name as a TOML key: quoted where it must be.
pub(super) fn bare(name: &str) -> Cow<'_, str> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if !name.is_empty() && name.bytes().all(plain) { name.into() } else { format!("{name:?}").into() }
}

/// A number of 0 or more; `None` for another, and for one that is too large.
pub(super) fn number(integer: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// Humantime's, or bare seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    humantime::parse_duration(text).ok()
}

/// A type, in words.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_camel_case_name_is_recognised_as_it_is_made(snake in "[a-z]{0,3}(_[a-z0-9]{0,3}){0,3}", other in "[a-zA-Z_]{0,8}") {
            prop_assert!(is_camel(&camel(&snake), &snake));
            prop_assert_eq!(is_camel(&other, &snake), other == camel(&snake));
        }
    }
}
