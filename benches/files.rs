//! How long the files store takes, in one process: without starting programs, which is most of what a user waits for.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench files`; TMPDIR says where the store lies.

use deploylock::store::files::FilesStore;
use deploylock_benches::store::{self, Relay, exclusive};
use divan::{Bencher, counter::ItemsCount};

fn main() {
    divan::main();
}

/// A folder for a store that exists.
fn folder() -> (tempfile::TempDir, FilesStore) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = store::open(folder.path());
    store::hold_and_give_back(&store, &[exclusive("x")]);
    (folder, store)
}

/// One lock, beside so many others that are held.
#[divan::bench(args = [0, 10_000])]
fn one_lock_beside(bencher: Bencher<'_, '_>, others: usize) {
    let (_folder, store) = folder();
    store::crowd(&store, others);
    let locks = [exclusive("x")];
    bencher.bench_local(|| store::hold_and_give_back(&store, &locks));
}

/// One lock as `acquire` and `release` have it: it outlasts a power failure.
#[divan::bench]
fn one_lock_for_good(bencher: Bencher<'_, '_>) {
    let (_folder, store) = folder();
    let locks = [exclusive("x")];
    bencher.bench_local(|| store::hold_for_good_and_release(&store, &locks));
}

/// What the disk takes for the same promise, to hold [`one_lock_for_good`] against: a file and its folder are synced when
/// something is taken, and again when it is given back.
#[divan::bench]
fn floor_of_one_lock_for_good(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    bencher.bench_local(|| store::sync_file_and_folder(folder.path()));
}

/// So many locks by one deployment.
#[divan::bench(args = [1, 10, 100, 1000])]
fn together(bencher: Bencher<'_, '_>, locks: usize) {
    let (_folder, store) = folder();
    let locks: Vec<_> = (0..locks).map(|n| exclusive(&format!("container-{n}"))).collect();
    bencher.counter(ItemsCount::new(locks.len())).bench_local(|| store::hold_and_give_back(&store, &locks));
}

/// From a release until the one who waits holds.
#[divan::bench]
fn hand_over(bencher: Bencher<'_, '_>) {
    let (folder, _store) = folder();
    bencher.with_inputs(|| Relay::set_up(folder.path(), 0)).bench_local_values(Relay::hand_over);
}

/// What `list` reads, so many locks being held.
#[divan::bench(args = [1000])]
fn list(bencher: Bencher<'_, '_>, held: usize) {
    let (_folder, store) = folder();
    store::crowd(&store, held);
    bencher.counter(ItemsCount::new(held)).bench_local(|| store::list(&store));
}
