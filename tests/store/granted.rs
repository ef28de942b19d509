//! One that waited sees that it holds without asking for the guard: who handed on to it may still be inside.

use std::sync::Arc;

use deploylock::deployment::{Deployment, Happening, State, Stored};
use deploylock::model::Keep;
use deploylock::ops::survey;
use deploylock::store::{Listener, Store as _};

use crate::support::{Remote, exclusive, files, give_back, hold, until_waiting, wait_in_thread, with_steps};

struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _happenings: Vec<Happening>) {}
}

#[test]
fn seen_though_the_guard_is_another_s() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let first = hold(&store, &[exclusive("a")]);
    let wanted = [exclusive("a")];
    std::thread::scope(|scope| {
        let waiting = wait_in_thread(scope, Box::new(files(&path)), &wanted);
        until_waiting(&store, 1);
        let all = survey::survey(&store).unwrap().deployments;
        let waits = all.into_iter().find(|s| s.stored.state() == State::Waiting).unwrap().stored;
        let Stored::Readable(_, waits) = waits else { panic!("{waits:?}") };
        assert_eq!(store.granted(&waits).unwrap(), None);
        give_back(&store, first);
        let granted = waiting.join().unwrap();
        let guard = std::fs::File::open(path.join("guard")).unwrap();
        guard.lock().unwrap();
        let seen = store.granted(&waits).unwrap().expect("it holds");
        assert_eq!((&seen.id, seen.token), (&granted.deployment.id, granted.deployment.token));
        assert!(seen.token.is_some() && waits.token.is_none());
        // Where more is to be done at a grant, or less can be seen, it is for a decision to say.
        let promised = Deployment { on_crash: Keep::Hold, ..(*waits).clone() };
        assert_eq!(store.granted(&promised).unwrap(), None);
        let remote = with_steps(&path, Some(Arc::new(Remote)));
        assert_eq!(remote.granted(&waits).unwrap(), None);
        guard.unlock().unwrap();
        drop(survey::survey(&remote).unwrap());
        assert_eq!(remote.granted(&waits).unwrap(), None);
        let heard = files(&path).heard_by(Arc::new(Deaf));
        drop(survey::survey(&heard).unwrap());
        assert_eq!(heard.granted(&waits).unwrap(), None);
        give_back(&store, granted);
        assert_eq!(store.granted(&waits).unwrap(), None);
    });
}
