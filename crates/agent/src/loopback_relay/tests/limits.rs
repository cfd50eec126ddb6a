//! What this process may have at one time.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::*;

#[test]
fn the_soft_limit_on_open_files_is_raised_and_the_hard_one_is_kept_to() {
    let name = "limits::the_soft_limit_on_open_files_is_raised_and_the_hard_one_is_kept_to";
    isolated(name, async {
        // A hard limit can only be lowered. 256 files are left to others.
        for (soft, hard, raised, connections) in
            [(400, 18_000, 16_384, 1024), (300, 1256, 1256, 500), (100, 100, 100, 0)]
        {
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
            let limits = Limits::of_this_process();
            assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (raised, hard));
            let places: Vec<_> = std::iter::from_fn(|| limits.connection()).collect();
            assert_eq!(places.len(), connections, "{hard}");
            drop(places);
            assert_eq!(limits.connection().is_some(), connections > 0, "{hard}");
        }
    });
}
