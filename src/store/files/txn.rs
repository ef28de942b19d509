//! A decision in the files store: the view of it, and its steps.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::sync::Arc;

use super::folder::{Folder, Opened, Top, io_failed};
use super::guard::{self, Content};
use super::names::{self, Stem};
use super::own::Own;
use super::queue::Queue;
use super::records::{Known, Seen, standing_of};
use super::{bell, history, ledger, rebuild, record, takeover};
use crate::clock::Now;
use crate::deployment::{Deployment, Expiry, Happening, Id, State, Stored, Unreadable, Verdict};
use crate::engine::{Asker, Entry, Head, Standing, View};
use crate::model::{Keep, LockName, Mode};
use crate::process;
use crate::store::{Decision, HandedDown, Lease, Result, StoreError, Txn};

/// Where the descriptors go that keep records locked: commands inherit them, so out of the way of those that scripts
/// number themselves (3 to 9, from 10 and down from 63 what shells do for them, 99, 100, 200 as in flock(1)'s manual). And of
/// a killed process Linux closes the highest first, while an inotify instance takes it longer than all the rest. But below
/// 64: from there on a table of its own has to be made, and copied with each fork (`dup_fd` in the kernel's sources).
pub(super) const HIGH_DESCRIPTOR: i32 = 57;

/// How many lock files stay open between decisions.
const SOME: usize = 4;

/// Of so many locks it takes longer to see whether anybody waits than to look into their files.
const FEW: usize = 2;

/// A decision in progress.
pub(super) struct Files<'a> {
    pub(super) top: &'a Top,
    held: guard::Held<'a>,
    content: Content,
    pub(super) now: Now,
    /// Whether anything may be changed.
    pub(super) writes: bool,
    // Ordered: to hash a name takes longer than to find it among a thousand.
    pub(super) queues: BTreeMap<LockName, Queue>,
    pub(super) lock_files: BTreeMap<LockName, Rc<Opened>>,
    /// How many of those may stay open, once that has been asked.
    pub(super) keeps_open: Option<usize>,
    pub(super) standings: BTreeMap<Id, Standing>,
    pub(super) stems: BTreeMap<Id, Stem>,
    /// The locks whose lines have not been taken into `stems`.
    pub(super) unindexed: Vec<LockName>,
    /// How often those lines were searched instead.
    pub(super) searches: usize,
    /// The record that was looked at last: what is found to wait is often read next, and then granted.
    pub(super) last: Option<Seen>,
    /// Our own record and where it lies, if it was looked at.
    pub(super) open: Option<(State, Arc<Opened>)>,
    /// One that shared its locks with nobody is gone: who stands behind it waits.
    pub(super) vacated: bool,
    /// Where the lines begin that are still to be voided, in bytes: who is next need not wait for that.
    pub(super) left_out: Vec<(LockName, u64)>,
    /// The records that were asked for by their ids: nobody else may change them as long as we decide.
    pub(super) known: Vec<Known>,
    /// What is known of our own records, if they are as they were.
    pub(super) own: &'a Own,
    /// The history, once it has been written to.
    history: Option<Opened>,
    /// What is still to be written to it: as several lines are written in one call, whoever is next waits for less.
    lines: String,
    /// That nobody waited when it was looked at, and nobody came since: only we could have let anybody in.
    pub(super) nobody_waits: bool,
    /// A record that may hold anything: as long as it lies there nobody gets a number, and so no lock.
    pub(super) forgotten: Option<Unreadable>,
    /// Where what happens is kept, if anybody wants to hear it.
    heard: Option<&'a mut Vec<Happening>>,
    /// Those of other processes that were granted or withdrawn.
    woken: Vec<Id>,
}

/// What a decision has collected and is of no more use: its queues, standings and stems.
pub(super) type Spent = (BTreeMap<LockName, Queue>, BTreeMap<Id, Standing>, BTreeMap<Id, Stem>);

/// What keeps a record alive: its descriptor, advisory-locked.
pub struct FileLease {
    pub(super) id: Id,
    pub(super) opened: Arc<Opened>,
}

impl Lease for FileLease {
    fn id(&self) -> &Id {
        &self.id
    }

    fn hand_down(&self) -> Result<Option<HandedDown<'_>>> {
        let handed_down = HandedDown::new(self.opened.file.as_fd());
        handed_down.map(Some).map_err(|e| io_failed("hand down the lock of", self.id.as_str().as_ref(), e))
    }
}

impl<'a> Files<'a> {
    /// Begins a decision: what a crash or a power failure left is put right first.
    pub(super) fn begin(top: &'a Top, held: guard::Held<'a>, own: &'a Own) -> Result<Self> {
        certain()?;
        let boot = &process::here().boot;
        match held.read()? {
            Some(content) if content.boot == *boot => Ok(Files::new(top, held, content, own)),
            other => Files::begin_boot(top, held, other, own),
        }
    }

    /// The first decision in this boot, or ever: the lock files' unsynced lines may be lost, the records' are not.
    fn begin_boot(top: &'a Top, held: guard::Held<'a>, old: Option<Content>, own: &'a Own) -> Result<Self> {
        test_locking(top)?;
        let number = old.as_ref().map_or(0, |c| c.ceiling);
        let content = Content { boot: process::here().boot.clone(), number, ceiling: number };
        let mut txn = Files::new(top, held, content, own);
        let highest = rebuild::rebuild(&mut txn)?;
        // A guard that said nothing must not give a number twice.
        let number = if old.is_some() { number } else { highest };
        let ceiling = guard::ceiling_above(number);
        txn.content = Content { number, ceiling, ..txn.content };
        if txn.forgotten.is_some() {
            // Every decision comes here until a person has looked.
            return txn.distrust_lines().map(|()| txn);
        }
        txn.held.write_durably(&txn.content)?;
        top.sync_folder(Folder::Top)?;
        Ok(txn)
    }

    /// Begins a look, which repairs nothing.
    pub(super) fn begin_look(top: &'a Top, held: guard::Held<'a>, own: &'a Own) -> Result<Self> {
        certain()?;
        let none = Content { boot: String::new(), number: 0, ceiling: 0 };
        let content = held.read()?.unwrap_or(none);
        Ok(Files { writes: false, ..Files::new(top, held, content, own) })
    }

    fn new(top: &'a Top, held: guard::Held<'a>, content: Content, own: &'a Own) -> Self {
        let (queues, lock_files, standings, stems, known, left_out) = Default::default();
        Files {
            top,
            held,
            content,
            now: top.now(),
            writes: true,
            queues,
            lock_files,
            keeps_open: None,
            standings,
            stems,
            unindexed: Vec::new(),
            searches: 0,
            last: None,
            open: None,
            vacated: false,
            left_out,
            known,
            history: None,
            lines: String::new(),
            nobody_waits: false,
            own,
            forgotten: None,
            heard: None,
            woken: Vec::new(),
        }
    }

    /// Keeps there what happens.
    pub(super) fn heard(self, heard: Option<&'a mut Vec<Happening>>) -> Self {
        Files { heard, ..self }
    }

    /// The lock files and records are not as they were.
    pub(super) fn forget_all(&mut self) {
        self.queues.clear();
        self.left_out.clear();
        self.lock_files.clear();
        self.forget();
    }

    pub(super) fn run(mut self, decision: &mut Decision<'_>) -> Result<()> {
        let done = decision(&mut self);
        // A history that cannot be written stops no deployment.
        let _ = self.write_history();
        self.void_left_out();
        self.lay_last_aside();
        let Files { top, held, own, woken, lock_files, history, queues, standings, stems, .. } = self;
        // The guard is everybody's again.
        drop(held);
        if !woken.is_empty() {
            // Who is woken has been put on this processor, where he would wait until we have tidied up and ended: by what
            // was done to his record, or where the system does not tell of that by his bell.
            std::thread::yield_now();
            woken.iter().for_each(bell::ring);
            std::thread::yield_now();
        }
        // What the next decision is likely to ask for stays open.
        let locks = lock_files.into_values().take(SOME).filter_map(Rc::into_inner);
        history.into_iter().chain(locks).for_each(|opened| top.lay_aside(opened));
        own.keep_spent((queues, standings, stems));
        done
    }

    /// Makes the next decision put the lock files right again, as the first of a boot does.
    pub(super) fn distrust_lines(&self) -> Result<()> {
        let Content { number, .. } = self.content;
        self.held.write_durably(&Content { boot: "-".to_owned(), number, ceiling: number })
    }

    pub(super) fn top(&self) -> &'a Top {
        self.top
    }

    /// The file name of the record in this state.
    pub(super) fn file_name(stem: &Stem, state: State) -> String {
        match state {
            State::Waiting | State::Attached => stem.name(),
            State::Detached | State::Paused => stem.id.to_string(),
        }
    }

    pub(super) fn stem_of(d: &Deployment) -> Stem {
        Stem::new(d.id.clone(), &d.place.boot, d.on_crash)
    }

    /// Takes the record's own file name away; the commit of a release.
    fn unlink(&mut self, state: State, name: &str, stored: &Stored) -> Result<bool> {
        let folder = Folder::Deployments(state);
        let removed = self.top.remove(folder, name)?;
        let promised = stored.deployment().is_none_or(|d| d.on_crash == Keep::Hold);
        if removed && (matches!(state, State::Detached | State::Paused) || promised) {
            // What was released must not come back with a power failure.
            self.top.sync_folder(folder)?;
        }
        Ok(removed)
    }

    /// The record of one that reaches the store as we do.
    pub(super) fn text(&self, d: &Deployment) -> String {
        record::write_seen(d, self.top.device)
    }

    /// What is done to this one wakes it, if it is another's.
    fn wakes(&mut self, id: &Id) {
        if !self.is_own(id) && self.top.local {
            self.woken.push(id.clone());
        }
    }

    /// A line in the file of each lock.
    fn write_lines(&mut self, d: &Deployment, stem: &Stem, under: &[(LockName, Id)]) -> Result<()> {
        for request in &d.locks {
            let over = under.iter().find(|(lock, _)| *lock == request.lock).map(|(_, id)| id);
            self.append(stem, request, over, d.locks.len())?;
        }
        Ok(())
    }

    /// Whether the lines of one that is gone need no mark: nobody stands behind them, and nobody of its id comes again.
    fn lines_may_stay(&mut self, stored: &Stored, locks: &[LockName]) -> bool {
        if self.awaited(locks) {
            return false;
        }
        // Only who was resumed arrived under an older id, and may be paused beside that.
        let first_life = stored.deployment().is_some_and(|d| d.id.number() == Some(d.arrival));
        let paused = Folder::Deployments(State::Paused);
        first_life || matches!(self.top.exists(paused, stored.id().as_str()), Ok(false))
    }

    fn undo(&mut self, d: &Deployment, state: State, name: &str) {
        for state in [State::Attached, State::Waiting] {
            let _ = self.top.remove(Folder::Deployments(state), name);
        }
        // Beside one that was to be resumed lies its old record, which stays.
        if state == State::Paused {
            let _ = self.top.remove(Folder::Deployments(state), d.id.as_str());
        }
        for request in &d.locks {
            let _ = self.strike(&request.lock, &d.id);
        }
    }

    /// waiting/ to attached/: the commit of a grant. What is promised to outlast a crash is made durable.
    fn attach(&mut self, name: &str, opened: &Opened, on_crash: Keep) -> Result<()> {
        let (waiting, attached) = (Folder::Deployments(State::Waiting), Folder::Deployments(State::Attached));
        if on_crash == Keep::Hold {
            self.top.sync(opened)?;
        }
        self.top.rename((waiting, name), (attached, name))?;
        if on_crash == Keep::Hold {
            self.top.sync_folder(attached)?;
        }
        Ok(())
    }
}

/// The record of one that waited, if it lies where those lie that hold.
pub(super) fn granted(top: &Top, own: &Own, waited: &Deployment) -> Result<Option<Arc<Deployment>>> {
    let (folder, name) = (Folder::Deployments(State::Attached), Files::stem_of(waited).name());
    let opened = match own.record(top, &waited.id) {
        Some(opened) => Some(opened).filter(|opened| top.is_named(folder, &name, opened)),
        None => top.open_file(folder, &name, false)?.map(Arc::new),
    };
    let Some(opened) = opened else { return Ok(None) };
    own.is_in(State::Attached, &waited.id);
    // What cannot be read is for a decision to say.
    Ok(own.read(top.read(&opened)?, &waited.id).ok())
}

/// Nothing is judged, and nothing put right, by one that does not know where it runs.
fn certain() -> Result<()> {
    process::doubt().map_or(Ok(()), |(path, source)| Err(StoreError::Blind { path, source }))
}

/// Whether two descriptors of one file exclude each other there.
pub(super) fn test_locking(top: &Top) -> Result<()> {
    let name = format!("locktest-{}", std::process::id());
    let first = top.open_or_create(Folder::Top, &name)?;
    let second = top.open_file(Folder::Top, &name, true)?;
    let excluded = match second {
        Some(second) => {
            let got = fs2::FileExt::try_lock_exclusive(&first.file);
            got.map_err(|e| io_failed("lock a file in", &top.path, e))?;
            fs2::FileExt::try_lock_exclusive(&second.file).is_err()
        }
        None => false,
    };
    top.remove(Folder::Top, &name)?;
    if excluded { Ok(()) } else { Err(StoreError::NoLocking(top.path.clone())) }
}

impl View for Files<'_> {
    type Error = StoreError;

    fn queue(&mut self, lock: &LockName) -> Result<Vec<Entry>> {
        Ok(self.queue_mut(lock)?.lines.iter().map(|l| l.entry.clone()).collect())
    }

    fn head(&mut self, lock: &LockName) -> Result<Head> {
        let queue = self.head_mut(lock)?;
        let entries = queue.lines.iter().map(|l| l.entry.clone()).collect();
        Ok(Head { entries, whole: queue.is_whole() })
    }

    fn standing(&mut self, id: &Id) -> Result<Standing> {
        if let Some(standing) = self.standings.get(id) {
            return Ok(*standing);
        }
        let standing = self.fresh_standing(id)?;
        self.standings.insert(id.clone(), standing);
        Ok(standing)
    }

    fn asker(&mut self, id: &Id) -> Result<Option<Asker>> {
        let stored = self.find(id)?;
        Ok(stored
            .as_ref()
            .and_then(Stored::deployment)
            .map(|d| Asker { locks: d.locks.clone(), ancestors: d.ancestors.clone() }))
    }

    fn waiting_inside(&mut self, id: &Id) -> Result<Vec<Id>> {
        let mut inside = Vec::new();
        for name in self.top.names(Folder::Deployments(State::Waiting))? {
            let Some(stem) = Stem::parse(&name) else { continue };
            let stored = self.load(State::Waiting, &name, &stem)?;
            if stored.as_ref().and_then(Stored::deployment).is_some_and(|d| d.ancestors.contains(id)) {
                inside.push(stem.id);
            }
        }
        Ok(inside)
    }
}

impl Txn for Files<'_> {
    fn now(&self) -> Now {
        self.now
    }

    fn next_number(&mut self) -> Result<u64> {
        match &self.forgotten {
            None => self.held.next(&mut self.content),
            Some(Unreadable { id, path, why, .. }) => {
                Err(StoreError::Forgotten { id: id.clone(), path: path.clone(), why: why.clone() })
            }
        }
    }

    fn find(&mut self, id: &Id) -> Result<Option<Stored>> {
        if let Some(known) = self.known(id) {
            return Ok(Some(known.stored.clone()));
        }
        let places = self.places(id)?;
        self.find_by(places)
    }

    fn all(&mut self) -> Result<Vec<Stored>> {
        let mut all: Vec<Stored> = Vec::new();
        let mut seen = BTreeSet::new();
        for state in State::ALL {
            for name in self.top.names(Folder::Deployments(state))? {
                // Names that are no ids are not ours: a network file system puts its own there.
                let Some(stem) = Stem::parse(&name) else { continue };
                // A paused one that is being resumed has a second record, which says where it stands.
                if state != State::Paused || !seen.contains(&stem.id) {
                    all.extend(self.load(state, &name, &stem)?);
                }
                seen.insert(stem.id);
            }
        }
        Ok(all)
    }

    fn verdict(&mut self, stored: &Stored) -> Result<Verdict> {
        let known = self.known(stored.id()).filter(|known| known.state == stored.state());
        if let Some(dead) = known.and_then(|known| known.dead.clone()) {
            return Ok(dead);
        }
        let verdict = match stored {
            Stored::Readable(state, d) => self.judge(*state, d)?,
            Stored::Unreadable(u) => self.judge_unreadable(u)?,
        };
        if let Some(known) = self.known_mut(stored.id()).filter(|known| known.state == stored.state()) {
            known.dead = matches!(verdict, Verdict::Dead(_)).then(|| verdict.clone());
        }
        // A list asks for the verdict on every record, then for everybody's standing at every lock. Beside a paused
        // one may lie the record with which it is being resumed.
        if stored.state() != State::Paused {
            let standing = standing_of(stored.state(), &verdict);
            self.standings.entry(stored.id().clone()).or_insert(standing);
        }
        Ok(verdict)
    }

    fn enter(&mut self, d: &Deployment, state: State, under: &[(LockName, Id)]) -> Result<Box<dyn Lease>> {
        self.strike_former(d)?;
        self.changes(&d.id);
        self.nobody_waits = false;
        let stem = Files::stem_of(d);
        let name = stem.name();
        let waiting = Folder::Deployments(State::Waiting);
        let text = self.text(d);
        let mut opened = self.top.create(waiting, &name)?.above(HIGH_DESCRIPTOR);
        opened.length = text.len() as u64;
        let opened = Arc::new(opened);
        self.stems.insert(d.id.clone(), stem.clone());
        self.standings.remove(&d.id);
        let written = (|| {
            fs2::FileExt::try_lock_exclusive(&opened.file)
                .map_err(|e| io_failed("lock", &self.top.show(waiting, &name), e))?;
            self.top.write(&opened, text.as_bytes(), 0)?;
            self.remember(d, text, state, &opened);
            match state {
                State::Waiting => self.write_lines(d, &stem, under),
                State::Attached | State::Detached => {
                    self.write_lines(d, &stem, under)?;
                    self.attach(&name, &opened, d.on_crash)
                }
                State::Paused => {
                    self.top.sync(&opened)?;
                    let paused = Folder::Deployments(State::Paused);
                    self.top.rename((waiting, &name), (paused, d.id.as_str()))?;
                    self.top.sync_folder(paused)
                }
            }
        })();
        // Who wrote the lines may have looked for the old ones of its id.
        self.changes(&d.id);
        self.standings.remove(&d.id);
        if let Err(e) = written {
            self.undo(d, state, &name);
            return Err(e);
        }
        Ok(Box::new(FileLease { id: d.id.clone(), opened }))
    }

    fn grant(&mut self, id: &Id, token: u64) -> Result<()> {
        let Some((State::Waiting, name, opened)) = self.locate(id, true)? else {
            return Ok(());
        };
        let mut d = match self.known(id) {
            Some(Known { stored: Stored::Readable(_, d), .. }) => (**d).clone(),
            _ => record::read(&self.top.read(&opened)?, id).map_err(|why| StoreError::Unreadable {
                id: id.clone(),
                path: self.top.show(Folder::Deployments(State::Waiting), &name).display().to_string(),
                why,
            })?,
        };
        d.token = Some(token);
        d.since = self.now.wall;
        d.expires = d.ttl.map(|ttl| Expiry { wall: self.now.wall + ttl, boot: self.now.boot + ttl });
        self.changes(id);
        self.top.write(&opened, record::head(&d).as_bytes(), 0)?;
        self.standings.insert(id.clone(), Standing::Holds);
        self.attach(&name, &opened, d.on_crash)?;
        self.wakes(id);
        self.know(State::Attached, name, Stored::Readable(State::Attached, Arc::new(d)));
        Ok(())
    }

    fn settle_down(&mut self, d: &Deployment, to: State) -> Result<()> {
        let Some((from, name, opened)) = self.locate(&d.id, true)? else {
            return Ok(());
        };
        let (head, bytes) = (record::head(d), self.top.read(&opened)?);
        self.changes(&d.id);
        if !bytes.starts_with(head.as_bytes()) {
            self.top.write(&opened, head.as_bytes(), 0)?;
            self.top.sync(&opened)?;
        } else if !self.own.is_synced(&d.id, &bytes) {
            self.top.sync(&opened)?;
        }
        let target = Folder::Deployments(to);
        self.top.rename((Folder::Deployments(from), &name), (target, d.id.as_str()))?;
        self.standings.remove(&d.id);
        self.top.sync_folder(target)?;
        if d.on_crash == Keep::Hold {
            // The old name alone would hold after a restart, also when it has been released.
            self.top.sync_folder(Folder::Deployments(from))?;
        }
        if to == State::Paused {
            d.locks.iter().try_for_each(|r| self.strike(&r.lock, &d.id))?;
        }
        Ok(())
    }

    fn take_over(&mut self, d: &Deployment) -> Result<Box<dyn Lease>> {
        self.changes(&d.id);
        self.nobody_waits = false;
        takeover::take_over(self, d)
    }

    fn remove(&mut self, id: &Id) -> Result<Option<Stored>> {
        for (state, name) in self.places(id)? {
            let Some(stem) = Stem::parse(&name) else { continue };
            let Some(stored) = self.load(state, &name, &stem)? else {
                continue;
            };
            // Asked before the record goes: afterwards nobody knows.
            let alive = state == State::Waiting && self.record_locked(state, &stem)?;
            let locks = match stored.deployment() {
                Some(d) => d.locks.iter().map(|r| r.lock.clone()).collect(),
                None => self.locks_with_lines_of(id)?,
            };
            // Killed a moment before, its resumer may have left it paused beside that.
            if state == State::Detached {
                self.remove_paused(id)?;
            }
            let open = self.kept_open(id, state, &name);
            self.changes(id);
            let unlinked = self.unlink(state, &name, &stored)?;
            self.own.keep_removed(open);
            self.standings.insert(id.clone(), Standing::Gone);
            // From here on it is released.
            let exclusive = |d: &Deployment| d.locks.iter().all(|r| r.mode == Mode::Exclusive);
            self.vacated |= self.top.local && state.holds() && stored.deployment().is_some_and(exclusive);
            if !(state.holds() && self.lines_may_stay(&stored, &locks)) {
                for lock in &locks {
                    let _ = self.leave_out(lock, id);
                }
            }
            if unlinked {
                if alive {
                    self.wakes(id);
                    // A resumed one that waits is still paused beside that, and is again if it was killed.
                    self.remove_paused(id)?;
                }
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    fn awaited(&mut self, locks: &[LockName]) -> bool {
        // Elsewhere another host's waiter may not be seen yet.
        if locks.len() <= FEW || !self.top.local {
            return true;
        }
        if !self.nobody_waits {
            self.nobody_waits = matches!(self.top.is_empty(Folder::Deployments(State::Waiting)), Ok(true));
        }
        !self.nobody_waits
    }

    fn remove_paused(&mut self, id: &Id) -> Result<()> {
        let paused = Folder::Deployments(State::Paused);
        self.changes(id);
        if self.top.remove(paused, id.as_str())? {
            self.top.sync_folder(paused)?;
        }
        Ok(())
    }

    fn amend(&mut self, d: &Deployment) -> Result<()> {
        let Some((_, _, opened)) = self.locate(&d.id, true)? else {
            return Ok(());
        };
        self.changes(&d.id);
        self.top.write(&opened, record::head(d).as_bytes(), 0)?;
        self.standings.remove(&d.id);
        Ok(())
    }

    fn locks_naming(&mut self, id: &Id) -> Result<Vec<LockName>> {
        self.locks_with_lines_of(id)
    }

    fn make_durable(&mut self, id: &Id) -> Result<()> {
        match self.locate(id, false)? {
            Some((_, _, opened)) => {
                let bytes = self.top.read(&opened)?;
                self.top.sync(&opened)?;
                self.own.has_synced(id, bytes);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn log(&mut self, line: &str) {
        self.lines.push_str(line);
        self.lines.push('\n');
    }

    fn write_history(&mut self) -> Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        history::append(self.top, &mut self.history, &std::mem::take(&mut self.lines))
    }

    fn ledger(&mut self, lock: &LockName) -> Result<Vec<String>> {
        ledger::read(self.top, lock)
    }

    fn note(&mut self, lock: &LockName, line: &str) -> Result<()> {
        ledger::append(self.top, lock, line)
    }

    fn ledgers(&mut self) -> Result<Vec<LockName>> {
        ledger::all(self.top)
    }

    fn tidy(&mut self) -> Result<()> {
        self.void_left_out();
        takeover::tidy(self.top)?;
        // Elsewhere another host may remember names that are gone, and not yet see those that are new.
        for lock in rebuild::all_locks(self.top)?.into_iter().filter(|_| self.top.local) {
            self.strike_void(&lock)?;
            if self.queue_mut(&lock)?.lines.is_empty() {
                self.top.remove(Folder::Locks(lock.kind), &names::lock_path(&lock.name))?;
                self.queues.remove(&lock);
                self.lock_files.remove(&lock);
            }
        }
        Ok(())
    }

    fn forget(&mut self) {
        // The lines are nobody else's to change as long as we decide.
        self.standings.clear();
        self.lay_last_aside();
        self.open = None;
        self.known.clear();
    }

    fn is_heard(&self) -> bool {
        self.heard.is_some()
    }

    fn tell(&mut self, happening: Happening) {
        if let Some(heard) = self.heard.as_deref_mut() {
            heard.push(happening);
        }
    }
}
