//! The terminal while the full-screen view has it: raw, on its second screen; and as it was before, however that
//! ends. What is drawn is `view`'s.

use std::io::{self, Stdout, Write as _};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::keys::{Key, decode};
use super::state::State;
use super::view;
use crate::cli::terminal::{complain, keep_messages};
use crate::poll::readable;

/// To the second screen, without a cursor, and back.
const TAKE: &[u8] = b"\x1b[?1049h\x1b[?25l";
const GIVE_BACK: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";
/// How long the rest of a key may take that a slow line cut: Escape alone is known after that.
const REST_OF_A_KEY: Duration = Duration::from_millis(50);

/// How the terminal was before; `None` while it is nobody's but the shell's.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal, given back when this is dropped.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    read: Vec<u8>,
}

impl Screen {
    /// Takes the terminal. Messages are kept from now on.
    pub fn take() -> io::Result<Screen> {
        give_back_on_panic();
        // Asking for the size first: where there is none, nothing was changed.
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        take()?;
        keep_messages(true);
        Ok(Screen { terminal, read: Vec::new() })
    }

    /// Draws what has changed.
    pub fn draw(&mut self, state: &State) -> io::Result<()> {
        self.terminal.draw(|frame| view::draw(frame, state))?;
        Ok(())
    }

    /// Takes the terminal again, after somebody else had it, and draws all of it next time.
    pub fn again(&mut self) -> io::Result<()> {
        take()?;
        self.terminal.clear()
    }

    /// Gives the terminal back and stops, until `fg`.
    pub fn stop(&mut self) -> io::Result<()> {
        give_back();
        kill_process(getpid(), Signal::STOP)?;
        self.again()
    }

    /// The keys that were pressed; `None` where the terminal is gone.
    pub fn keys(&mut self) -> Option<Vec<Key>> {
        let mut keys = Vec::new();
        let mut patience = Duration::ZERO;
        while is_readable(patience) {
            let mut bytes = [0; 256];
            match rustix::io::read(rustix::stdio::stdin(), &mut bytes) {
                Ok(0) | Err(rustix::io::Errno::IO) => return None,
                Ok(n) => self.read.extend(&bytes[..n]),
                Err(_) => break,
            }
            keys.extend(decode(&mut self.read, false));
            patience = if self.read.is_empty() { Duration::ZERO } else { REST_OF_A_KEY };
        }
        keys.extend(decode(&mut self.read, true));
        Some(keys)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        for message in keep_messages(false) {
            complain(&message);
        }
    }
}

fn is_readable(bound: Duration) -> bool {
    readable(&[rustix::stdio::stdin()], Some(bound)).contains(&true)
}

fn write(what: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(what)?;
    out.flush()
}

fn take() -> io::Result<()> {
    let stdin = rustix::stdio::stdin();
    let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    // Taken twice, it would be given back raw.
    if before.is_none() {
        *before = Some(tcgetattr(stdin)?);
    }
    if let Some(mut raw) = before.clone() {
        raw.make_raw();
        tcsetattr(stdin, OptionalActions::Drain, &raw)?;
    }
    write(TAKE)
}

/// As it was. A terminal that is gone needs nothing.
fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        let _ = write(GIVE_BACK);
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &before);
    }
}

/// A panic ends the program at once: what it says is to be seen, on a terminal that works.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let then = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |what| {
            give_back();
            then(what);
        }));
    });
}
