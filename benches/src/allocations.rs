//! How often memory is asked for: unlike a time, the same on every machine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static OF_THIS_THREAD: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread how often it is called. A program
/// that measures makes it its `#[global_allocator]`.
#[derive(Debug)]
pub struct CountingAllocator;

fn count() {
    // Without a destructor it is there as long as its thread.
    let _ = OF_THIS_THREAD.try_with(|count| count.set(count.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: every call goes on to the system's allocator as it is.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the promises that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// How often this thread has allocated or resized since it began; nothing in a program that
/// has another allocator.
pub(crate) fn so_far() -> Option<u64> {
    Some(OF_THIS_THREAD.get()).filter(|count| *count > 0)
}

/// The same, since `earlier`.
pub(crate) fn since(earlier: Option<u64>) -> Option<u64> {
    Some(so_far()?.saturating_sub(earlier?))
}
