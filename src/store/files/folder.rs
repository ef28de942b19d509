//! The lock directory: every system call of the files store that touches a name goes through here.
//!
//! Paths are relative to descriptors, symbolic links inside the directory are never followed, only regular files
//! are opened, and each step that changes something is announced to [`Steps`] first, so that tests can make any
//! of them fail or end the world there.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::fs::{self as sys, AtFlags, FileType, Mode as Bits, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::kept::Kept;
use super::layout::PARENTS;
pub use super::layout::{Folder, Modes, Step, Steps};
use crate::clock::{self, Now};
use crate::store::{Result, StoreError};

/// An open lock directory.
pub struct Top {
    /// As the user named it.
    pub path: PathBuf,
    /// Only one kernel can have its file system mounted.
    pub local: bool,
    /// What new files and folders get.
    pub modes: Modes,
    /// Its file system as this kernel numbers it: each mount of a FUSE file system has a number of its own.
    pub device: u64,
    fd: OwnedFd,
    folders: [OnceLock<OwnedFd>; Folder::COUNT],
    /// How often something was looked for in each of them, as far as that matters.
    visits: [AtomicU8; Folder::COUNT],
    kept: Kept,
    steps: Option<Arc<dyn Steps>>,
}

/// A file of the store, open.
pub struct Opened {
    /// The descriptor.
    pub file: File,
    /// How long it was when it was opened or made, in bytes.
    pub length: u64,
    /// How long it was when we had appended whole lines to it.
    appended: Option<u64>,
    /// What it was opened for.
    pub(super) access: OFlags,
    name: (Folder, String),
    /// Which file it is, once that has been asked: as long as it is open no other is.
    identity: OnceLock<Identity>,
}

/// What tells a file from all others: its file system and its number there.
type Identity = (u64, u64);

fn identity(stat: &sys::Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

fn length(stat: &sys::Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

impl Opened {
    fn new(file: OwnedFd, stat: &sys::Stat, access: OFlags, name: (Folder, String)) -> Opened {
        let identity = OnceLock::from(identity(stat));
        Opened { file: File::from(file), length: length(stat), appended: None, access, name, identity }
    }

    /// Which file it is, as it was seen first.
    fn identity(&self) -> Option<Identity> {
        if let Some(known) = self.identity.get() {
            return Some(*known);
        }
        let found = self.identity_now()?;
        Some(*self.identity.get_or_init(|| found))
    }

    fn identity_now(&self) -> Option<Identity> {
        sys::fstat(&self.file).ok().as_ref().map(identity)
    }

    /// The same under a descriptor of this number or above, where that can be had.
    #[must_use]
    pub fn above(self, number: i32) -> Opened {
        match rustix::io::fcntl_dupfd_cloexec(&self.file, number) {
            Ok(above) => Opened { file: File::from(above), ..self },
            Err(_) => self,
        }
    }

    /// Whether it had this name when it was opened or made.
    #[must_use]
    pub fn was_called(&self, folder: Folder, name: &str) -> bool {
        self.name.0 == folder && self.name.1 == name
    }

    /// Whether both are one file, as far as can be seen.
    #[must_use]
    pub fn is_same_file(&self, other: &Opened) -> bool {
        let now = self.identity_now();
        now.is_some() && now == other.identity_now()
    }
}

impl Top {
    /// Opens the directory; `None` where there is none.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn open(path: &Path, steps: Option<Arc<dyn Steps>>) -> Result<Option<Top>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = match sys::open(path, flags, Bits::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(failed("open the lock directory", path, e)),
        };
        let stat = sys::fstat(&fd).map_err(|e| failed("look at the lock directory", path, e))?;
        let modes = Modes::of_folder(stat.st_mode);
        let local = is_local(&fd);
        let local = steps.as_ref().map_or(local, |s| s.local(local));
        let folders = [const { OnceLock::new() }; Folder::COUNT];
        let visits = [const { AtomicU8::new(0) }; Folder::COUNT];
        let (path, device, kept) = (path.to_owned(), stat.st_dev, Kept::default());
        Ok(Some(Top { path, local, modes, device, fd, folders, visits, kept, steps }))
    }

    /// Makes the directory and everything above it, with this mode for itself.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn make(path: &Path, mode: Option<u32>) -> Result<()> {
        let there = path.ancestors().skip(1).find(|above| above.is_dir());
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(|e| io_failed("create the folder", parent, e))?;
        }
        let bits = Bits::from_raw_mode(mode.unwrap_or(0o777));
        match sys::mkdir(path, bits) {
            Ok(()) => sync_above(path, there),
            Err(Errno::EXIST) => return Ok(()),
            Err(e) => return Err(failed("create the lock directory", path, e)),
        }
        match mode {
            Some(_) => set_mode_of_new(sys::CWD, path, bits).map_err(|e| failed("set the mode of", path, e)),
            None => Ok(()),
        }
    }

    /// Where a file lies, for people.
    #[must_use]
    pub fn show(&self, folder: Folder, name: &str) -> PathBuf {
        match folder {
            Folder::Top => self.path.join(name),
            _ => self.path.join(&*folder.path()).join(name),
        }
    }

    /// Makes the folders of a store.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn make_folders(&self) -> Result<()> {
        for path in PARENTS.into_iter().map(Cow::from).chain(Folder::all().map(Folder::path)) {
            self.make_folder(Folder::Top, &path)?;
        }
        // A record is no more durable than the folders above it.
        PARENTS.iter().try_for_each(|path| self.sync_below(Folder::Top, path))?;
        self.sync_folder(Folder::Top)
    }

    fn make_folder(&self, folder: Folder, path: &str) -> Result<()> {
        let step = self.label(folder, path);
        self.announce("create", folder, path, &Step::MakeFolder(&step))?;
        let shown = || self.show(folder, path);
        let at = self.folder(folder)?;
        let bits = Bits::from_raw_mode(self.modes.folder);
        match sys::mkdirat(at, path, bits) {
            Ok(()) => {
                set_mode_of_new(at, path.as_ref(), bits).map_err(|e| failed("set the mode of", &shown(), e))
            }
            Err(Errno::EXIST) => Ok(()),
            Err(e) => Err(failed("create", &shown(), e)),
        }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Now {
        self.steps.as_ref().map_or_else(clock::now, |s| s.now())
    }

    fn step(&self, step: &Step<'_>) -> io::Result<()> {
        self.steps.as_ref().map_or(Ok(()), |s| s.before(step))
    }

    fn announce(&self, what: &'static str, folder: Folder, name: &str, step: &Step<'_>) -> Result<()> {
        self.step(step).map_err(|e| io_failed(what, &self.show(folder, name), e))
    }

    fn folder(&self, folder: Folder) -> Result<BorrowedFd<'_>> {
        if folder == Folder::Top {
            return Ok(self.fd.as_fd());
        }
        let cell = &self.folders[folder.index()];
        if let Some(fd) = cell.get() {
            return Ok(fd.as_fd());
        }
        let path = folder.path();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = match beneath(self.fd.as_fd(), &path, flags, Bits::empty()) {
            Err(Errno::NOENT) => {
                self.make_folders()?;
                beneath(self.fd.as_fd(), &path, flags, Bits::empty())
            }
            other => other,
        };
        let fd = fd.map_err(|e| self.strange("open", Folder::Top, &path, e))?;
        Ok(cell.get_or_init(|| fd).as_fd())
    }

    /// From where by which path a file is opened: a folder need not be opened for one file, when it is taken and when it
    /// is given back. But where another host may have changed it, opening it is what makes this one look anew.
    fn way_to<'a>(&self, folder: Folder, name: &'a str) -> Result<(BorrowedFd<'_>, Cow<'a, str>)> {
        let seldom = self.local && self.visits[folder.index()].fetch_add(1, Ordering::Relaxed) < 2;
        if folder != Folder::Top && seldom && self.folders[folder.index()].get().is_none() {
            return Ok((self.fd.as_fd(), format!("{}/{name}", folder.path()).into()));
        }
        Ok((self.folder(folder)?, name.into()))
    }

    fn strange(&self, what: &'static str, folder: Folder, name: &str, e: Errno) -> StoreError {
        let path = self.show(folder, name);
        match e {
            Errno::LOOP => StoreError::Foreign { path, what: "a symbolic link" },
            Errno::ISDIR => StoreError::Foreign { path, what: "a folder" },
            Errno::NOTDIR => StoreError::Foreign { path, what: "not a folder or" },
            // What a FIFO or a socket answers to O_NONBLOCK.
            Errno::NXIO => StoreError::Foreign { path, what: "a FIFO or socket" },
            e => failed(what, &path, e),
        }
    }

    /// Opens a file that is there; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be opened or is no regular file.
    pub fn open_file(&self, folder: Folder, name: &str, write: bool) -> Result<Option<Opened>> {
        let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
        self.open_with(folder, name, access)
    }

    /// Opens a file for [`Top::append`], making it where there is none.
    ///
    /// # Errors
    /// As [`Top::open_file`].
    pub fn open_to_append(&self, folder: Folder, name: &str) -> Result<Opened> {
        let access = OFlags::RDWR | OFlags::APPEND;
        loop {
            if let Some(opened) = self.open_with(folder, name, access)? {
                return Ok(opened);
            }
            match self.create(folder, name) {
                // Somebody else was as quick.
                Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
                made => drop(made?),
            }
        }
    }

    /// Whether there is anything of this name.
    ///
    /// # Errors
    /// When that cannot be seen.
    pub fn exists(&self, folder: Folder, name: &str) -> Result<bool> {
        match sys::statat(self.folder(folder)?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(self.strange("look at", folder, name, e)),
        }
    }

    /// Opens a file, making it where there is none.
    ///
    /// # Errors
    /// As [`Top::open_file`].
    pub fn open_or_create(&self, folder: Folder, name: &str) -> Result<Opened> {
        if let Some(opened) = self.open_with(folder, name, OFlags::RDWR)? {
            return Ok(opened);
        }
        self.create(folder, name)
    }

    fn open_with(&self, folder: Folder, name: &str, access: OFlags) -> Result<Option<Opened>> {
        if let Some(opened) = self.taken_up(folder, name, access)? {
            return Ok(Some(opened));
        }
        let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let (at, path) = self.way_to(folder, name)?;
        let fd = match beneath(at, &path, flags, Bits::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => {
                // It may be the folder that is not as it should be.
                self.folder(folder)?;
                return Err(self.strange("open", folder, name, e));
            }
        };
        let stat = sys::fstat(&fd).map_err(|e| self.strange("look at", folder, name, e))?;
        let what = match FileType::from_raw_mode(stat.st_mode) {
            // Somebody may have planted a name here for a file of elsewhere, for us to write into.
            FileType::RegularFile if access.contains(OFlags::RDWR) && stat.st_nlink > 1 => {
                "a hard link: a file that has another name too"
            }
            FileType::RegularFile => {
                return Ok(Some(Opened::new(fd, &stat, access, (folder, name.to_owned()))));
            }
            FileType::Directory => "a folder",
            FileType::Fifo => "a FIFO",
            _ => "a special file",
        };
        Err(StoreError::Foreign { path: self.show(folder, name), what })
    }

    /// Leaves it open for whoever asks for it next.
    pub(super) fn lay_aside(&self, opened: Opened) {
        // Elsewhere it is opening a file that shows what another host has made of it.
        if self.local {
            self.kept.put(opened);
        }
    }

    /// What was laid aside under this name, if that still leads to it.
    fn taken_up(&self, folder: Folder, name: &str, access: OFlags) -> Result<Option<Opened>> {
        let Some(mut opened) = self.kept.take(folder, name, access) else { return Ok(None) };
        let (at, path) = self.way_to(folder, name)?;
        let named = sys::statat(at, &*path, AtFlags::SYMLINK_NOFOLLOW);
        // As long as it is open, no other has its number, whatever way leads there by now.
        let is_that = |named: &sys::Stat| opened.identity() == Some(identity(named)) && named.st_nlink == 1;
        if let Some(stat) = named.ok().filter(is_that) {
            opened.length = length(&stat);
            return Ok(Some(opened));
        }
        // Who closes what is gone waits until the file system has put it away: not now.
        opened.name.1.clear();
        self.kept.put(opened);
        Ok(None)
    }

    /// Makes a file that is not there yet.
    ///
    /// # Errors
    /// When it cannot be made, or something of that name is there.
    pub fn create(&self, folder: Folder, name: &str) -> Result<Opened> {
        self.announce("create", folder, name, &Step::Create(&self.label(folder, name)))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let bits = Bits::from_raw_mode(self.modes.file);
        let at = self.folder(folder)?;
        let fd = match beneath(at, name, flags, bits) {
            Err(Errno::NOENT) if name.contains('/') => {
                for (i, _) in name.match_indices('/') {
                    self.make_folder(folder, &name[..i])?;
                }
                beneath(at, name, flags, bits)
            }
            other => other,
        };
        let fd = fd.map_err(|e| self.strange("create", folder, name, e))?;
        let stat = sys::fstat(&fd).and_then(|stat| {
            // To set it takes a look at the disk's journal, even if that changes nothing.
            let is_set = Bits::from_raw_mode(stat.st_mode) == bits;
            if is_set { Ok(()) } else { sys::fchmod(&fd, bits) }.map(|()| stat)
        });
        match stat {
            Ok(stat) => Ok(Opened::new(fd, &stat, OFlags::RDWR, (folder, name.to_owned()))),
            Err(e) => {
                // Nobody is to find an empty file that never was one of the store.
                let _ = self.remove(folder, name);
                Err(self.strange("set the mode of", folder, name, e))
            }
        }
    }

    /// Renames a file within the store.
    ///
    /// # Errors
    /// When it cannot be renamed; then it has its old name.
    pub fn rename(&self, from: (Folder, &str), to: (Folder, &str)) -> Result<()> {
        let (source, target) = (self.label(from.0, from.1), self.label(to.0, to.1));
        self.announce("rename", from.0, from.1, &Step::Rename(&source, &target))?;
        sys::renameat(self.folder(from.0)?, from.1, self.folder(to.0)?, to.1)
            .map_err(|e| self.strange("rename", from.0, from.1, e))
    }

    /// Removes a name; `false` where there was none.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, folder: Folder, name: &str) -> Result<bool> {
        let at = self.folder(folder)?;
        self.announce("remove", folder, name, &Step::Remove(&self.label(folder, name)))?;
        let removed = match name.rsplit_once('/') {
            None => sys::unlinkat(at, name, AtFlags::empty()),
            Some((parent, last)) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                beneath(at, parent, flags, Bits::empty())
                    .and_then(|fd| sys::unlinkat(fd, last, AtFlags::empty()))
            }
        };
        match removed {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(self.strange("remove", folder, name, e)),
        }
    }

    /// The names in a folder, without `.` and `..`, in no order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn names(&self, folder: Folder) -> Result<Vec<String>> {
        self.names_below(folder, ".")
    }

    /// The paths of all files below a folder of locks.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn paths(&self, folder: Folder) -> Result<Vec<String>> {
        let mut paths = Vec::new();
        let mut todo = vec![String::new()];
        while let Some(prefix) = todo.pop() {
            let at = if prefix.is_empty() { "." } else { prefix.as_str() };
            for name in self.names_below(folder, at)? {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
                if name.ends_with('%') { todo.push(path) } else { paths.push(path) }
            }
        }
        Ok(paths)
    }

    /// Whether there is no name in a folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_empty(&self, folder: Folder) -> Result<bool> {
        let wrong = |e| self.strange("read the folder", folder, ".", e);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = beneath(self.folder(folder)?, ".", flags, Bits::empty()).map_err(wrong)?;
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut entries = sys::RawDir::new(fd, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(wrong)?;
            if ![c".", c".."].contains(&entry.file_name()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn names_below(&self, folder: Folder, below: &str) -> Result<Vec<String>> {
        let wrong = |e| self.strange("read the folder", folder, below, e);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = beneath(self.folder(folder)?, below, flags, Bits::empty()).map_err(wrong)?;
        let mut names = Vec::new();
        for entry in sys::Dir::new(fd).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let name = entry.file_name().to_string_lossy();
            if name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }

    /// Makes a folder's names durable.
    ///
    /// # Errors
    /// When that cannot be promised.
    pub fn sync_folder(&self, folder: Folder) -> Result<()> {
        self.announce("sync", folder, "", &Step::SyncFolder(&folder.path()))?;
        sys::fsync(self.folder(folder)?).map_err(|e| self.strange("sync", folder, "", e))
    }

    /// Makes the name of a file durable, and those of the folders above it.
    ///
    /// # Errors
    /// When that cannot be promised.
    pub fn sync_name(&self, folder: Folder, name: &str) -> Result<()> {
        name.match_indices('/').try_for_each(|(i, _)| self.sync_below(folder, &name[..i]))?;
        self.sync_folder(folder)
    }

    fn sync_below(&self, folder: Folder, path: &str) -> Result<()> {
        self.announce("sync", folder, path, &Step::SyncFolder(&self.label(folder, path)))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        beneath(self.folder(folder)?, path, flags, Bits::empty())
            .and_then(sys::fsync)
            .map_err(|e| self.strange("sync", folder, path, e))
    }

    /// Reads a file from its beginning.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than any file of a store.
    pub fn read(&self, opened: &Opened) -> Result<Vec<u8>> {
        let read = if opened.length > LARGEST as u64 { Err(too_large()) } else { self.read_some(opened) };
        read.map_err(|e| io_failed("read", &self.show(opened.name.0, &opened.name.1), e))
    }

    fn read_some(&self, opened: &Opened) -> io::Result<Vec<u8>> {
        // One read for what it was when it was opened, and to see that this is all.
        let mut bytes = vec![0; (opened.length as usize + 1).max(SHORT)];
        let mut len = 0;
        loop {
            match opened.file.read_at(&mut bytes[len..], len as u64) {
                Ok(0) => break,
                Ok(n) => len += n,
                // Nothing was read: no end either.
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            }
            if len < bytes.len() {
                // A short read of a regular file is its end.
                break;
            }
            if len >= LARGEST {
                return Err(too_large());
            }
            bytes.resize(bytes.len() * 4, 0);
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    /// Whether a file of lines is empty or ends with a whole one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn ends_a_line(&self, opened: &Opened) -> Result<bool> {
        // What we have appended does, if nobody has written since.
        if opened.appended == Some(opened.length) {
            return Ok(true);
        }
        let Some(last) = opened.length.checked_sub(1) else { return Ok(true) };
        let mut byte = [0];
        let read = opened.file.read_at(&mut byte, last);
        read.map_err(|e| io_failed("read", &self.show(opened.name.0, &opened.name.1), e))?;
        Ok(byte == *b"\n")
    }

    /// Whether it is longer by now than was known, as it is from then on.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn has_grown(&self, opened: &mut Opened) -> Result<bool> {
        let (folder, name) = &opened.name;
        let stat = sys::fstat(&opened.file).map_err(|e| self.strange("look at", *folder, name, e))?;
        let before = std::mem::replace(&mut opened.length, length(&stat));
        Ok(opened.length > before)
    }

    /// Writes all bytes at an offset.
    ///
    /// # Errors
    /// When they cannot all be written.
    pub fn write(&self, opened: &Opened, bytes: &[u8], offset: u64) -> Result<()> {
        let (folder, name) = &opened.name;
        self.announce("write", *folder, name, &Step::Write(&self.label(*folder, name), bytes, offset))?;
        opened.file.write_all_at(bytes, offset).map_err(|e| io_failed("write", &self.show(*folder, name), e))
    }

    /// Writes all bytes behind whatever is there by then.
    ///
    /// # Errors
    /// When they cannot all be written.
    pub fn append(&self, opened: &mut Opened, bytes: &[u8]) -> Result<()> {
        let (folder, name) = &opened.name;
        let step = self.label(*folder, name);
        opened.appended = None;
        self.announce("write", *folder, name, &Step::Write(&step, bytes, opened.length))?;
        (&opened.file).write_all(bytes).map_err(|e| io_failed("write", &self.show(*folder, name), e))?;
        opened.length += bytes.len() as u64;
        opened.appended = Some(opened.length).filter(|_| bytes.ends_with(b"\n"));
        Ok(())
    }

    /// Cuts a file.
    ///
    /// # Errors
    /// When it cannot be cut.
    pub fn cut(&self, opened: &Opened, length: u64) -> Result<()> {
        let (folder, name) = &opened.name;
        self.announce("cut", *folder, name, &Step::Cut(&self.label(*folder, name), length))?;
        opened.file.set_len(length).map_err(|e| io_failed("cut", &self.show(*folder, name), e))
    }

    /// Makes a file's content durable.
    ///
    /// # Errors
    /// When that cannot be promised.
    pub fn sync(&self, opened: &Opened) -> Result<()> {
        let (folder, name) = &opened.name;
        self.announce("sync", *folder, name, &Step::Sync(&self.label(*folder, name)))?;
        opened.file.sync_all().map_err(|e| io_failed("sync", &self.show(*folder, name), e))
    }

    /// Whether the file is the one that its path leads to now.
    #[must_use]
    pub fn still_leads_to(&self, name: &str, opened: &Opened) -> bool {
        let Ok(named) = sys::stat(self.path.join(name)) else { return false };
        // Elsewhere a file may not have the same number for ever.
        let ours = if self.local { opened.identity() } else { opened.identity_now() };
        ours == Some(identity(&named))
    }

    /// Whether this name, and no other, leads to the file, as far as can be seen.
    #[must_use]
    pub fn is_named(&self, folder: Folder, name: &str, opened: &Opened) -> bool {
        let Ok(at) = self.folder(folder) else { return false };
        let Ok(named) = sys::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) else { return false };
        opened.identity() == Some(identity(&named)) && named.st_nlink == 1
    }

    /// Only with somebody to tell is a step worth a name.
    fn label(&self, folder: Folder, name: &str) -> String {
        match &self.steps {
            None => String::new(),
            Some(_) if folder == Folder::Top => name.to_owned(),
            Some(_) => format!("{}/{name}", folder.path()),
        }
    }
}

/// What is read of a file that was empty when it was opened, in bytes: more than a guard or a line.
const SHORT: usize = 256;
/// The largest file that is read: far more than any lock file or record, far less than memory.
const LARGEST: usize = 64 << 20;

/// Sets the mode of a folder that was made a moment ago, and may be something else by now: no link is followed.
fn set_mode_of_new(at: BorrowedFd<'_>, path: &Path, bits: Bits) -> rustix::io::Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match sys::openat(at, path, flags | OFlags::RDONLY, Bits::empty()) {
        Ok(fd) => sys::fchmod(fd, bits),
        // A umask that takes reading from oneself.
        #[cfg(target_os = "linux")]
        Err(Errno::ACCESS) => {
            use std::os::fd::AsRawFd as _;
            let fd = sys::openat(at, path, flags | OFlags::PATH, Bits::empty())?;
            sys::chmod(format!("/proc/self/fd/{}", fd.as_raw_fd()), bits)
        }
        Err(e) => Err(e),
    }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "larger than any file of a store")
}

/// Makes the names of new folders durable, up to the one that was there. What may not be read cannot be synced.
fn sync_above(path: &Path, there: Option<&Path>) {
    for above in path.ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        let _ = File::open(above).and_then(|folder| folder.sync_all());
        if there == Some(above) {
            break;
        }
    }
}

/// Opens below a folder without following any link. Kernels without `openat2` get the next best: names here have
/// one component but for very long lock names.
fn beneath(at: BorrowedFd<'_>, path: &str, flags: OFlags, bits: Bits) -> rustix::io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    if path.contains('/') {
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match sys::openat2(at, path, flags, bits, how) {
            Err(Errno::NOSYS | Errno::PERM) => {}
            other => return other,
        }
    }
    let mut parts = path.split('/').peekable();
    let mut parent: Option<OwnedFd> = None;
    loop {
        let (part, last) = (parts.next().unwrap_or_default(), parts.peek().is_none());
        let at = parent.as_ref().map_or(at, AsFd::as_fd);
        let flags = if last { flags } else { OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC };
        let fd = sys::openat(at, part, flags | OFlags::NOFOLLOW, bits)?;
        if last {
            return Ok(fd);
        }
        parent = Some(fd);
    }
}

/// Whether only one kernel can have this file system mounted. What is not known is not.
#[cfg(target_os = "linux")]
fn is_local(fd: &OwnedFd) -> bool {
    const LOCAL: [u64; 12] = [
        0xEF53,      // ext2, ext3, ext4
        0x5846_5342, // xfs
        0x9123_683E, // btrfs
        0x0102_1994, // tmpfs
        0x8584_58F6, // ramfs
        0x794C_7630, // overlayfs
        0x2FC1_2FC1, // zfs
        0xF2F5_2010, // f2fs
        0xCA45_1A4E, // bcachefs
        0x3153_464A, // jfs
        0x5265_4973, // reiserfs
        0x0000_3434, // nilfs
    ];
    sys::fstatfs(fd).is_ok_and(|s| LOCAL.contains(&(s.f_type as u64 & 0xFFFF_FFFF)))
}

/// Whether only one kernel can have this file system mounted: not known here.
#[cfg(not(target_os = "linux"))]
fn is_local(_fd: &OwnedFd) -> bool {
    true
}

/// A failed system call.
pub fn failed(what: &'static str, path: &Path, e: Errno) -> StoreError {
    io_failed(what, path, e.into())
}

/// A failed operation.
pub fn io_failed(what: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { what, path: path.to_owned(), source }
}
