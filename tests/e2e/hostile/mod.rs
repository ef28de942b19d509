//! Whatever lies in the lock directory, and whatever text a user sets: nothing hangs, panics, escapes or is touched.

mod planted;
mod texts;
