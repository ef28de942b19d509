//! The binary: everything is in the library.

/// That of musl, against which the released program is linked, is slow.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ! {
    let code = deploylock::cli::run(std::env::args_os());
    // At once: nothing is left to be written, and the kernel takes down what is left sooner than we would.
    signal_hook::low_level::exit(code.into())
}
