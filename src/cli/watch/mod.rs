//! `list --watch` on a terminal: a full-screen view that changes when the store does.
//!
//! Here is the loop: look, draw, sleep until something happens, heed keys and signals. Nothing is polled: besides
//! events of the store there is one timer a second, for ages, and only while something with an age is shown.

mod detail;
mod keys;
mod screen;
mod state;
#[cfg(test)]
mod tests;
mod view;

use std::io::IsTerminal as _;
use std::time::Duration;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};

use super::Answer;
use super::cancel::{asked, end_orphan};
use super::context::{Context, myself};
use super::failure::{Failure, code};
use super::release::refusal;
use super::terminal::{keep_messages, look};
use crate::clock;
use crate::deployment::Id;
use crate::ops::clear::{Cancelled, Cleared, Reach, cancel, clear};
use crate::ops::release::{Released, release};
use crate::ops::survey::{Survey, survey};
use crate::output::style::clean;
use crate::signals::Signals;
use crate::store::{self, Sleeper, Store, Wake};
use screen::Screen;
use state::{Act, Page, State, Wish};

/// How often ages move; also how often to look for a store that is not there yet, or that could not be looked at.
const SECOND: Duration = Duration::from_secs(1);

/// Whether there is a person to show it to, who can press keys.
pub fn is_possible() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|t| t.is_empty() || t == "dumb");
    !dumb && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Shows what there is until the person has seen enough. `narrow` takes away what was not asked for.
pub fn watch(context: &Context, store: &dyn Store, by_lock: bool, narrow: &dyn Fn(&mut Survey)) -> Answer {
    let colour = look(&context.global).colour;
    let state = State::new(clock::now(), store.describe(), by_lock, colour);
    let mut session =
        Session { context, store, narrow, state, sleeper: store.sleeper(context.retry())?, blind: true };
    // What cannot be looked at from the start is a failure like that of any `list`.
    session.look()?;
    let heeded = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT, SIGWINCH];
    let mut signals = Signals::heed(heeded.into_iter())?;
    let mut screen = Screen::take()?;
    session.run(&mut screen, &mut signals)
}

struct Session<'a> {
    context: &'a Context,
    store: &'a dyn Store,
    narrow: &'a dyn Fn(&mut Survey),
    state: State,
    sleeper: Box<dyn Sleeper + 'a>,
    /// No event can tell of a change: the store is not there, or could not be looked at.
    blind: bool,
}

impl Session<'_> {
    fn run(&mut self, screen: &mut Screen, signals: &mut Signals) -> Answer {
        loop {
            self.hear();
            self.state.survey.now = clock::now();
            screen.draw(&self.state)?;
            let ageing = self.blind || !self.state.survey.deployments.is_empty();
            let until = ageing.then(|| clock::since_boot() + SECOND);
            let interrupts = [rustix::stdio::stdin(), signals.readable()];
            let looks = match self.sleeper.sleep(until, &interrupts)? {
                Wake::Look | Wake::End => true,
                Wake::Time => self.blind,
                Wake::Interrupt => {
                    if let Some(code) = heed(screen, signals)? {
                        return Ok(code);
                    }
                    let Some(keys) = screen.keys() else {
                        return Ok(code::DONE);
                    };
                    for key in keys {
                        match self.state.press(key) {
                            Wish::None => {}
                            Wish::Quit => return Ok(code::DONE),
                            Wish::Stop => screen.stop()?,
                            Wish::Look => self.look_on(),
                            Wish::Redraw => screen.again()?,
                            Wish::Do(act, id, force) => self.act(act, &id, force),
                        }
                    }
                    false
                }
            };
            if looks {
                self.look_on();
            }
        }
    }

    /// Arms, then looks: what happens after the look ends the next sleep.
    fn look(&mut self) -> Result<(), Failure> {
        let sleeper = &mut self.sleeper;
        let there = store::look(self.store, |txn| {
            let ids: Vec<Id> = txn.all()?.iter().map(|s| s.id().clone()).collect();
            sleeper.arm(&ids, txn)
        })?;
        sleeper.arm_all()?;
        self.blind = there.is_none();
        let mut found = survey(self.store)?;
        (self.narrow)(&mut found);
        self.state.update(found);
        if let Page::One(id, _) = &self.state.page {
            let id = id.as_str();
            let lines = self.store.history()?;
            let own = lines.iter().filter(|line| line.contains(id));
            let events = own.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            self.state.history = events.filter(|event| event["id"] == id).collect();
        }
        Ok(())
    }

    /// Looks; what goes wrong is shown, and looked for again a second later.
    fn look_on(&mut self) {
        if let Err(e) = self.look() {
            self.blind = true;
            self.state.message = Some(e.to_string());
        }
    }

    /// What others had to say on standard error.
    fn hear(&mut self) {
        if let Some(last) = keep_messages(true).pop() {
            self.state.message = Some(last);
        }
    }

    fn act(&mut self, act: Act, id: &Id, force: bool) {
        let done = match act {
            Act::Release => self.release(id),
            Act::Cancel => self.cancel(id),
            Act::Clear => self.clear(id, force),
        };
        self.look_on();
        self.state.message = Some(done.unwrap_or_else(|failure| failure.to_string()));
    }

    fn release(&self, id: &Id) -> Result<String, Failure> {
        Ok(match release(self.store, id, "done", &myself())? {
            Released::Done(_) => format!("released {id}"),
            Released::Withdrawn(_) => format!("withdrew {id}"),
            refused => refusal(self.context, self.store, id, &refused).1,
        })
    }

    fn cancel(&self, id: &Id) -> Result<String, Failure> {
        Ok(match cancel(self.store, id, None, &myself())? {
            Cancelled::Ended(_) => format!("cancelled {id}"),
            Cancelled::Asked(d, verdict) => {
                end_orphan(&d, None);
                asked(self.context, &d, &verdict)
            }
            Cancelled::NotThere => format!("there is no deployment {id}"),
        })
    }

    fn clear(&self, id: &Id, force: bool) -> Result<String, Failure> {
        let reach = if force { Reach::Force } else { Reach::NotAlive };
        Ok(match clear(self.store, id, reach, "cleared by hand", &myself())? {
            Cleared::Done(..) => format!("cleared {id}"),
            Cleared::Alive(..) => format!("{id} has come to life meanwhile; it was not cleared"),
            Cleared::NotStale(_) | Cleared::NotThere(_) => format!("{} is gone", clean(id.as_str())),
        })
    }
}

/// Does what signals ask for; the exit code of one that ends the program.
fn heed(screen: &mut Screen, signals: &mut Signals) -> std::io::Result<Option<u8>> {
    for came in signals.pending() {
        match came.signal {
            // The next picture has the new size.
            SIGWINCH => {}
            SIGTSTP => screen.stop()?,
            SIGCONT => screen.again()?,
            signal => return Ok(Some(code::SIGNAL.saturating_add(u8::try_from(signal).unwrap_or_default()))),
        }
    }
    Ok(None)
}
