//! What a terminal sends, as keys. Pure: bytes to keys; who reads them is not known here.

/// A key, or several that mean one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Something to write.
    Char(char),
    /// With the control key held down: `Ctrl('c')`.
    Ctrl(char),
    /// Return.
    Enter,
    /// Escape alone.
    Esc,
    /// The key that takes the last character away.
    Backspace,
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// Back.
    Left,
    /// Deeper.
    Right,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// Some key that means nothing here.
    Other,
}

const ESC: u8 = 0x1b;

/// Takes the keys from the front of what was read. What may be the beginning of a longer key stays, unless
/// nothing more comes.
pub fn decode(bytes: &mut Vec<u8>, nothing_more: bool) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let Some((key, length)) = one(&bytes[at..], nothing_more) else { break };
        keys.push(key);
        at += length;
    }
    bytes.drain(..at);
    keys
}

/// The first key and its length; `None` where it is not whole.
fn one(bytes: &[u8], nothing_more: bool) -> Option<(Key, usize)> {
    let simple = |key| Some((key, 1));
    match bytes[0] {
        b'\r' | b'\n' => simple(Key::Enter),
        0x7f | 0x08 => simple(Key::Backspace),
        ESC => escape(bytes).or(nothing_more.then_some((Key::Esc, 1))),
        control @ 1..=26 => simple(Key::Ctrl(char::from(control - 1 + b'a'))),
        0..0x20 => simple(Key::Other),
        _ => character(bytes, nothing_more),
    }
}

fn character(bytes: &[u8], nothing_more: bool) -> Option<(Key, usize)> {
    let length = match bytes[0] {
        0..0x80 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
        // In the middle of a character: of no use.
        _ => return Some((Key::Other, 1)),
    };
    let Some(bytes) = bytes.get(..length) else {
        return nothing_more.then_some((Key::Other, bytes.len()));
    };
    let key = std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next());
    Some(key.map_or((Key::Other, 1), |c| (Key::Char(c), length)))
}

/// `ESC [ … final` and `ESC O final`; any other byte after it means that Escape came alone.
fn escape(bytes: &[u8]) -> Option<(Key, usize)> {
    match bytes.get(1)? {
        b'[' => {
            let end = bytes[2..].iter().position(|b| (0x40..0x7f).contains(b))? + 2;
            Some((sequence(&bytes[2..=end]), end + 1))
        }
        b'O' => Some((sequence(bytes.get(2..3)?), 3)),
        _ => Some((Key::Esc, 1)),
    }
}

fn sequence(what: &[u8]) -> Key {
    match what {
        b"A" => Key::Up,
        b"B" => Key::Down,
        b"C" => Key::Right,
        b"D" => Key::Left,
        b"H" | b"1~" | b"7~" => Key::Home,
        b"F" | b"4~" | b"8~" => Key::End,
        b"5~" => Key::PageUp,
        b"6~" => Key::PageDown,
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &[u8]) -> Vec<Key> {
        let mut bytes = text.to_vec();
        let keys = decode(&mut bytes, true);
        assert_eq!(bytes, b"", "all of it is read");
        keys
    }

    #[test]
    fn keys_of_terminals() {
        assert_eq!(keys(b"\x1b[A\x1bOB"), [Key::Up, Key::Down]);
        assert_eq!(keys(b"\x1b[5~\x1b[6~\x1b[1;5C"), [Key::PageUp, Key::PageDown, Key::Other]);
        assert_eq!(keys(b"\rq\x03\x7f"), [Key::Enter, Key::Char('q'), Key::Ctrl('c'), Key::Backspace]);
        assert_eq!(keys("é東".as_bytes()), [Key::Char('é'), Key::Char('東')]);
    }

    #[test]
    fn escape_alone_is_known_when_nothing_follows() {
        let mut bytes = b"\x1b".to_vec();
        assert_eq!(decode(&mut bytes, false), []);
        assert_eq!(decode(&mut bytes, true), [Key::Esc]);
        assert_eq!(keys(b"\x1bx"), [Key::Esc, Key::Char('x')]);
    }

    #[test]
    fn what_comes_in_pieces_is_put_together() {
        let mut bytes = b"\x1b[".to_vec();
        assert_eq!(decode(&mut bytes, false), []);
        bytes.extend(b"B\xc3");
        assert_eq!(decode(&mut bytes, false), [Key::Down]);
        bytes.extend(b"\xa9");
        assert_eq!(decode(&mut bytes, false), [Key::Char('é')]);
    }

    #[test]
    fn noise_is_read_to_its_end() {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                keys(&[first, second, first]);
            }
        }
    }
}
