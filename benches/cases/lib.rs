//! What the benches measure, apart from how: so that the tests can run it too.

pub mod pure;
pub mod store;
