//! How much memory the C library keeps for later.

/// Blocks of this size and above are given back to the system when they are freed, and grow
/// without being copied.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BLOCK: i32 = 128 * 1024;

/// Heaps that threads take turns at. With one each, what a list of the whole cluster leaves
/// behind in one of them is of no use to the others.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: i32 = 1;

/// Makes the memory that a start takes go back to the system. Left alone, glibc learns from
/// the first large block that blocks of that size are to be kept, up to 32 MiB. To be called
/// before there is a second thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn keep_little() {
    use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, mallopt};
    for (option, value) in
        [(M_MMAP_THRESHOLD, LARGE_BLOCK), (M_TRIM_THRESHOLD, LARGE_BLOCK), (M_ARENA_MAX, HEAPS)]
    {
        // SAFETY: mallopt takes two integers, and no other thread allocates yet. It refuses
        // what it does not know, which leaves everything as it was.
        #[expect(unsafe_code, reason = "neither std nor nix sets options of the allocator")]
        unsafe {
            mallopt(option, value);
        }
    }
}

/// Other C libraries have no such options.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep_little() {}
