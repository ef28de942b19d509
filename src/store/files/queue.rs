//! A lock's file: a line per deployment in order of arrival. Bytes in, bytes out: no I/O.
//!
//! A line is `STEM MODE LIMIT UNDER OF`, filled up to [`WIDTH`]; `OF` is in how many lock files the deployment has a
//! line, so that it is known of a record that cannot be read any more whether all of them are left. A line whose
//! first byte is `#` is void; so is an unterminated tail, which a crash may leave. A new line takes the place behind the last one that counts, where a
//! void one may stand: so the file of a lock that comes and goes is written in place, and its inode stays, which is
//! what a release and the next acquire would otherwise spend most on.

use std::num::NonZeroU32;

use super::names::Stem;
use crate::deployment::Id;
use crate::engine::Entry;
use crate::model::{LockRequest, Mode};

/// How long a line is, in bytes with its end: a divisor of a page, so that no kill can cut the write of one.
pub const WIDTH: u64 = 128;
/// What a line is filled up from.
const PADDING: [u8; WIDTH as usize - 1] = [b' '; WIDTH as usize - 1];
const SPACES: &str = match str::from_utf8(&PADDING) {
    Ok(spaces) => spaces,
    Err(_) => "",
};
/// How many lines are read of a long queue, at first: the one that gives back, the next, and some that gave up.
const HEAD: usize = 4;
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

/// A lock's file, read, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    /// The lines that count, in order of arrival, as far as they were read.
    pub lines: Vec<Line>,
    /// How long the file is, in bytes.
    pub length: u64,
    /// How many lines are void.
    pub void: usize,
    /// A whole line makes no sense: the file is to be made anew from the records.
    pub garbled: bool,
    unread: Unread,
}

/// The end of a long queue, which a release has no use for: whole lines that ask exclusively and are nested in nobody, and
/// void ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Unread {
    /// The whole file.
    bytes: Vec<u8>,
    /// Where they begin, in bytes.
    from: usize,
    /// How many of them count.
    lines: usize,
}

impl Queue {
    /// How many lines count.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len() + self.unread.lines
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there are no more lines than were read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unread.lines == 0
    }

    /// Reads what was left unread.
    pub fn read_on(&mut self) {
        let Unread { bytes, from, .. } = std::mem::take(&mut self.unread);
        // The void ones were counted.
        let void = self.void;
        self.take_lines(&bytes, from, usize::MAX);
        self.void = void;
    }

    /// Reads so many lines that count, from this offset on; where the next one begins.
    fn take_lines(&mut self, bytes: &[u8], from: usize, most: usize) -> usize {
        let mut at = from;
        while self.lines.len() < most
            && let Some(length) = line_length(&bytes[at..])
        {
            let line = &bytes[at..at + length];
            match (line[0] != VOID).then(|| parse(line, at as u64)) {
                None => self.void += 1,
                Some(Some(line)) => self.lines.push(line),
                Some(None) => self.garbled = true,
            }
            at += length;
        }
        at
    }

    /// Where the next line goes: behind the last line that counts.
    #[must_use]
    pub fn end(&self) -> u64 {
        debug_assert!(self.is_whole(), "the last line was read");
        self.lines.last().map_or(0, |line| line.end)
    }

    /// Has the line of this length that was written at [`Queue::end`], over a void one or behind all.
    pub fn push(&mut self, length: u64, stem: &Stem, request: &LockRequest, under: Option<&Id>, of: usize) {
        let offset = self.end();
        if self.length > offset {
            self.void = self.void.saturating_sub(1);
        }
        let end = offset + length;
        self.length = self.length.max(end);
        let LockRequest { mode, limit, .. } = *request;
        let entry = Entry { id: stem.id.clone(), mode, limit, under: under.cloned() };
        self.lines.push(Line { offset, end, stem: stem.clone(), entry, of: Some(of) });
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
    let mut queue = Queue { length: bytes.len() as u64, ..Queue::default() };
    queue.take_lines(bytes, 0, usize::MAX);
    queue
}

/// Reads a lock's file, but of a long queue only the head, where all behind it asks exclusively and is nested in nobody, or is void.
#[must_use]
pub fn read_head(bytes: Vec<u8>) -> Queue {
    let mut queue = Queue { length: bytes.len() as u64, ..Queue::default() };
    let from = queue.take_lines(&bytes, 0, HEAD);
    let (lines, torn) = bytes[from..].as_chunks::<{ WIDTH as usize }>();
    let is_void = |line: &&[u8; WIDTH as usize]| line[0] == VOID && line.ends_with(b"\n");
    let void = lines.iter().filter(is_void).count();
    let plain = torn.is_empty() && lines.iter().all(|line| is_void(&line) || is_plain(line));
    if plain {
        queue.void += void;
        let lines = lines.len() - void;
        queue.unread = if lines > 0 { Unread { bytes, from, lines } } else { Unread::default() };
    } else {
        queue.take_lines(&bytes, from, usize::MAX);
    }
    queue
}

/// Whether this is the line of one that asks exclusively, limits nothing and is nested in nobody, as far as can be
/// seen without reading all of it.
fn is_plain(line: &[u8; WIDTH as usize]) -> bool {
    let stem = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
    line[0].is_ascii_digit() && line[stem..].starts_with(b" x - - ") && line.ends_with(b" \n")
}

/// How long the first line is, in bytes with its end; `None` where there is no whole one. Those that are written
/// here have one length, so that a long queue is not searched for its ends.
fn line_length(bytes: &[u8]) -> Option<usize> {
    if bytes.get(WIDTH as usize - 1) == Some(&b'\n') {
        return Some(WIDTH as usize);
    }
    bytes.iter().position(|b| *b == b'\n').map(|at| at + 1)
}

fn parse(line: &[u8], offset: u64) -> Option<Line> {
    let mut words = Words(line.strip_suffix(b"\n")?);
    let stem = Stem::parse(text(words.next()?)?)?;
    let mode = match words.next()? {
        b"x" => Mode::Exclusive,
        b"s" => Mode::Shared,
        _ => return None,
    };
    let limit = match words.next()? {
        b"-" => None,
        number => Some(text(number)?.parse::<NonZeroU32>().ok()?),
    };
    let under = match words.next()? {
        b"-" => None,
        id => Some(text(id)?.parse().ok()?),
    };
    let of = match words.only_padding() {
        true => None,
        false => Some(text(words.next()?)?.parse().ok()?),
    };
    words.only_padding().then(|| {
        let entry = Entry { id: stem.id.clone(), mode, limit, under };
        Line { offset, end: offset + line.len() as u64, stem, entry, of }
    })
}

fn text(word: &[u8]) -> Option<&str> {
    std::str::from_utf8(word).ok()
}

/// The words of a line, one by one. As bytes: a queue of hundreds is read at each release.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// `None` at the end.
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|b| *b == b' ').unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        Some(word)
    }

    /// What is left fills the line up to its end.
    fn only_padding(&self) -> bool {
        PADDING.get(..self.0.len()).is_some_and(|spaces| spaces == self.0)
    }
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
    // Word by word: an environment of a thousand containers is as many lines.
    let mut line = String::with_capacity(WIDTH as usize);
    stem.write(&mut line);
    line.push_str(if mode == Mode::Exclusive { " x " } else { " s " });
    match limit {
        Some(limit) => line.push_str(&limit.to_string()),
        None => line.push('-'),
    }
    line.push(' ');
    line.push_str(under.map_or("-", Id::as_str));
    if let Some(of) = of {
        line.push(' ');
        line.push_str(&of.to_string());
    }
    line.push_str(SPACES.get(line.len()..).unwrap_or_default());
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Keep, Kind, LockName};
    use proptest::prelude::*;

    fn sample(number: u64, mode: Mode, limit: u32) -> String {
        sample_under(number, mode, limit, Some(&Id::new(1, 1)))
    }

    fn sample_under(number: u64, mode: Mode, limit: u32, under: Option<&Id>) -> String {
        let stem = Stem::new(Id::new(number, 5), "0123abcd", Keep::Release);
        let lock = LockName::new(Kind::Name, "x");
        line(&stem, &LockRequest { lock, mode, limit: NonZeroU32::new(limit) }, under, 3)
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

    #[test]
    fn the_end_of_a_long_queue_is_read_when_it_is_asked_for() {
        let lines: Vec<String> = (1..=20).map(|n| sample_under(n, Mode::Exclusive, 0, None)).collect();
        let mut bytes = lines.concat().into_bytes();
        for place in [0, 1, 9] {
            bytes[place * WIDTH as usize] = VOID;
        }
        let whole = read(&bytes);
        let mut head = read_head(bytes.clone());
        assert_eq!((head.lines.len(), head.len(), head.void), (HEAD, 17, 3));
        head.read_on();
        assert_eq!(head, whole);
        // One that shares, one that is nested, one that makes no sense, one that is torn: nothing is put off.
        for other in
            [sample(21, Mode::Shared, 0), sample(21, Mode::Exclusive, 0), "?".repeat(127) + "\n", "2".into()]
        {
            let bytes = [&bytes, other.as_bytes()].concat();
            assert!(read_head(bytes.clone()).is_whole(), "{other}");
            assert_eq!(read_head(bytes.clone()), read(&bytes));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let queue = read(&bytes);
            prop_assert!(queue.end() <= bytes.len() as u64);
            let mut head = read_head(bytes);
            head.read_on();
            prop_assert_eq!(head, queue);
        }
    }
}
