//! A lock's file: a line per deployment in order of arrival. Bytes in, bytes out: no I/O.
//!
//! A line is `STEM MODE LIMIT UNDER`. A line whose first byte is `#` is void; so is an unterminated tail, which a
//! crash may leave and which is cut before anything is appended.

use std::num::NonZeroU32;

use super::names::Stem;
use crate::deployment::Id;
use crate::engine::Entry;
use crate::model::{LockRequest, Mode};

/// The byte that makes a line void.
pub const VOID: u8 = b'#';

/// A line that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// The file name of the record.
    pub stem: Stem,
    /// What it says.
    pub entry: Entry,
}

/// A lock's file, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    /// The lines that count, in order of arrival.
    pub lines: Vec<Line>,
    /// How long the file is up to and with its last whole line, in bytes.
    pub whole: u64,
    /// How many lines are void.
    pub void: usize,
    /// A whole line makes no sense: the file is to be made anew from the records.
    pub garbled: bool,
}

/// Reads a lock's file.
#[must_use]
pub fn read(bytes: &[u8]) -> Queue {
    let mut queue = Queue::default();
    let mut offset = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let Some(text) = line.strip_suffix(b"\n") else {
            break;
        };
        match text.first() {
            Some(&VOID) => queue.void += 1,
            _ => match std::str::from_utf8(text).ok().and_then(|text| parse(text, offset)) {
                Some(line) => queue.lines.push(line),
                None => queue.garbled = true,
            },
        }
        offset += line.len() as u64;
    }
    queue.whole = offset;
    queue
}

fn parse(text: &str, offset: u64) -> Option<Line> {
    let mut words = text.split(' ');
    let stem = Stem::parse(words.next()?)?;
    let mode = match words.next()? {
        "x" => Mode::Exclusive,
        "s" => Mode::Shared,
        _ => return None,
    };
    let limit = match words.next()? {
        "-" => None,
        number => Some(number.parse::<NonZeroU32>().ok()?),
    };
    let under = match words.next()? {
        "-" => None,
        id => Some(id.parse().ok()?),
    };
    words.next().is_none().then(|| {
        let entry = Entry { id: stem.id.clone(), mode, limit, under };
        Line { offset, stem, entry }
    })
}

/// The line of a deployment that asks for `request`.
#[must_use]
pub fn line(stem: &Stem, request: &LockRequest, under: Option<&Id>) -> String {
    entry_line(stem, request.mode, request.limit, under)
}

/// A line as it was read, for a file that is written anew.
#[must_use]
pub fn again(line: &Line) -> String {
    entry_line(&line.stem, line.entry.mode, line.entry.limit, line.entry.under.as_ref())
}

fn entry_line(stem: &Stem, mode: Mode, limit: Option<NonZeroU32>, under: Option<&Id>) -> String {
    let mode = if mode == Mode::Exclusive { 'x' } else { 's' };
    let limit = limit.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let under = under.map_or("-", Id::as_str);
    format!("{stem} {mode} {limit} {under}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Keep, Kind, LockName};
    use proptest::prelude::*;

    fn sample(number: u64, mode: Mode, limit: u32) -> String {
        let stem = Stem::new(Id::new(number, 5), "0123abcd", Keep::Release);
        let lock = LockName::new(Kind::Name, "x");
        line(&stem, &LockRequest { lock, mode, limit: NonZeroU32::new(limit) }, Some(&Id::new(1, 1)))
    }

    #[test]
    fn lines_come_back_in_order_and_torn_tails_do_not() {
        let whole = sample(1, Mode::Exclusive, 0) + &sample(2, Mode::Shared, 3);
        let torn = whole.clone() + "3-aaaa";
        let queue = read(torn.as_bytes());
        assert_eq!(queue.whole, whole.len() as u64);
        assert_eq!(queue.lines.iter().map(again).collect::<String>(), whole);
        assert!(!queue.garbled);
    }

    #[test]
    fn a_voided_line_is_skipped_and_nonsense_is_noticed() {
        let mut bytes = (sample(1, Mode::Shared, 0) + &sample(2, Mode::Shared, 0)).into_bytes();
        bytes[0] = VOID;
        let queue = read(&bytes);
        assert_eq!((queue.lines.len(), queue.void, queue.garbled), (1, 1, false));
        assert!(read(b"\0\0\0\0\n").garbled);
        assert!(read(b"1-aaaaaa. x - - more\n").garbled);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let queue = read(&bytes);
            prop_assert!(queue.whole <= bytes.len() as u64);
        }
    }
}
