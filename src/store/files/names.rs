//! File names for lock names and records: injective, safe on any file system. No I/O.

use crate::deployment::Id;
use crate::model::Keep;

/// The longest component of an encoded name; file systems allow 255 bytes, some encrypted ones 143.
const LONGEST: usize = 140;

/// The path of a lock below its kind's folder: every byte but `a-z 0-9 - _ @` and a `.` that does not lead is
/// written `%xx`, so that no two names meet even where case or Unicode form is folded. A name too long for one
/// component is cut into folders whose names end in a bare `%`, which no encoded name does.
#[must_use]
pub fn lock_path(name: &str) -> String {
    let mut path = String::with_capacity(name.len() + 8);
    let mut component = 0;
    for byte in name.bytes() {
        if component + 3 > LONGEST {
            path.push_str("%/");
            component = 0;
        }
        let dot_inside = byte == b'.' && component > 0;
        let plain = dot_inside || matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'@');
        component += if plain { 1 } else { 3 };
        if plain {
            path.push(byte as char);
        } else {
            path.push('%');
            path.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            path.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
    }
    path
}

/// The name whose [`lock_path`] this is; `None` for anything that `lock_path` does not write.
#[must_use]
pub fn lock_name(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    loop {
        match rest {
            [] => break,
            [b'%', b'/', tail @ ..] => rest = tail,
            [b'%', a, b, tail @ ..] => {
                let digit = |c: &u8| (*c as char).to_digit(16).map(|d| d as u8);
                bytes.push(digit(a)? << 4 | digit(b)?);
                rest = tail;
            }
            [b, tail @ ..] => {
                bytes.push(*b);
                rest = tail;
            }
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    (!name.is_empty() && lock_path(&name) == path).then_some(name)
}

/// How many letters of the boot id a record's file name carries.
const BOOT_TAG: usize = 8;

/// What a stem's file name needs at most, roughly, in bytes.
const LONGEST_STEM: usize = 40;

/// The file name of a record that a process keeps alive: the id, the boot it belongs to, and `.h` where a crash
/// does not free its locks. So that even an empty file after a power failure says that its time is over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stem {
    /// The deployment.
    pub id: Id,
    /// The first letters of the boot id.
    pub boot: BootTag,
    /// What a crash does to its locks.
    pub on_crash: Keep,
}

impl Stem {
    /// The stem of this deployment in this boot.
    #[must_use]
    pub fn new(id: Id, boot: &str, on_crash: Keep) -> Self {
        Stem { id, boot: BootTag::of(boot), on_crash }
    }

    /// Reads a file name; `None` for one that is no record's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (text, on_crash) = match text.strip_suffix(".h") {
            Some(rest) => (rest, Keep::Hold),
            None => (text, Keep::Release),
        };
        let (id, boot) = match text.bytes().position(|b| b == b'.') {
            Some(dot) => (&text[..dot], &text[dot + 1..]),
            // Only beside a boot, though it says nothing, can there be more.
            None if on_crash == Keep::Hold => return None,
            None => (text, ""),
        };
        Some(Stem { id: id.parse().ok()?, boot: BootTag::parse(boot)?, on_crash })
    }

    /// The file name.
    #[must_use]
    pub fn name(&self) -> String {
        let mut text = String::with_capacity(LONGEST_STEM);
        self.write(&mut text);
        text
    }

    /// Adds the file name to `text`.
    pub fn write(&self, text: &mut String) {
        text.push_str(self.id.as_str());
        text.push('.');
        text.push_str(self.boot.as_str());
        if self.on_crash == Keep::Hold {
            text.push_str(".h");
        }
    }
}

impl std::fmt::Display for Stem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

/// What a file name says of a boot id: its first letters, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BootTag {
    text: [u8; BOOT_TAG],
    length: u8,
}

impl BootTag {
    /// The tag of this boot id.
    #[must_use]
    pub fn of(boot: &str) -> Self {
        let mut tag = BootTag::default();
        for digit in boot.bytes().filter(u8::is_ascii_hexdigit).take(BOOT_TAG) {
            tag.text[usize::from(tag.length)] = digit;
            tag.length += 1;
        }
        tag
    }

    /// Reads what [`BootTag::as_str`] says; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut tag = BootTag { text: [0; BOOT_TAG], length: bytes.len() as u8 };
        tag.text.get_mut(..bytes.len())?.copy_from_slice(bytes);
        bytes.iter().all(u8::is_ascii_hexdigit).then_some(tag)
    }

    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.length)]).expect("hexadecimal digits")
    }

    /// It says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hard_names_are_safe_and_come_back() {
        let long = "x".repeat(200);
        let wide = "é".repeat(100);
        let dots = ".".repeat(200);
        for name in
            ["a", "A", ".", "..", "/", "a/b", "-rf", "a b", "Ünïcode", "%41", "a%", &long, &wide, &dots]
        {
            let path = lock_path(name);
            assert_eq!(lock_name(&path).as_deref(), Some(name), "{path}");
            for part in path.split('/') {
                assert!(!part.is_empty() && part.len() <= LONGEST + 1 && !part.starts_with('.'), "{path}");
            }
        }
        assert_ne!(lock_path("Prod").to_lowercase(), lock_path("prod"));
        assert_eq!(lock_name("%2F"), None, "only what lock_path writes is a name");
    }

    #[test]
    fn stems_round_trip() {
        let id = Id::new(7, 99);
        for keep in [Keep::Release, Keep::Hold] {
            let stem = Stem::new(id.clone(), "12ab34cd-ffff", keep);
            assert_eq!(stem.boot.as_str(), "12ab34cd");
            assert_eq!(Stem::parse(&stem.to_string()), Some(stem));
        }
        assert_eq!(Stem::parse(".nfs0001"), None);
        assert_eq!(Stem::parse("1-aaaaaa.zz"), None);
        assert_eq!(Stem::parse("1-aaaaaa.012345678"), None, "longer than any that is written");
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "\\PC{1,120}") {
            let path = lock_path(&name);
            prop_assert_eq!(lock_name(&path), Some(name));
        }

        #[test]
        fn different_names_differ_even_folded(a in "\\PC{1,20}", b in "\\PC{1,20}") {
            prop_assume!(a != b);
            prop_assert_ne!(lock_path(&a).to_lowercase(), lock_path(&b).to_lowercase());
        }
    }
}
