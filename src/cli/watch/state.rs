//! What the full-screen view shows and what a key does to that. Pure: it reads no clock, no store and no terminal.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::keys::Key;
use crate::clock::Now;
use crate::deployment::{Id, Stored};
use crate::engine::Entry;
use crate::model::LockName;
use crate::ops::clear::{Reach, allowed};
use crate::ops::survey::{LockShown, Shown, Survey};
use crate::output::table;

/// What may be done to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// As `release`.
    Release,
    /// As `cancel`.
    Cancel,
    /// As `clear`.
    Clear,
}

impl Act {
    /// The command's name.
    pub const fn word(self) -> &'static str {
        match self {
            Act::Release => "release",
            Act::Cancel => "cancel",
            Act::Clear => "clear",
        }
    }
}

/// Which page is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Everything.
    List,
    /// Everything, while a filter is typed.
    Filter,
    /// One deployment, scrolled down by so many lines.
    One(Id, usize),
    /// The keys.
    Help,
    /// Whether to do something to a deployment; what was typed so far.
    Confirm(Act, Id, String),
}

/// What the keys ask for that the state cannot do itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    None,
    /// To end.
    Quit,
    /// To be stopped, as Ctrl-Z does.
    Stop,
    /// To look again: another page wants to know more.
    Look,
    /// To draw everything anew: something else has written on the screen.
    Redraw,
    /// To do this, with force or not.
    Do(Act, Id, bool),
}

/// A row of the list.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The lock in whose queue it stands; `None` in none, or where rows are deployments.
    pub queue: Option<(&'a LockShown, &'a Entry)>,
    /// The deployment.
    pub shown: &'a Shown,
}

impl Item<'_> {
    fn key(&self) -> Row {
        (self.queue.map(|(lock, _)| lock.lock.clone()), self.shown.stored.id().clone())
    }
}

/// What stays the same of a row when others come and go.
type Row = (Option<LockName>, Id);

/// What is shown.
pub struct State {
    /// What there is, as it was last looked at; its moment is that of drawing.
    pub survey: Survey,
    /// What to call the store.
    pub place: String,
    /// A row for each place in a queue; else one for each deployment.
    pub by_lock: bool,
    /// Only rows with this text.
    pub filter: String,
    /// The page.
    pub page: Page,
    /// The history of the deployment whose page is shown.
    pub history: Vec<Value>,
    /// How the last thing that was done ended.
    pub message: Option<String>,
    /// With colours.
    pub colour: bool,
    /// How many lines fit, as the view found out.
    pub height: Cell<usize>,
    /// How far there is to scroll, as the view found out.
    pub bottom: Cell<usize>,
    /// The row that the keys mean, and its place when it was there last.
    chosen: Option<Row>,
    at: usize,
    /// Where a question was asked.
    before: Page,
}

impl State {
    /// Nothing looked at yet.
    pub fn new(now: Now, place: String, by_lock: bool, colour: bool) -> Self {
        State {
            survey: Survey { now, deployments: Vec::new(), locks: Vec::new() },
            place,
            by_lock,
            filter: String::new(),
            page: Page::List,
            history: Vec::new(),
            message: None,
            colour,
            height: Cell::new(10),
            bottom: Cell::new(0),
            chosen: None,
            at: 0,
            before: Page::List,
        }
    }

    /// What there is now. The same row stays chosen as long as it is there.
    pub fn update(&mut self, survey: Survey) {
        self.survey = survey;
        self.keep_choice();
    }

    /// The rows that the filter lets through, queue by queue in order of arrival, then what stands in none.
    pub fn items(&self) -> Vec<Item<'_>> {
        let all = &self.survey.deployments;
        let by_id: HashMap<&Id, &Shown> = all.iter().map(|s| (s.stored.id(), s)).collect();
        let (mut items, mut queued) = (Vec::new(), HashSet::new());
        for lock in self.survey.locks.iter().filter(|_| self.by_lock) {
            let (holders, waiters): (Vec<_>, Vec<_>) = lock.entries.iter().partition(|(_, holds)| *holds);
            for (entry, _) in holders.into_iter().chain(waiters) {
                queued.insert(&entry.id);
                items.extend(by_id.get(&entry.id).map(|shown| Item { queue: Some((lock, entry)), shown }));
            }
        }
        let loose = all.iter().filter(|s| !queued.contains(s.stored.id()));
        items.extend(loose.map(|shown| Item { queue: None, shown }));
        let wanted = self.filter.to_lowercase();
        items.retain(|item| wanted.is_empty() || says(item, &wanted));
        items
    }

    /// Which of [`State::items`] is chosen.
    pub fn chosen(&self) -> usize {
        self.at
    }

    /// The deployment with this id, if it is still there.
    pub fn find(&self, id: &Id) -> Option<&Shown> {
        self.survey.deployments.iter().find(|s| s.stored.id() == id)
    }

    /// Who waits for this deployment.
    pub fn waiters_for(&self, id: &Id) -> Vec<&Id> {
        let waits = |s: &&Shown| s.waiting_for.contains(id);
        self.survey.deployments.iter().filter(waits).map(|s| s.stored.id()).collect()
    }

    /// Whether it takes force to do this.
    pub fn needs_force(act: Act, shown: &Shown) -> bool {
        act == Act::Clear && !allowed(Reach::NotAlive, &shown.verdict)
    }

    /// Does what a key means.
    pub fn press(&mut self, key: Key) -> Wish {
        self.message = None;
        match (key, &mut self.page) {
            (Key::Ctrl('c'), _) => Wish::Quit,
            (Key::Ctrl('z'), _) => Wish::Stop,
            (Key::Ctrl('l'), _) => Wish::Redraw,
            (_, Page::Filter) => self.type_filter(key),
            (_, Page::Confirm(..)) => self.answer(key),
            (Key::Char('q'), _) => Wish::Quit,
            (_, Page::Help) => {
                self.page = Page::List;
                Wish::None
            }
            (_, Page::One(id, _)) => {
                let id = id.clone();
                self.in_one(key, id)
            }
            (_, Page::List) => self.in_list(key),
        }
    }

    fn in_list(&mut self, key: Key) -> Wish {
        let page = self.height.get().max(1);
        match key {
            Key::Up | Key::Char('k') => self.choose(self.at.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.choose(self.at + 1),
            Key::PageUp => self.choose(self.at.saturating_sub(page)),
            Key::PageDown | Key::Char(' ') => self.choose(self.at + page),
            Key::Home | Key::Char('g') => self.choose(0),
            Key::End | Key::Char('G') => self.choose(usize::MAX),
            Key::Char('/') => self.page = Page::Filter,
            Key::Char('?') => self.page = Page::Help,
            Key::Char('b') => {
                self.by_lock = !self.by_lock;
                self.keep_choice();
            }
            Key::Esc => {
                self.filter.clear();
                self.keep_choice();
            }
            Key::Enter | Key::Right => return self.open(),
            key => {
                if let Some(id) = self.chosen.clone().map(|(_, id)| id) {
                    self.ask(key, id);
                }
            }
        }
        Wish::None
    }

    fn open(&mut self) -> Wish {
        let Some((_, id)) = self.chosen.clone() else {
            return Wish::None;
        };
        self.history.clear();
        self.page = Page::One(id, 0);
        Wish::Look
    }

    fn in_one(&mut self, key: Key, id: Id) -> Wish {
        let (page, bottom) = (self.height.get().max(1), self.bottom.get());
        let Page::One(_, scroll) = &mut self.page else { return Wish::None };
        match key {
            Key::Up | Key::Char('k') => *scroll = scroll.saturating_sub(1),
            Key::Down | Key::Char('j') => *scroll = (*scroll + 1).min(bottom),
            Key::PageUp => *scroll = scroll.saturating_sub(page),
            Key::PageDown | Key::Char(' ') => *scroll = (*scroll + page).min(bottom),
            Key::Home | Key::Char('g') => *scroll = 0,
            Key::End | Key::Char('G') => *scroll = bottom,
            Key::Char('?') => self.page = Page::Help,
            Key::Esc | Key::Left | Key::Backspace | Key::Enter => self.page = Page::List,
            key => self.ask(key, id),
        }
        Wish::None
    }

    /// Asks before anything is done; says at once what would be refused.
    fn ask(&mut self, key: Key, id: Id) {
        let act = match key {
            Key::Char('r') => Act::Release,
            Key::Char('x') => Act::Cancel,
            Key::Char('c') => Act::Clear,
            _ => return,
        };
        if self.find(&id).is_none() {
            self.message = Some(format!("{id} is gone"));
            return;
        }
        self.before = self.page.clone();
        self.page = Page::Confirm(act, id, String::new());
    }

    fn answer(&mut self, key: Key) -> Wish {
        let Page::Confirm(act, id, typed) = &mut self.page else { return Wish::None };
        let (act, id) = (*act, id.clone());
        let Some(shown) = self.survey.deployments.iter().find(|s| *s.stored.id() == id) else {
            return self.back(format!("{id} is gone"));
        };
        let done = match (State::needs_force(act, shown), key) {
            (_, Key::Esc) => None,
            (false, Key::Char('y' | 'Y')) => Some(false),
            (true, Key::Enter) if typed == FORCE => Some(true),
            (true, Key::Char(c)) if typed.len() < FORCE.len() => {
                typed.push(c);
                return Wish::None;
            }
            (true, Key::Backspace) => {
                typed.pop();
                return Wish::None;
            }
            (true, Key::Char(_)) => return Wish::None,
            _ => None,
        };
        match done {
            Some(force) => {
                self.page = self.before.clone();
                Wish::Do(act, id, force)
            }
            None => self.back("nothing was done".to_owned()),
        }
    }

    fn back(&mut self, message: String) -> Wish {
        self.page = self.before.clone();
        self.message = Some(message);
        Wish::None
    }

    fn type_filter(&mut self, key: Key) -> Wish {
        match key {
            Key::Char(c) => self.filter.push(c),
            Key::Backspace => drop(self.filter.pop()),
            Key::Ctrl('u') => self.filter.clear(),
            Key::Esc => {
                self.filter.clear();
                self.page = Page::List;
            }
            _ => self.page = Page::List,
        }
        self.keep_choice();
        Wish::None
    }

    fn choose(&mut self, at: usize) {
        let keys: Vec<Row> = self.items().iter().map(Item::key).collect();
        self.at = at.min(keys.len().saturating_sub(1));
        self.chosen = keys.into_iter().nth(self.at);
    }

    fn keep_choice(&mut self) {
        let found = self.items().iter().position(|i| Some(i.key()) == self.chosen);
        let same = |i: &Item<'_>| Some(i.shown.stored.id()) == self.chosen.as_ref().map(|(_, id)| id);
        let found = found.or_else(|| self.items().iter().position(same));
        self.choose(found.unwrap_or(self.at));
    }
}

/// What is to be typed before something verifiably alive is cleared.
pub const FORCE: &str = "force";

/// Whether a row has this text somewhere a person would look for it.
fn says(item: &Item<'_>, wanted: &str) -> bool {
    let mut text = vec![item.shown.stored.id().to_string(), table::state_word(item.shown).0];
    match item.queue {
        Some((lock, _)) => text.push(lock.lock.to_string()),
        None => text.extend(item.shown.queued_at.iter().map(ToString::to_string)),
    }
    match &item.shown.stored {
        Stored::Readable(_, d) => {
            text.extend([table::what(d), d.owner.clone(), d.place.host.clone()]);
            text.extend(d.containers.iter().cloned());
            text.extend(table::remarks(d, item.shown));
        }
        Stored::Unreadable(u) => text.push(format!("{} {}", u.path, u.why)),
    }
    text.iter().any(|t| t.to_lowercase().contains(wanted))
}
