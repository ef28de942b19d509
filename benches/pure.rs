//! How many instructions the parts that touch nothing take. No other load changes them, so a difference is real.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench pure` says by how much they differ from the last time.

use std::hint::black_box;

use deploylock::deployment::{Deployment, Id};
use deploylock::engine::Assessment;
use deploylock::policy::Plan;
use deploylock::store::files::queue::Queue;
use deploylock::topology::Topology;
use deploylock_benches::pure::{self, Crowd};
use gungraun::{library_benchmark, library_benchmark_group, main};

/// What is measured takes references to it.
fn kept<T>(thing: T) -> &'static mut T {
    Box::leak(Box::new(thing))
}

#[library_benchmark]
#[bench::example(pure::EXAMPLE)]
#[bench::a_thousand_containers(kept(pure::wide(1000)))]
fn topology(text: &str) -> Topology {
    black_box(pure::topology(text))
}

#[library_benchmark]
#[bench::example(kept(pure::topology(pure::EXAMPLE)))]
#[bench::a_thousand_containers(kept(pure::topology(&pure::wide(1000))))]
fn policy(topology: &Topology) -> Plan {
    black_box(pure::plan(topology))
}

#[library_benchmark]
#[bench::nobody_there(kept(Crowd::default()))]
#[bench::behind_500(kept(Crowd::waiting(500)))]
#[bench::beside_10_000(kept(Crowd::holding(10_000)))]
fn decision(crowd: &mut Crowd) -> Assessment {
    black_box(pure::decide(crowd))
}

#[library_benchmark]
#[bench::of_500(kept(Crowd::released(500)))]
fn hand_off(crowd: &mut Crowd) -> Vec<Id> {
    black_box(pure::next(crowd))
}

#[library_benchmark]
#[bench::one_lock(kept(pure::deployment(1)))]
#[bench::a_thousand_locks(kept(pure::deployment(1000)))]
fn record_written(deployment: &Deployment) -> String {
    black_box(pure::write_record(deployment))
}

#[library_benchmark]
#[bench::one_lock(kept(pure::deployment(1)))]
fn record_amended(deployment: &Deployment) -> String {
    black_box(pure::write_head(deployment))
}

#[library_benchmark]
#[bench::one_lock(kept(pure::write_record(&pure::deployment(1))))]
#[bench::a_thousand_locks(kept(pure::write_record(&pure::deployment(1000))))]
fn record_read(text: &str) -> Deployment {
    black_box(pure::read_record(text))
}

#[library_benchmark]
#[bench::one_line(1)]
fn lock_file_written(lines: usize) -> String {
    black_box(pure::write_queue(lines))
}

#[library_benchmark]
#[bench::one_line(kept(pure::write_queue(1)))]
#[bench::five_hundred_lines(kept(pure::write_queue(500)))]
fn lock_file_read(text: &str) -> Queue {
    black_box(pure::read_queue(text))
}

#[library_benchmark]
#[bench::plain("db-migrate")]
#[bench::hard(kept(pure::hard_name()))]
fn file_name(name: &str) -> (String, Option<String>) {
    black_box(pure::encode(name))
}

library_benchmark_group!(name = decisions, benchmarks = [topology, policy, decision, hand_off]);
library_benchmark_group!(
    name = texts,
    benchmarks = [record_written, record_amended, record_read, lock_file_written, lock_file_read, file_name]
);

main!(library_benchmark_groups = [decisions, texts]);
