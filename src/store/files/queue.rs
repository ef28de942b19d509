//! A lock's file: a line per deployment in order of arrival. Bytes in, bytes out: no I/O.
//!
//! A line is `STEM MODE LIMIT UNDER OF`, filled up to [`WIDTH`]; `OF` is in how many lock files the deployment has a line,
//! so that it is known of a record that cannot be read any more whether all of them are left. A line whose first byte is `#` is void; so is an
//! unterminated tail, which a crash may leave. A new line takes the place behind the last one that counts, where a
//! void one may stand: so the file of a lock that comes and goes is written in place, and its inode stays, which is
//! what a release and the next acquire would otherwise spend most on.

use std::num::NonZeroU32;

use super::names::Stem;
use crate::deployment::Id;
use crate::engine::Entry;
use crate::model::{LockRequest, Mode};

/// How long a line is, in bytes with its end: a divisor of a page, so that no kill can cut the write of one.
pub const WIDTH: u64 = 128;
/// The byte that makes a line void.
pub const VOID: u8 = b'#';

/// A line that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Where it ends.
    pub end: u64,
    /// The file name of the record.
    pub stem: Stem,
    /// What it says.
    pub entry: Entry,
    /// How many locks its deployment has; `None` where an earlier version did not say.
    pub of: Option<usize>,
}

/// A lock's file, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    /// The lines that count, in order of arrival.
    pub lines: Vec<Line>,
    /// How long the file is, in bytes.
    pub length: u64,
    /// How many lines are void.
    pub void: usize,
    /// A whole line makes no sense: the file is to be made anew from the records.
    pub garbled: bool,
}

impl Queue {
    /// Where the next line goes: behind the last line that counts.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.end)
    }

    /// What lies behind [`Queue::end`] is not void lines of the usual width: it is to be cut before a line is
    /// written there.
    #[must_use]
    pub fn is_ragged(&self) -> bool {
        !self.length.saturating_sub(self.end()).is_multiple_of(WIDTH)
    }
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
    queue.length = bytes.len() as u64;
    queue
}

fn parse(text: &str, offset: u64) -> Option<Line> {
    let text_length = text.len() as u64;
    let mut words = text.trim_end().split(' ');
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
    let of = match words.next() {
        None => None,
        Some(number) => Some(number.parse().ok()?),
    };
    words.next().is_none().then(|| {
        let entry = Entry { id: stem.id.clone(), mode, limit, under };
        Line { offset, end: offset + text_length + 1, stem, entry, of }
    })
}

/// The line of a deployment that asks for `request`, one of so many.
#[must_use]
pub fn line(stem: &Stem, request: &LockRequest, under: Option<&Id>, of: usize) -> String {
    entry_line(stem, request.mode, request.limit, under, Some(of))
}

/// A line as it was read, for a file that is written anew.
#[must_use]
pub fn again(line: &Line) -> String {
    let Entry { mode, limit, under, .. } = &line.entry;
    entry_line(&line.stem, *mode, *limit, under.as_ref(), line.of)
}

fn entry_line(
    stem: &Stem,
    mode: Mode,
    limit: Option<NonZeroU32>,
    under: Option<&Id>,
    of: Option<usize>,
) -> String {
    let mode = if mode == Mode::Exclusive { 'x' } else { 's' };
    let limit = limit.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let under = under.map_or("-", Id::as_str);
    let of = of.map(|of| format!(" {of}")).unwrap_or_default();
    let text = format!("{stem} {mode} {limit} {under}{of}");
    format!("{text:<width$}\n", width = WIDTH as usize - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Keep, Kind, LockName};
    use proptest::prelude::*;

    fn sample(number: u64, mode: Mode, limit: u32) -> String {
        let stem = Stem::new(Id::new(number, 5), "0123abcd", Keep::Release);
        let lock = LockName::new(Kind::Name, "x");
        line(&stem, &LockRequest { lock, mode, limit: NonZeroU32::new(limit) }, Some(&Id::new(1, 1)), 3)
    }

    #[test]
    fn lines_come_back_in_order_and_torn_tails_do_not() {
        let whole = sample(1, Mode::Exclusive, 0) + &sample(2, Mode::Shared, 3);
        let torn = whole.clone() + "3-aaaa";
        let queue = read(torn.as_bytes());
        assert_eq!((queue.end(), queue.is_ragged()), (whole.len() as u64, true));
        assert!(!read(whole.as_bytes()).is_ragged());
        assert_eq!(queue.lines.iter().map(again).collect::<String>(), whole);
        assert!(!queue.garbled);
    }

    #[test]
    fn a_voided_line_is_skipped_and_nonsense_is_noticed() {
        let mut bytes = (sample(1, Mode::Shared, 0) + &sample(2, Mode::Shared, 0)).into_bytes();
        bytes[0] = VOID;
        let queue = read(&bytes);
        assert_eq!((queue.lines.len(), queue.void, queue.garbled), (1, 1, false));
        bytes[WIDTH as usize] = VOID;
        let queue = read(&bytes);
        assert_eq!(
            (queue.lines.len(), queue.end(), queue.is_ragged()),
            (0, 0, false),
            "the next line goes first"
        );
        assert!(read(b"\0\0\0\0\n").garbled);
        assert!(read(b"1-aaaaaa. x - - more\n").garbled);
    }

    #[test]
    fn no_line_crosses_a_page() {
        assert_eq!(4096 % WIDTH, 0, "a kill cuts large writes at the borders of pages");
        let stem = Stem::new(Id::new(u64::MAX, u32::MAX), "0123abcd", Keep::Hold);
        let request = LockRequest {
            lock: LockName::new(Kind::Name, "x"),
            mode: Mode::Exclusive,
            limit: NonZeroU32::new(u32::MAX),
        };
        let longest = line(&stem, &request, Some(&Id::new(u64::MAX, u32::MAX)), usize::MAX);
        assert_eq!(longest.len() as u64, WIDTH);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let queue = read(&bytes);
            prop_assert!(queue.end() <= bytes.len() as u64);
        }
    }
}
