//! The binary: everything is in the library.

use std::process::ExitCode;

/// That of musl, against which the released program is linked, is slow.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    ExitCode::from(deploylock::cli::run(std::env::args_os()))
}
