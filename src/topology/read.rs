//! Typed reading of one TOML table: its keys in either spelling, its values as what they should be.
//!
//! Which tables and keys there are is `parse`'s.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Source, TopologyError};
use super::suggest::{closest, quote};
use super::value::{bare, camel, duration, is_camel, kind_of, number};
use super::{Concurrency, Setting};
use crate::model::{Keep, check_name};

/// The two policy keys.
pub(super) const ALLOW: &str = "allow_concurrent_deployments";
/// See [`ALLOW`].
pub(super) const LIMIT: &str = "limit_number_of_concurrent_deployments";

/// A name in the file and the bytes it stands at.
pub(super) struct Name<'a> {
    pub(super) text: &'a str,
    pub(super) place: Range<usize>,
}

/// A table under a name that the user chose, such as `[environments.prod]`.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) place: Range<usize>,
    path: Path<'a>,
    table: &'a DeTable<'a>,
}

/// Where a table is in the file, put into words only for an error.
#[derive(Clone, Copy, Default)]
struct Path<'a> {
    /// From the outermost; empty strings behind the last.
    names: [&'a str; DEEPEST],
    depth: usize,
    /// The last one names a list of tables.
    is_list: bool,
}

/// How deep tables lie: `[applications.shop.environments.prod]`.
const DEEPEST: usize = 4;

impl<'a> Path<'a> {
    fn then(mut self, name: &'a str) -> Self {
        if let Some(last) = self.names.get_mut(self.depth) {
            *last = name;
            self.depth += 1;
        }
        self
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (open, close) = if self.is_list { ("[[", "]]") } else { ("[", "]") };
        f.write_str(open)?;
        for (place, name) in self.names[..self.depth].iter().enumerate() {
            f.write_str(if place > 0 { "." } else { "" })?;
            f.write_str(&bare(name))?;
        }
        f.write_str(close)
    }
}

/// A table whose keys are all known.
pub(super) struct Table<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) line: usize,
    path: Path<'a>,
    fields: Vec<Field<'a>>,
}

/// One key of a [`Table`] and its value.
struct Field<'a> {
    /// The key in snake case, of the known ones.
    known: &'static str,
    /// The key as written.
    key: &'a str,
    place: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Table<'a> {
    /// The file itself.
    pub(super) fn whole(
        source: &'a Source<'a>,
        table: &'a DeTable<'a>,
        known: &[&'static str],
    ) -> Result<Self, TopologyError> {
        Self::empty(source, 1, Path::default()).fill(table, known)
    }

    /// The table of an entry.
    pub(super) fn of(
        source: &'a Source<'a>,
        entry: &Entry<'a>,
        known: &[&'static str],
    ) -> Result<Self, TopologyError> {
        Self::empty(source, source.line(entry.place.start), entry.path).fill(entry.table, known)
    }

    fn empty(source: &'a Source<'a>, line: usize, path: Path<'a>) -> Self {
        Table { source, line, path, fields: Vec::new() }
    }

    fn fill(mut self, table: &'a DeTable<'a>, known: &[&'static str]) -> Result<Self, TopologyError> {
        self.fields.reserve_exact(table.len());
        for (key, value) in in_order(table) {
            let name = self.known(key, known)?;
            if let Some(first) = self.field(name) {
                let message = format!(
                    "{} in {} is the same key as {}: leave one of them out",
                    quote(key.get_ref()),
                    self.title(),
                    quote(first.key)
                );
                return Err(self.source.error(&key.span(), message));
            }
            self.fields.push(Field { known: name, key: key.get_ref(), place: key.span(), value });
        }
        Ok(self)
    }

    fn known(
        &self,
        key: &Spanned<Cow<'_, str>>,
        known: &[&'static str],
    ) -> Result<&'static str, TopologyError> {
        let written = key.get_ref().as_ref();
        if let Some(name) = known.iter().find(|name| written == **name || is_camel(written, name)) {
            return Ok(name);
        }
        // In the spelling that was tried.
        let in_camel_case = written.chars().any(|c| c.is_ascii_uppercase());
        let spell = |name: &&str| {
            if in_camel_case { camel(name) } else { (*name).to_owned() }
        };
        let spellings: Vec<String> = known.iter().map(spell).collect();
        let hint = match closest(written, spellings.iter().map(String::as_str)) {
            Some(name) => format!("did you mean {}?", quote(name)),
            None => format!("it takes {}", known.join(", ")),
        };
        let message = format!("unknown key {} in {}: {hint}", quote(written), self.title());
        Err(self.source.error(&key.span(), message))
    }

    fn field(&self, known: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.known == known)
    }

    fn title(&self) -> String {
        if self.path.depth == 0 { "the topology file".to_owned() } else { self.path.to_string() }
    }

    /// An error at the value of a key: `what` follows the names of key and table.
    fn wrong(&self, field: &Field<'_>, what: &str) -> TopologyError {
        let message = format!("{} in {} {what}", quote(field.key), self.title());
        self.source.error(&field.value.span(), message)
    }

    fn mistyped(&self, field: &Field<'_>, expected: &str) -> TopologyError {
        self.wrong(field, &format!("must be {expected}, found {}", kind_of(field.value.get_ref())))
    }

    /// Reads a key by `read`, or takes the default.
    fn setting<T>(
        &self,
        known: &str,
        default: T,
        read: impl FnOnce(&Self, &Field<'a>) -> Result<T, TopologyError>,
    ) -> Result<Setting<T>, TopologyError> {
        match self.field(known) {
            Some(field) => Ok(Setting::at(self.source.line(field.place.start), read(self, field)?)),
            None => Ok(Setting::unset(default)),
        }
    }

    /// `true` or `false`.
    pub(super) fn bool(&self, known: &str, default: bool) -> Result<Setting<bool>, TopologyError> {
        self.setting(known, default, |table, field| {
            field.value.get_ref().as_bool().ok_or_else(|| table.mistyped(field, "true or false"))
        })
    }

    /// A string, made into a value by `make`, whose error says what is wrong after "must".
    pub(super) fn string<T>(
        &self,
        known: &str,
        default: T,
        expected: &str,
        make: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Setting<T>, TopologyError> {
        self.setting(known, default, |table, field| {
            let text = field.value.get_ref().as_str().ok_or_else(|| table.mistyped(field, expected))?;
            make(text)
                .ok_or_else(|| table.wrong(field, &format!("must be {expected}, found {}", quote(text))))
        })
    }

    /// `"release"` or `"hold"`.
    pub(super) fn keep(&self, known: &str) -> Result<Setting<Keep>, TopologyError> {
        self.string(known, Keep::Release, "\"release\" or \"hold\"", |text| match text {
            "release" => Some(Keep::Release),
            "hold" => Some(Keep::Hold),
            _ => None,
        })
    }

    /// A string or a date and time, made into a value by `make`, whose error is what follows the names of key and
    /// table.
    #[cfg(feature = "calendar")]
    pub(super) fn written<T>(
        &self,
        known: &str,
        expected: &str,
        make: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, TopologyError> {
        let Some(field) = self.field(known) else {
            return Ok(None);
        };
        let made = match field.value.get_ref() {
            DeValue::String(text) => make(text),
            DeValue::Datetime(datetime) => make(&datetime.to_string()),
            _ => return Err(self.mistyped(field, expected)),
        };
        made.map(Some).map_err(|what| self.wrong(field, &what))
    }

    /// A whole number of 1 or more.
    pub(super) fn count(&self, known: &str) -> Result<Setting<Option<NonZeroU32>>, TopologyError> {
        self.setting(known, None, |table, field| {
            const EXPECTED: &str = "a whole number from 1 to 4294967295";
            let DeValue::Integer(integer) = field.value.get_ref() else {
                return Err(table.mistyped(field, EXPECTED));
            };
            let count = number(integer).and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new);
            let found = || table.wrong(field, &format!("must be {EXPECTED}, found {integer}"));
            count.map(Some).ok_or_else(found)
        })
    }

    /// The two policy keys.
    pub(super) fn concurrency(&self) -> Result<Concurrency, TopologyError> {
        Ok(Concurrency { allow: self.bool(ALLOW, true)?, limit: self.count(LIMIT)? })
    }

    /// A time span longer than nothing.
    pub(super) fn duration(
        &self,
        known: &str,
        default: Duration,
    ) -> Result<Setting<Duration>, TopologyError> {
        const EXPECTED: &str = "a duration such as \"90s\" or \"1h 30m\", or a number of seconds";
        self.setting(known, default, |table, field| {
            let span = match field.value.get_ref() {
                DeValue::Integer(integer) => number(integer).map(Duration::from_secs),
                DeValue::String(text) => duration(text),
                _ => return Err(table.mistyped(field, EXPECTED)),
            };
            match span {
                Some(Duration::ZERO) => Err(table.wrong(field, "must be longer than 0")),
                Some(span) => Ok(span),
                None => {
                    let found = table.source.slice(&field.value.span());
                    Err(table.wrong(field, &format!("must be {EXPECTED}, found {}", quote(found))))
                }
            }
        })
    }

    /// The one name that a key gives.
    pub(super) fn name(&self, known: &str, expected: &str) -> Result<Option<Name<'a>>, TopologyError> {
        let Some(field) = self.field(known) else {
            return Ok(None);
        };
        self.name_in(field, field.value, expected).map(Some)
    }

    /// A list of strings, each once; `None` where the key is missing.
    pub(super) fn names(&self, known: &str, expected: &str) -> Result<Option<Vec<Name<'a>>>, TopologyError> {
        let Some(field) = self.field(known) else {
            return Ok(None);
        };
        let array = field.value.get_ref().as_array().ok_or_else(|| self.mistyped(field, expected))?;
        let mut seen = BTreeSet::new();
        let mut names = Vec::with_capacity(array.len());
        for value in array {
            let name = self.name_in(field, value, expected)?;
            if !seen.insert(name.text) {
                let twice = format!("{} is in this list twice: leave it out here", quote(name.text));
                return Err(self.source.error(&name.place, twice));
            }
            names.push(name);
        }
        Ok(Some(names))
    }

    /// A program and its arguments, as a list of strings; `None` where the key is missing.
    pub(super) fn command(&self, known: &str) -> Result<Option<Setting<Vec<String>>>, TopologyError> {
        const EXPECTED: &str = "a program and its arguments as a list of strings, [\"notify\", \"--chat\"]";
        let Some(field) = self.field(known) else {
            return Ok(None);
        };
        let words = field.value.get_ref().as_array().ok_or_else(|| self.mistyped(field, EXPECTED))?;
        let mut command = Vec::with_capacity(words.len());
        for word in words {
            let wrong = |what: &str| {
                let message = format!("{} in {} {what}", quote(field.key), self.title());
                self.source.error(&word.span(), message)
            };
            let found = kind_of(word.get_ref());
            let text = word.get_ref().as_str();
            let text = text.ok_or_else(|| wrong(&format!("must be {EXPECTED}, found {found} in it")))?;
            if text.contains('\0') {
                return Err(wrong("must have no NUL character in it"));
            }
            command.push(text.to_owned());
        }
        if command.first().is_none_or(String::is_empty) {
            return Err(self.wrong(field, "must begin with a program; leave the key out for no hook"));
        }
        Ok(Some(Setting::at(self.source.line(field.place.start), command)))
    }

    fn name_in(
        &self,
        field: &Field<'a>,
        value: &'a Spanned<DeValue<'a>>,
        expected: &str,
    ) -> Result<Name<'a>, TopologyError> {
        let Some(text) = value.get_ref().as_str() else {
            let found = kind_of(value.get_ref());
            let message =
                format!("{} in {} must be {expected}, found {found}", quote(field.key), self.title());
            return Err(self.source.error(&value.span(), message));
        };
        let name = Name { text, place: value.span() };
        checked(self.source, &name)?;
        Ok(name)
    }

    /// The line of a key that is there.
    pub(super) fn line_of(&self, known: &str) -> Option<usize> {
        self.field(known).map(|field| self.source.line(field.place.start))
    }

    /// An error at the value of a key that is there, after the key's name and its table's.
    pub(super) fn refuse(&self, known: &str, what: &str) -> Result<(), TopologyError> {
        self.field(known).map_or(Ok(()), |field| Err(self.wrong(field, what)))
    }

    /// A known table of this one, such as `[store]`.
    pub(super) fn entry(&self, known: &str) -> Result<Option<Entry<'a>>, TopologyError> {
        let Some(field) = self.field(known) else {
            return Ok(None);
        };
        self.entry_in(field.key, &field.place, field.value).map(Some)
    }

    /// The tables of a known one, such as those of `environments`, in the order of the file.
    pub(super) fn entries(&self, known: &str) -> Result<Vec<Entry<'a>>, TopologyError> {
        let Some(parent) = self.entry(known)? else {
            return Ok(Vec::new());
        };
        let within = Self::empty(self.source, self.line, parent.path);
        let mut entries = Vec::with_capacity(parent.table.len());
        for (key, value) in in_order(parent.table) {
            let name = Name { text: key.get_ref(), place: key.span() };
            checked(self.source, &name)?;
            entries.push(within.entry_in(name.text, &name.place, value)?);
        }
        Ok(entries)
    }

    /// The tables of a list of them, such as `[[environments.prod.freeze]]`.
    pub(super) fn list(&self, known: &str) -> Result<Vec<Entry<'a>>, TopologyError> {
        let Some(field) = self.field(known) else {
            return Ok(Vec::new());
        };
        let path = Path { is_list: true, ..self.path.then(field.key) };
        let expected = format!("a list of tables, as in {path}");
        let array = field.value.get_ref().as_array().ok_or_else(|| self.mistyped(field, &expected))?;
        let entry = |value: &'a Spanned<DeValue<'a>>| match value.get_ref() {
            DeValue::Table(table) => Ok(Entry { name: field.key, place: value.span(), path, table }),
            other => Err(self.source.error(
                &value.span(),
                format!("{} must be {expected}, found {}", quote(field.key), kind_of(other)),
            )),
        };
        array.iter().map(entry).collect()
    }

    fn entry_in(
        &self,
        name: &'a str,
        place: &Range<usize>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Result<Entry<'a>, TopologyError> {
        let path = self.path.then(name);
        match value.get_ref() {
            DeValue::Table(table) => Ok(Entry { name, place: place.clone(), path, table }),
            other => {
                let message =
                    format!("{} must be a table, as in {path}, found {}", quote(name), kind_of(other));
                Err(self.source.error(&value.span(), message))
            }
        }
    }
}

/// The entries of a table in the order of the file: the parser keeps them in that of the alphabet.
fn in_order<'a>(table: &'a DeTable<'a>) -> Vec<(&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn checked(source: &Source<'_>, name: &Name<'_>) -> Result<(), TopologyError> {
    check_name(name.text).map_err(|why| source.error(&name.place, why.to_string()))
}
